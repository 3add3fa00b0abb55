/* uprobe_chains.c - threads that call one function at full speed, each time by way of a chain of
 * calls that the function's argument tells.
 *
 *	uprobe_chains [--threads N] [--calls N]
 *
 * Truth: probed(chain) is called by CHAIN_DEPTH functions, each chain_a or chain_b: the innermost
 *by bit 0 of @chain (1: chain_b), and so on; the outermost is called by chain_run. No two threads
 *ever use the same chain. First it prints `range NAME START END` for each of these, addresses
 *within its file, `probe OFFSET` of probed in the file, `depth N`, and waits for a byte on stdin;
 *when all threads have ended, `calls N`, and it waits for the end of stdin.
 */
#include "target.h"

#include <link.h>
#include <pthread.h>
#include <stdint.h>

#define CHAIN_DEPTH 12
#define THREADS_MAX 256
#define CHAINS_EACH ((1 << CHAIN_DEPTH) / THREADS_MAX)

/* each in a section of its own: the linker tells where it begins and ends */
#define IN(name) __attribute__((noipa, section(#name)))
#define RANGE(name) extern const char __start_##name[], __stop_##name[]

RANGE(chain_probe);
RANGE(chain_a);
RANGE(chain_b);
RANGE(chain_run);
extern const char __ehdr_start[];

static long calls;

static void step_a(uint64_t chain, int depth);
static void step_b(uint64_t chain, int depth);

static IN(chain_probe) void probed(uint64_t chain)
{
	__asm__ volatile("" ::"r"(chain) : "memory");
}

/* What follows keeps each call from being a tail call. */
#define STEP(chain, depth)                           \
	do {                                         \
		if (!(depth))                        \
			probed(chain);               \
		else if ((chain) >> ((depth)-1) & 1) \
			step_b(chain, (depth)-1);    \
		else                                 \
			step_a(chain, (depth)-1);    \
		__asm__ volatile("" ::: "memory");   \
	} while (0)

static IN(chain_a) void step_a(uint64_t chain, int depth)
{
	STEP(chain, depth);
}

static IN(chain_b) void step_b(uint64_t chain, int depth)
{
	STEP(chain, depth);
}

static IN(chain_run) void *run(void *context)
{
	uint64_t first = (uintptr_t)context * CHAINS_EACH;

	/* an odd factor: all are different, and neighbours differ in many bits */
	for (long i = 0; i < calls; i++) {
		uint64_t chain = (first + i % CHAINS_EACH) * 1237 & ((1 << CHAIN_DEPTH) - 1);

		STEP(chain, CHAIN_DEPTH);
	}
	return NULL;
}

/* Of this program, the first that is listed: where @address is in its file. */
static int find_offset(struct dl_phdr_info *info, size_t size, void *address)
{
	uint64_t *at = address, vaddr = *at - info->dlpi_addr;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_LOAD && vaddr - p->p_vaddr < p->p_filesz)
			*at = vaddr - p->p_vaddr + p->p_offset;
	}
	return 1;
}

static void say_range(const char *name, const char *start, const char *end)
{
	printf("range %s %lx %lx\n", name, start - __ehdr_start, end - __ehdr_start);
}

int main(int argc, char **argv)
{
	long threads = 64;
	uint64_t probe = (uintptr_t)probed;
	pthread_t thread[THREADS_MAX];
	char byte;

	calls = 2000;
	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--threads"))
			threads = target_number(argv[i + 1], "threads");
		if (!strcmp(argv[i], "--calls"))
			calls = target_number(argv[i + 1], "calls");
	}
	if (threads > THREADS_MAX)
		errx(TARGET_FAILED, "more than %d threads", THREADS_MAX);
	dl_iterate_phdr(find_offset, &probe);
	say_range("probe", __start_chain_probe, __stop_chain_probe);
	say_range("a", __start_chain_a, __stop_chain_a);
	say_range("b", __start_chain_b, __stop_chain_b);
	say_range("run", __start_chain_run, __stop_chain_run);
	printf("depth %d\nprobe %lx\n", CHAIN_DEPTH, (unsigned long)probe);
	fflush(stdout);
	if (read(STDIN_FILENO, &byte, 1) != 1)
		return 0;
	for (long i = 0; i < threads; i++) {
		errno = pthread_create(&thread[i], NULL, run, (void *)i);
		if (errno)
			err(TARGET_FAILED, "thread");
	}
	for (long i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	printf("calls %ld\n", threads * calls);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
