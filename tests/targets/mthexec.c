/* mthexec.c - exec by a thread that is not the leader.
 *
 *	mthexec [--before-mib B] [--mib N] [--ms M] [-- COMMAND ARG…]
 *
 * Truth: the process keeps its pid and its start time although another thread calls exec; the B
 * MiB of the old address space are gone after it. The new program (this one again, without a
 * COMMAND) touches N MiB, holds them for M ms, and prints `pid P` and `VmHWM_kB`, which tells of
 * the new address space only.
 */
#include "target.h"

#include <pthread.h>

static void *exec_it(void *command)
{
	char **argv = command;

	execvp(argv[0], argv);
	err(TARGET_FAILED, "exec of %s", argv[0]);
}

static void touch_and_hold(long mib, long ms)
{
	target_anon(mib);
	target_sleep_ms(ms);
	printf("pid %d\n", (int)getpid());
	target_say_hwm();
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "before-mib", required_argument, NULL, 'b' },
		{ "mib", required_argument, NULL, 'm' },
		{ "ms", required_argument, NULL, 't' },
		{ "after-exec", no_argument, NULL, 'x' },
		{},
	};
	long before_mib = 0, mib = 32, ms = 100;
	char mib_text[24], ms_text[24];
	char *self[] = {
		"/proc/self/exe", "--after-exec", "--mib", mib_text, "--ms", ms_text, NULL
	};
	bool after_exec = false;
	pthread_t thread;
	int option, error;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (option == 'b')
			before_mib = target_number(optarg, "MiB");
		else if (option == 'm')
			mib = target_number(optarg, "MiB");
		else if (option == 't')
			ms = target_number(optarg, "milliseconds");
		else if (option == 'x')
			after_exec = true;
		else
			return TARGET_FAILED;
	}
	if (after_exec) {
		touch_and_hold(mib, ms);
		return 0;
	}
	target_anon(before_mib);
	snprintf(mib_text, sizeof(mib_text), "%ld", mib);
	snprintf(ms_text, sizeof(ms_text), "%ld", ms);
	error = pthread_create(&thread, NULL, exec_it, argv[optind] ? argv + optind : self);
	if (error)
		errx(TARGET_FAILED, "pthread_create: %s", strerror(error));
	pthread_join(thread, NULL); /* does not come back: exec ends every other thread */
	return TARGET_FAILED;
}
