/* profile_stopped.c - a thread that naps, until SIGTERM: for tests that stop and continue it.
 *
 *	profile_stopped
 *
 * Truth: main → nap, in naps of 5 ms; a nap that took longer than 100 ms was held up (a stop, as a
 * rule). Prints `ready`, and at the end `naps N`, `held_up_ns NS` (sum of such naps).
 */
#include "profile_clock.h"

#include <signal.h>

static volatile sig_atomic_t ends;

static void on_term(int number)
{
	(void)number;
	ends = 1;
}

static NOINLINE void nap(void)
{
	sleep_ns(5000000);
	KEEP_FRAME();
}

int main(void)
{
	int64_t held_up = 0;
	long naps = 0;

	signal(SIGTERM, on_term);
	printf("ready\n");
	fflush(stdout);
	for (; !ends; naps++) {
		int64_t start = wall_ns(), took;

		nap();
		took = wall_ns() - start;
		if (took > 100000000)
			held_up += took;
	}
	printf("naps %ld\nheld_up_ns %lld\n", naps, (long long)held_up);
	return 0;
}
