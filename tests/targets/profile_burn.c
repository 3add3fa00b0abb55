/* profile_burn.c - the smallest known stack. The same source is built in many ways: static,
 * static-pie, with musl, without call frame information, with .debug_frame only (see the Makefile).
 *
 *	profile_burn [--ms CPU]
 *
 * Truth: main → burn_outer → burn_middle → burn_inner, which burns the CPU time. It prints `ready`
 *when it begins, and `cpu_ns NS` at the end.
 */
#include "profile_clock.h"

static NOINLINE void burn_inner(int64_t ns)
{
	burn_cpu_ns(ns);
	KEEP_FRAME();
}

static NOINLINE void burn_middle(int64_t ns)
{
	volatile char room[200];

	room[0] = 1;
	burn_inner(ns);
	room[1] = room[0];
}

static NOINLINE void burn_outer(int64_t ns)
{
	burn_middle(ns);
	KEEP_FRAME();
}

int main(int argc, char **argv)
{
	int64_t ns = option_number(argc, argv, "ms", 500) * 1000000LL;

	printf("ready\n");
	fflush(stdout);
	burn_outer(ns);
	printf("cpu_ns %lld\n", (long long)cpu_ns());
	return 0;
}
