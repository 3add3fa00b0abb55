/* profile_jit.c - machine code that is in no file.
 *
 *	profile_jit [--ms CPU] [--no-map | --fifo-map]
 *
 * Truth: call_jit calls jit_outer, which calls jit_inner, which loops; both are written into an
 * anonymous mapping that is then executable, and keep a frame pointer as JIT compilers do. Their
 * names and addresses are in /tmp/perf-PID.map, which stays; --no-map: there is none; --fifo-map:
 *it is a FIFO that nobody writes into. Prints `jit_outer ADDRESS`, `jit_inner ADDRESS`
 *(hexadecimal), `map PATH`, `jit_ns` (CPU time in the mapping), `cpu_ns`.
 */
#include "profile_clock.h"

#include <sys/stat.h>

#define INNER_AT 0x40
#define CODE_BYTES 0x60
#define LOOPS 2000000 /* about 1 ms */

static const unsigned char outer_code[] = {
	0x55,			/* push %rbp */
	0x48, 0x89, 0xe5,	/* mov %rsp,%rbp */
	0xe8, 0,    0,	  0, 0, /* call jit_inner */
	0x5d,			/* pop %rbp */
	0xc3,			/* ret */
};
static const unsigned char inner_code[] = {
	0x55,			/* push %rbp */
	0x48, 0x89, 0xe5,	/* mov %rsp,%rbp */
	0xb9, 0,    0,	  0, 0, /* mov $LOOPS,%ecx */
	0xff, 0xc9,		/* dec %ecx */
	0x75, 0xfc,		/* jnz to the dec */
	0x5d,			/* pop %rbp */
	0xc3,			/* ret */
};

static char *write_code(void)
{
	char *code = target_map(4096, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int32_t distance = INNER_AT - 9, loops = LOOPS;

	memcpy(code, outer_code, sizeof(outer_code));
	memcpy(code + 5, &distance, sizeof(distance));
	memcpy(code + INNER_AT, inner_code, sizeof(inner_code));
	memcpy(code + INNER_AT + 5, &loops, sizeof(loops));
	if (mprotect(code, 4096, PROT_READ | PROT_EXEC) < 0)
		err(TARGET_FAILED, "mprotect");
	return code;
}

static void write_map(const char *path, const char *code)
{
	FILE *f = fopen(path, "wx");

	if (!f)
		err(TARGET_FAILED, "%s", path);
	fprintf(f, "%lx %x jit_outer\n%lx %x jit_inner\n", (unsigned long)code, INNER_AT,
		(unsigned long)code + INNER_AT, CODE_BYTES - INNER_AT);
	if (fclose(f))
		err(TARGET_FAILED, "%s", path);
}

static NOINLINE void call_jit(const char *code, int64_t ns)
{
	int64_t end = cpu_ns() + ns;

	while (cpu_ns() < end)
		((void (*)(void))code)();
	KEEP_FRAME();
}

int main(int argc, char **argv)
{
	int64_t ns = option_number(argc, argv, "ms", 500) * 1000000LL, start;
	char path[64], *code = write_code();

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	if (option_set(argc, argv, "fifo-map")) {
		if (mkfifo(path, 0600) < 0)
			err(TARGET_FAILED, "%s", path);
	} else if (!option_set(argc, argv, "no-map")) {
		write_map(path, code);
	}
	printf("jit_outer %lx\njit_inner %lx\nmap %s\n", (unsigned long)code,
	       (unsigned long)code + INNER_AT, path);
	fflush(stdout);
	start = cpu_ns();
	call_jit(code, ns);
	printf("jit_ns %lld\ncpu_ns %lld\n", (long long)(cpu_ns() - start), (long long)cpu_ns());
	return 0;
}
