/* cgroup_clone.c - a child that is born in another cgroup than its parent's, by clone3(2).
 *
 *	cgroup_clone DIRECTORY		(of a v2 cgroup)
 *
 * Truth: the child is in DIRECTORY from its first instruction on. It prints `child PID` once the
 *child is there, and ends both when its stdin does.
 */
#include "target.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>

int main(int argc, char **argv)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	char byte;
	long pid;

	if (fd < 0)
		err(TARGET_FAILED, "open the cgroup");
	args.cgroup = (uint64_t)fd;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		err(TARGET_FAILED, "clone3");
	if (!pid) {
		for (;;)
			pause();
	}
	printf("child %ld\n", pid);
	fflush(stdout);
	while (read(0, &byte, 1) < 0 && errno == EINTR)
		;
	kill((pid_t)pid, SIGKILL);
	waitpid((pid_t)pid, NULL, 0);
	return 0;
}
