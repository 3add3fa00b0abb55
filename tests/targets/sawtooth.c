/* sawtooth.c - memory that falls as often as it rises.
 *
 *	sawtooth [--mib N] [--teeth T] [--step-kb S] [--threads K] [--pause-us P]
 *
 *	   /|  /|	each of K threads: S kB up, half of it down and up again,
 *	 /\ |/\ |	and so on to N MiB; then all of it away at once; T times;
 *	/   '   '	with P µs of rest after each step
 *
 * Truth: every step is a decrease that the kernel sees, and the highest point is reached T times
 * for a moment only. It prints `steps`, and `VmHWM_kB` at the end, which is as exact as the
 * kernel keeps it between two looks (see target.h).
 */
#include "target.h"

#include <pthread.h>

static long mib = 64, teeth = 4, step_kb = 256, pause_us;

static void give_back(char *memory, size_t bytes)
{
	if (madvise(memory, bytes, MADV_DONTNEED) < 0)
		err(TARGET_FAILED, "madvise");
}

static void *saw(void *unused)
{
	size_t bytes = mib * MIB, step = step_kb * 1024;
	char *memory = target_map(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct timespec pause = { .tv_sec = pause_us / 1000000,
				  .tv_nsec = pause_us % 1000000 * 1000 };

	(void)unused;
	for (long tooth = 0; memory && tooth < teeth; tooth++) {
		for (size_t at = 0; at + step <= bytes; at += step) {
			target_touch(memory + at, step);
			give_back(memory + at, step / 2);
			target_touch(memory + at, step / 2);
			if (pause_us)
				nanosleep(&pause, NULL);
		}
		give_back(memory, bytes);
	}
	target_unmap(memory, bytes);
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "mib", required_argument, NULL, 'm' },
		{ "teeth", required_argument, NULL, 't' },
		{ "step-kb", required_argument, NULL, 's' },
		{ "threads", required_argument, NULL, 'k' },
		{ "pause-us", required_argument, NULL, 'p' },
		{},
	};
	pthread_t thread[64];
	long threads = 1;
	int option, error;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'm')
			mib = target_number(optarg, "MiB");
		else if (option == 't')
			teeth = target_number(optarg, "teeth");
		else if (option == 's')
			step_kb = target_number(optarg, "kB");
		else if (option == 'k')
			threads = target_number(optarg, "threads");
		else if (option == 'p')
			pause_us = target_number(optarg, "microseconds");
		else
			return TARGET_FAILED;
	}
	if (threads < 1 || threads > 64)
		errx(TARGET_FAILED, "--threads %ld: must be 1 to 64", threads);
	if (!step_kb || step_kb % 8 || mib * 1024 % step_kb)
		errx(TARGET_FAILED, "--step-kb %ld: must be pages that divide --mib", step_kb);

	for (long i = 1; i < threads; i++) {
		error = pthread_create(&thread[i], NULL, saw, NULL);
		if (error)
			errx(TARGET_FAILED, "pthread_create: %s", strerror(error));
	}
	saw(NULL);
	for (long i = 1; i < threads; i++)
		pthread_join(thread[i], NULL);
	printf("steps %ld\n", threads * teeth * (mib * 1024 / step_kb));
	target_say_hwm();
	return 0;
}
