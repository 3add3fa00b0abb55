/* profile_deep.c - a deep stack whose every frame is known.
 *
 *	profile_deep [--depth N] [--ms CPU]
 *
 * Truth: main calls step_0, which calls step_1, …; step_9 calls step_0 again. After N steps
 *`bottom` burns the CPU time. Frames differ in size, and some of them keep a frame pointer because
 *their size is known only when they run. Prints `depth N` and `cpu_ns`.
 */
#include "profile_clock.h"

#include <alloca.h>

static NOINLINE void bottom(long ms)
{
	burn_cpu_ns(ms * 1000000LL);
	KEEP_FRAME();
}

typedef void step_fn(long left, long ms);
static step_fn *const step[10];

#define STEP(n)                                                       \
	static NOINLINE void step_##n(long left, long ms)             \
	{                                                             \
		volatile char room[8 + (n)*24];                       \
                                                                      \
		room[0] = (char)left;                                 \
		if ((n) % 4 == 3)                                     \
			*(volatile char *)alloca(16 + left % 64) = 1; \
		if (left <= 1)                                        \
			bottom(ms);                                   \
		else                                                  \
			step[((n) + 1) % 10](left - 1, ms);           \
		room[1] = room[0];                                    \
	}

STEP(0)
STEP(1)
STEP(2)
STEP(3)
STEP(4)
STEP(5)
STEP(6)
STEP(7)
STEP(8)
STEP(9)

static step_fn *const step[10] = { step_0, step_1, step_2, step_3, step_4,
				   step_5, step_6, step_7, step_8, step_9 };

int main(int argc, char **argv)
{
	long depth = option_number(argc, argv, "depth", 40);
	long ms = option_number(argc, argv, "ms", 500);

	if (depth < 1)
		errx(TARGET_FAILED, "--depth 0: must be 1 or more");
	step_0(depth, ms);
	printf("depth %ld\ncpu_ns %lld\n", depth, (long long)cpu_ns());
	return 0;
}
