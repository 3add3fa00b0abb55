/* profile_mappings.c - as many mappings as the kernel allows.
 *
 *	profile_mappings [--count N] [--executable] [--ms CPU]
 *
 * Truth: it makes mappings until it has N of its own or the kernel refuses (vm.max_map_count), none
 *of which can be merged with its neighbour; with --executable every second one can be executed.
 *Then burn_among_mappings burns the CPU time. Prints `mappings N`, `ready`, and `cpu_ns NS` at the
 *end.
 */
#include "profile_clock.h"

static NOINLINE void burn_among_mappings(int64_t ns)
{
	burn_cpu_ns(ns);
	KEEP_FRAME();
}

int main(int argc, char **argv)
{
	long count = option_number(argc, argv, "count", 65530), made = 1;
	int64_t ns = option_number(argc, argv, "ms", 500) * 1000000LL;
	int odd = option_set(argc, argv, "executable") ? PROT_READ | PROT_EXEC : PROT_READ;
	char *room = mmap(NULL, (size_t)(count + 1) * 4096, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (room == MAP_FAILED)
		err(TARGET_FAILED, "mmap");
	/* every second page becomes another kind: each such change makes two mappings more */
	for (long i = 1; made + 2 <= count; i += 2, made += 2) {
		if (mprotect(room + i * 4096, 4096, odd) < 0)
			break;
	}
	if (errno && errno != ENOMEM)
		err(TARGET_FAILED, "mprotect");
	printf("mappings %ld\nready\n", made);
	fflush(stdout);
	burn_among_mappings(ns);
	printf("cpu_ns %lld\n", (long long)cpu_ns());
	return 0;
}
