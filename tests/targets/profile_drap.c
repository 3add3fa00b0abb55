/* profile_drap.c - frames that realign the stack and grow while they run.
 *
 *	profile_drap [--ms CPU]
 *
 * Truth: main → realigned (a local with more alignment than the stack has, and alloca: the CFA is
 * found by memory, DW_CFA_def_cfa_expression) → realigned_inner → burn_aligned. Prints `cpu_ns NS`.
 */
#include "profile_clock.h"

#include <alloca.h>

static NOINLINE void burn_aligned(int64_t ns, volatile char *room)
{
	room[0]++;
	burn_cpu_ns(ns);
	KEEP_FRAME();
}

static NOINLINE void realigned_inner(int64_t ns, int a, int b, int c, int d, int e, int f, int g)
{
	volatile char room[128] __attribute__((aligned(128)));

	/* f and g are on the stack: the caller's frame has to be reachable by another register */
	room[0] = (char)(a + b + c + d + e + f + g);
	burn_aligned(ns, room);
	room[1] = (char)(room[0] + g);
}

static NOINLINE void realigned(int64_t ns, int size)
{
	volatile char room[64] __attribute__((aligned(64)));
	volatile char *more = alloca(size);

	room[0] = 1;
	more[0] = room[0];
	realigned_inner(ns, size, 2, 3, 4, 5, 6, 7);
	room[1] = (char)(room[0] + more[0]);
}

int main(int argc, char **argv)
{
	int64_t end = option_number(argc, argv, "ms", 500) * 1000000LL;

	for (int size = 16; cpu_ns() < end; size = size % 4000 + 16)
		realigned(2000000, size);
	printf("cpu_ns %lld\n", (long long)cpu_ns());
	return 0;
}
