/* vforker.c - two processes in one address space.
 *
 *	vforker [--mib N] [--ms M] [--rounds R] [--exec PATH]
 *
 * Truth: the parent has N MiB; its vfork child runs in the same memory for M ms, then becomes
 * PATH (/bin/true). The task's RSS is N MiB and what any program has throughout: the memory
 * counts once, not twice. It prints `child PID` for each of R rounds, and `VmHWM_kB`.
 */
#include "target.h"

#include <sys/wait.h>

static void share_with_child(long ms, const char *path)
{
	const struct timespec hold = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	int status;
	pid_t pid;

	pid = vfork();
	if (pid < 0)
		err(TARGET_FAILED, "vfork");
	if (!pid) { /* only system calls: this is the parent's memory */
		nanosleep(&hold, NULL);
		execl(path, path, NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0 || status)
		errx(TARGET_FAILED, "%s: wait status %#x", path, status);
	printf("child %d\n", (int)pid);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "mib", required_argument, NULL, 'm' },
		{ "ms", required_argument, NULL, 't' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "exec", required_argument, NULL, 'e' },
		{},
	};
	long mib = 64, ms = 200, rounds = 1;
	const char *path = "/bin/true";
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'm')
			mib = target_number(optarg, "MiB");
		else if (option == 't')
			ms = target_number(optarg, "milliseconds");
		else if (option == 'r')
			rounds = target_number(optarg, "rounds");
		else if (option == 'e')
			path = optarg;
		else
			return TARGET_FAILED;
	}
	target_anon(mib);
	for (long round = 0; round < rounds; round++)
		share_with_child(ms, path);
	target_say_hwm();
	return 0;
}
