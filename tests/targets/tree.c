/* tree.c - five processes of known sizes that are at their peak at the same moment.
 *
 *	tree [--ms M] [--after-ms Y] [ROOT CHILD GRANDCHILD EXECED KILLED]	(MiB; 16)
 *
 *	root ──fork──► child ──fork──► grandchild
 *	     ──fork──► exec of this program again: execed
 *	     ──fork──► killed: the root kills it with SIGKILL after the peak
 *
 * Truth: each touches its memory after its fork, so that no page is shared, then all of them hold
 * for M ms. The root reads every VmRSS during the hold and prints `role pid rss_kb` for each,
 * `sum_kb N`, and `killed PID`. The sum is the peak of the task: nothing is larger before or
 * after.
 */
#include "target.h"

#include <signal.h>
#include <sys/wait.h>

enum role { ROOT, CHILD, GRANDCHILD, EXECED, KILLED, ROLES };
static const char *const role_names[ROLES] = { "root", "child", "grandchild", "execed", "killed" };

/* One write of at most PIPE_BUF bytes is never torn. */
struct ready {
	enum role role;
	pid_t pid;
};

/*
 * Memory is mapped and touched, the root told, and then waited for the end of @go_fd, which comes
 * when the root closes its side or dies.
 */
static void hold(enum role role, long mib, int ready_fd, int go_fd)
{
	struct ready ready = { role, getpid() };
	char byte;

	target_anon(mib);
	if (write(ready_fd, &ready, sizeof(ready)) != sizeof(ready))
		err(TARGET_FAILED, "%s: tell the root", role_names[role]);
	while (read(go_fd, &byte, 1) < 0 && errno == EINTR)
		;
}

static pid_t start(void)
{
	pid_t pid = fork();

	if (pid < 0)
		err(TARGET_FAILED, "fork");
	return pid;
}

static void wait_for(pid_t pid, int wanted)
{
	int status;

	if (waitpid(pid, &status, 0) < 0)
		err(TARGET_FAILED, "waitpid");
	if (status != wanted)
		errx(TARGET_FAILED, "pid %d: wait status %#x, not %#x", (int)pid, status, wanted);
}

static void run_child(const long *mib, int ready_fd, int go_fd)
{
	pid_t grandchild = start();

	if (!grandchild) {
		hold(GRANDCHILD, mib[GRANDCHILD], ready_fd, go_fd);
		_exit(0);
	}
	hold(CHILD, mib[CHILD], ready_fd, go_fd);
	wait_for(grandchild, 0);
	_exit(0);
}

static void exec_leaf(long mib, int ready_fd, int go_fd)
{
	char size[24], ready[16], go[16];

	snprintf(size, sizeof(size), "%ld", mib);
	snprintf(ready, sizeof(ready), "%d", ready_fd);
	snprintf(go, sizeof(go), "%d", go_fd);
	execl("/proc/self/exe", "tree", "leaf", size, ready, go, NULL);
	err(TARGET_FAILED, "exec of /proc/self/exe");
}

static void measure(const pid_t *pid, long *rss_kb)
{
	for (int role = 0; role < ROLES; role++)
		rss_kb[role] = target_status_kb(pid[role], "VmRSS");
}

static void run_root(const long *mib, long ms, long after_ms)
{
	pid_t pid[ROLES] = { [ROOT] = getpid() }, child, execed, killed;
	int ready_pipe[2], go_pipe[2];
	struct ready ready;
	long rss_kb[ROLES], sum_kb = 0;
	char *memory;

	if (pipe(ready_pipe) < 0 || pipe(go_pipe) < 0)
		err(TARGET_FAILED, "pipe");
	/* not inherited across the exec: an open writing side would keep the others waiting */
	fcntl(go_pipe[1], F_SETFD, FD_CLOEXEC);

	child = start();
	if (!child) {
		close(go_pipe[1]);
		run_child(mib, ready_pipe[1], go_pipe[0]);
	}
	execed = start();
	if (!execed)
		exec_leaf(mib[EXECED], ready_pipe[1], go_pipe[0]);
	killed = start();
	if (!killed) {
		close(go_pipe[1]);
		hold(KILLED, mib[KILLED], ready_pipe[1], go_pipe[0]);
		_exit(TARGET_FAILED);
	}
	close(ready_pipe[1]);
	close(go_pipe[0]);
	memory = target_anon(mib[ROOT]);
	for (int role = CHILD; role < ROLES; role++) {
		if (read(ready_pipe[0], &ready, sizeof(ready)) != sizeof(ready))
			errx(TARGET_FAILED, "a process of the tree ended too early");
		pid[ready.role] = ready.pid;
	}
	measure(pid, rss_kb); /* the first time brings in the pages of the code that measures */
	measure(pid, rss_kb);
	target_sleep_ms(ms);

	kill(killed, SIGKILL);
	wait_for(killed, SIGKILL);
	close(go_pipe[1]);
	wait_for(execed, 0);
	wait_for(child, 0);
	target_unmap(memory, mib[ROOT] * MIB);
	for (int role = 0; role < ROLES; role++) {
		printf("%s %d %ld\n", role_names[role], (int)pid[role], rss_kb[role]);
		sum_kb += rss_kb[role];
	}
	printf("sum_kb %ld\nkilled %d\n", sum_kb, (int)killed);
	target_sleep_ms(after_ms);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "ms", required_argument, NULL, 't' },
		{ "after-ms", required_argument, NULL, 'a' },
		{},
	};
	long mib[ROLES] = { 16, 16, 16, 16, 16 }, ms = 300, after_ms = 0;
	int option;

	if (argc == 5 && !strcmp(argv[1], "leaf")) {
		hold(EXECED, target_number(argv[2], "MiB"),
		     (int)target_number(argv[3], "a descriptor"),
		     (int)target_number(argv[4], "a descriptor"));
		return 0;
	}
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 't')
			ms = target_number(optarg, "milliseconds");
		else if (option == 'a')
			after_ms = target_number(optarg, "milliseconds");
		else
			return TARGET_FAILED;
	}
	if (argc - optind > ROLES)
		errx(TARGET_FAILED, "%s: one size too many", argv[optind + ROLES]);
	for (int role = 0; optind + role < argc; role++)
		mib[role] = target_number(argv[optind + role], "MiB");
	run_root(mib, ms, after_ms);
	return 0;
}
