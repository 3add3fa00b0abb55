/* meet.c - threads that race with their pages, and are at the peak together.
 *
 *	meet [--mib N] [--threads K] [--rounds R] [--ms M]
 *
 * Truth: K threads touch N MiB each, give half of it back and touch it again, R times, all at once
 * and without any order between them; then all of them stand still with N MiB for M ms. Nothing is
 * higher before or after. It prints `VmRSS_kB` and `VmHWM_kB` of that hold, which are exact: every
 * page is there, and the kernel was asked.
 */
#include "target.h"

#include <pthread.h>

static long mib = 32, rounds = 8;
static pthread_barrier_t all_there, held;

static void *race(void *unused)
{
	size_t bytes = mib * MIB;
	char *memory = target_map(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	(void)unused;
	if (memory && madvise(memory, bytes, MADV_NOHUGEPAGE) < 0 && errno != EINVAL)
		err(TARGET_FAILED, "madvise");
	for (long i = 0; memory && i < rounds; i++) {
		target_touch(memory, bytes);
		if (madvise(memory, bytes / 2, MADV_DONTNEED) < 0)
			err(TARGET_FAILED, "madvise");
	}
	target_touch(memory, bytes);
	pthread_barrier_wait(&all_there);
	pthread_barrier_wait(&held);
	target_unmap(memory, bytes);
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "mib", required_argument, NULL, 'm' },
		{ "threads", required_argument, NULL, 't' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "ms", required_argument, NULL, 'h' },
		{},
	};
	long threads = 4, ms = 50, rss_kb;
	pthread_t thread[64];
	int option, error;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'm')
			mib = target_number(optarg, "MiB");
		else if (option == 't')
			threads = target_number(optarg, "threads");
		else if (option == 'r')
			rounds = target_number(optarg, "rounds");
		else if (option == 'h')
			ms = target_number(optarg, "milliseconds");
		else
			return TARGET_FAILED;
	}
	if (threads < 1 || threads > 64)
		errx(TARGET_FAILED, "--threads %ld: must be 1 to 64", threads);

	pthread_barrier_init(&all_there, NULL, threads + 1);
	pthread_barrier_init(&held, NULL, threads + 1);
	for (long i = 0; i < threads; i++) {
		error = pthread_create(&thread[i], NULL, race, NULL);
		if (error)
			errx(TARGET_FAILED, "pthread_create: %s", strerror(error));
	}
	pthread_barrier_wait(&all_there);
	target_note_hwm(); /* also brings in the code that asks */
	rss_kb = target_status_kb(0, "VmRSS");
	target_sleep_ms(ms);
	target_note_hwm();
	pthread_barrier_wait(&held);
	for (long i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	printf("VmRSS_kB %ld\n", rss_kb);
	target_say_hwm();
	return 0;
}
