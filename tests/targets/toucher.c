/* toucher.c - the fault-heavy workload: as many page faults a second as the kernel can serve.
 *
 *	toucher --mib N [--rounds R] [--threads T] [--thp] [--before-ms MS]
 *
 * Truth: T threads touch N MiB each, R times, each round in memory that is new; every page is one
 * fault (with --thp, huge pages where the kernel has them). It prints `VmHWM_kB`, `minor_faults`,
 * and `elapsed_us`, the time of the rounds alone. VmHWM_kB is exact with one thread; the peaks of
 * several need not meet. --before-ms: waits so long first, for an observer that meets it in a
 * cgroup, where nothing holds it at exec.
 */
#include "target.h"

#include <pthread.h>
#include <sys/resource.h>

static long mib = 64, rounds = 1, threads = 1, before_ms;
static int advice = MADV_NOHUGEPAGE;

static void *touch_rounds(void *unused)
{
	(void)unused;
	for (long round = 0; round < rounds; round++) {
		char *memory = target_map(mib * MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1);

		/* a kernel without huge pages refuses the advice, and needs none */
		if (memory && madvise(memory, mib * MIB, advice) < 0 && errno != EINVAL)
			err(TARGET_FAILED, "madvise");
		target_touch(memory, mib * MIB);
		if (threads == 1 && round == rounds - 1)
			target_note_hwm();
		target_unmap(memory, mib * MIB);
	}
	return NULL;
}

static long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "mib", required_argument, NULL, 'm' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "threads", required_argument, NULL, 't' },
		{ "thp", no_argument, NULL, 'h' },
		{ "before-ms", required_argument, NULL, 'b' },
		{},
	};
	pthread_t thread[64];
	struct rusage usage;
	long start_us;
	int option, error;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'm')
			mib = target_number(optarg, "MiB");
		else if (option == 'r')
			rounds = target_number(optarg, "rounds");
		else if (option == 't')
			threads = target_number(optarg, "threads");
		else if (option == 'h')
			advice = MADV_HUGEPAGE;
		else if (option == 'b')
			before_ms = target_number(optarg, "ms");
		else
			return TARGET_FAILED;
	}
	if (threads < 1 || threads > 64)
		errx(TARGET_FAILED, "--threads %ld: must be 1 to 64", threads);

	target_sleep_ms(before_ms);
	start_us = now_us();
	for (long i = 1; i < threads; i++) {
		error = pthread_create(&thread[i], NULL, touch_rounds, NULL);
		if (error)
			errx(TARGET_FAILED, "pthread_create: %s", strerror(error));
	}
	touch_rounds(NULL);
	for (long i = 1; i < threads; i++)
		pthread_join(thread[i], NULL);
	printf("elapsed_us %ld\n", now_us() - start_us);

	getrusage(RUSAGE_SELF, &usage);
	printf("minor_faults %ld\n", usage.ru_minflt);
	target_say_hwm();
	return 0;
}
