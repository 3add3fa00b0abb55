/* leaderexit.c - a process whose main thread ends long before the process does.
 *
 *	leaderexit [--mib N] [--ms M] [--status S]
 *
 * Truth: the leader is a zombie (its /proc/PID/status has no memory lines) while another thread
 * touches N MiB and holds them for M ms; the process has not ended until then, and ends with
 * status S. It prints `VmHWM_kB` at the end.
 */
#include "target.h"

#include <pthread.h>

static long mib = 32, ms = 100, status;

static void *outlive_the_leader(void *leader)
{
	pthread_t *main_thread = leader;
	char *memory;

	/* ends only after the leader's pthread_exit */
	pthread_join(*main_thread, NULL);
	memory = target_anon(mib);
	target_note_hwm();
	target_sleep_ms(ms);
	target_unmap(memory, mib * MIB);
	target_say_hwm();
	exit((int)status);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "mib", required_argument, NULL, 'm' },
		{ "ms", required_argument, NULL, 't' },
		{ "status", required_argument, NULL, 's' },
		{},
	};
	static pthread_t main_thread;
	pthread_t thread;
	int option, error;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'm')
			mib = target_number(optarg, "MiB");
		else if (option == 't')
			ms = target_number(optarg, "milliseconds");
		else if (option == 's')
			status = target_number(optarg, "an exit status");
		else
			return TARGET_FAILED;
	}
	main_thread = pthread_self();
	error = pthread_create(&thread, NULL, outlive_the_leader, &main_thread);
	if (error)
		errx(TARGET_FAILED, "pthread_create: %s", strerror(error));
	pthread_exit(NULL);
}
