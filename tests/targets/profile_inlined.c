/* profile_inlined.c - a function that is inlined into another, for the lines of both.
 *
 *	profile_inlined [--ms CPU]
 *
 * Truth: main → work, which burns the CPU time in inlined_inner, inlined into inlined_outer,
 * inlined into work; the lines are those with remarks. It prints `ready`, and at the end
 * `cpu_ns NS`.
 */
#include "profile_clock.h"

#define INLINED static inline __attribute__((always_inline))

INLINED uint64_t inlined_inner(uint64_t x)
{
	for (int i = 0; i < 4096; i++)
		x = (x ^ x >> 33) * 0xff51afd7ed558ccdULL; /* all of the time */
	return x;
}

INLINED uint64_t inlined_outer(uint64_t x)
{
	uint64_t y = x + 1;
	return inlined_inner(y); /* calls inner */
}

static NOINLINE uint64_t work(int64_t until)
{
	uint64_t x = 1;

	do {
		x += 1;
		x = inlined_outer(x); /* calls outer */
	} while (cpu_ns() < until);
	return x;
}

int main(int argc, char **argv)
{
	int64_t ms = option_number(argc, argv, "ms", 500);
	volatile uint64_t x;

	printf("ready\n");
	fflush(stdout);
	x = work(ms * 1000000LL);
	printf("cpu_ns %lld\n", (long long)cpu_ns());
	return x == 0;
}
