/* sleeper.c - a task at rest: many processes that do nothing.
 *
 *	sleeper [--procs N] [--mib M]
 *
 * Truth: N processes (the root and N - 1 children), each with M MiB of its own, asleep without a
 * timer. The root prints `ready N` once all of them sleep, and on SIGTERM or SIGINT ends the
 * children and exits with 0. The children end when the root does, however it ends.
 */
#include "target.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void sleep_for_ever(long mib, pid_t parent, int ready_fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(TARGET_FAILED);
	target_anon(mib);
	if (write(ready_fd, "", 1) != 1)
		_exit(TARGET_FAILED);
	close(ready_fd);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "procs", required_argument, NULL, 'p' },
		{ "mib", required_argument, NULL, 'm' },
		{},
	};
	long procs = 100, mib = 0;
	int option, ready[2], signal_number;
	pid_t root = getpid(), *child;
	sigset_t stop;
	char byte;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'p')
			procs = target_number(optarg, "processes");
		else if (option == 'm')
			mib = target_number(optarg, "MiB");
		else
			return TARGET_FAILED;
	}
	if (procs < 1)
		errx(TARGET_FAILED, "--procs 0: must be 1 or more");
	child = calloc(procs, sizeof(*child));
	if (!child || pipe(ready) < 0)
		err(TARGET_FAILED, "%ld processes", procs);
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigprocmask(SIG_BLOCK, &stop, NULL);

	for (long i = 1; i < procs; i++) {
		child[i] = fork();
		if (child[i] < 0)
			err(TARGET_FAILED, "fork of process %ld", i + 1);
		if (!child[i])
			sleep_for_ever(mib, root, ready[1]);
	}
	target_anon(mib);
	for (long i = 1; i < procs; i++) {
		if (read(ready[0], &byte, 1) != 1)
			err(TARGET_FAILED, "wait for the children");
	}
	printf("ready %ld\n", procs);
	fflush(stdout);

	sigwait(&stop, &signal_number);
	for (long i = 1; i < procs; i++)
		kill(child[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	return 0;
}
