/* heap_survival_processes.c - children, programs and sandboxes under an allocator's shim.
 *
 *	heap_survival_processes CASE	see cases[]
 *
 * Truth: as in heap_survival.c. A child has what its parent had at the fork, and it is live when
 *the child ends: so keep()'s blocks count once for each process that is forked after it.
 */
#include "heap_survival.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

static int status_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 99;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- exec, vfork, posix_spawn */

static void *exec_it(void *argv)
{
	execv("/proc/self/exe", argv);
	err(TARGET_FAILED, "exec");
}

static int exec_by_a_thread(void)
{
	static char *argv[] = { "heap_survival_processes", "after-exec", NULL };
	pthread_t thread;

	keep(50); /* of a program that is gone: not left */
	if (pthread_create(&thread, NULL, exec_it, argv))
		return TARGET_FAILED;
	for (;;)
		churn(100);
}

static int after_exec(void)
{
	keep(100);
	say_kept("keep", 100);
	return 8;
}

static int vforks(void)
{
	volatile int bad = 0;

	keep(100);
	for (int i = 0; i < 50; i++) {
		pid_t pid = vfork();

		if (!pid) {
			free(malloc(5058)); /* not allowed, and done all the same */
			execl("/bin/true", "true", (char *)NULL);
			_exit(9);
		}
		bad += status_of(pid) != 0;
	}
	say_kept("keep", 100);
	return bad;
}

static int spawns(void)
{
	static char *argv[] = { "true", NULL };
	pid_t pids[20];
	int bad = 0;

	keep(100);
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 20; i++)
			if (posix_spawn(&pids[i], "/bin/true", NULL, NULL, argv, environ))
				return TARGET_FAILED;
		for (int i = 0; i < 20; i++)
			bad += status_of(pids[i]) != 0;
	}
	say_kept("keep", 100);
	return bad;
}

/* ---- forks */

#define CHILDREN 40
static void *theirs[100];

static NOINLINE void make_theirs(void)
{
	for (int i = 0; i < 100; i++) {
		theirs[i] = malloc(KEPT_BYTES);
		if (!theirs[i])
			_exit(TARGET_FAILED);
	}
}

static void live_as_child(void)
{
	for (int i = 0; i < 40; i++)
		free(theirs[i]);
	keep_in_child(10);
	churn(200);
	_exit(0);
}

/* Four at a time; each frees 40 of its parent's 100 blocks and makes 10. */
static int fork_storm(void)
{
	int bad = 0;

	make_theirs();
	for (int i = 0; i < CHILDREN; i += 4) {
		pid_t pids[4];

		for (int k = 0; k < 4; k++) {
			pids[k] = fork();
			if (!pids[k])
				live_as_child();
		}
		for (int k = 0; k < 4; k++)
			bad += status_of(pids[k]) != 0;
	}
	say("left", "keep_in_child", CHILDREN * 10);
	say("left", "make_theirs", 100 + CHILDREN * 60);
	return bad;
}

/* Children of children, each of which ends before its own child does. */
static int orphans(void)
{
	int pipe_of_all[2], left = 30;
	char byte;

	if (pipe(pipe_of_all))
		return TARGET_FAILED;
	if (!fork()) {
		while (left-- && !fork())
			keep_in_child(1);
		_exit(0);
	}
	close(pipe_of_all[1]);
	while (read(pipe_of_all[0], &byte, 1) > 0) /* until the last of them has ended */
		;
	keep(100);
	say("left", "keep", 100);
	/* the n-th has n blocks, the last one 30 as it ends without a child */
	say("left", "keep_in_child", 30 * 31 / 2);
	return 0;
}

/* ---- sandboxes */

static int fork_one_that_keeps(void)
{
	pid_t pid;

	keep(100);
	pid = fork();
	if (!pid) {
		keep_in_child(200);
		_exit(0);
	}
	if (pid < 0 || status_of(pid))
		return 1;
	say("left", "keep_in_child", 200);
	return 0;
}

static int no_new_privileges(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return TARGET_FAILED;
	return fork_one_that_keeps();
}

/* The child has no room for a region of the shim's. */
static int no_room(void)
{
	struct rlimit limit;
	char text[256] = "";
	int fd;

	keep(100);
	fd = open("/proc/self/statm", O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return TARGET_FAILED;
	close(fd);
	limit.rlim_cur = limit.rlim_max = (rlim_t)atol(text) * 4096 + 4 * MIB;
	if (setrlimit(RLIMIT_AS, &limit))
		return TARGET_FAILED;
	return fork_one_that_keeps();
}

/* What a shim might use and this program does not. */
#define REFUSE(number)                                             \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (SYS_##number), 0, 1), \
	    BPF_STMT(BPF_RET | BPF_K, 0 /* filled in */)

static int install(unsigned int how, bool quietly)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		REFUSE(futex),
		REFUSE(clock_gettime),
		REFUSE(gettid),
		REFUSE(membarrier),
		REFUSE(madvise),
		REFUSE(mprotect),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	for (size_t i = 2; i + 1 < program.len; i += 2)
		filter[i].k = how;
	if (quietly) /* only a privileged program can */
		return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int in_sandbox(unsigned int how, bool quietly)
{
	keep(50);
	if (install(how, quietly))
		err(TARGET_FAILED, "seccomp");
	churn(300000); /* rings fill, and more than once */
	keep(50);
	say_kept("keep", 100);
	return 2;
}

static int filter_kills(void)
{
	return in_sandbox(SECCOMP_RET_KILL_PROCESS, false);
}

static int filter_kills_quietly(void)
{
	return in_sandbox(SECCOMP_RET_KILL_PROCESS, true);
}

static int filter_refuses(void)
{
	return in_sandbox(SECCOMP_RET_ERRNO | EPERM, false);
}

static int filter_refuses_quietly(void)
{
	return in_sandbox(SECCOMP_RET_ERRNO | EPERM, true);
}

/* Long enough for its observer to be killed. */
static int filter_refuses_for_long(void)
{
	keep(100);
	if (install(SECCOMP_RET_ERRNO | EPERM, true))
		err(TARGET_FAILED, "seccomp");
	say("left", "keep", 100);
	churn(20000000);
	return 2;
}

/* As a service manager does it: the program starts in the sandbox. */
static int filter_is_inherited(void)
{
	static char *argv[] = { "heap_survival_processes", "after-exec", NULL };
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return TARGET_FAILED;
	execv("/proc/self/exe", argv);
	return TARGET_FAILED;
}

static int in_strict_mode(bool quietly)
{
	keep(50);
	free(malloc(400000)); /* the heap has room from now on */
	free(malloc(100000));
	if (quietly ? (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL)
		    : prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0))
		return TARGET_FAILED;
	churn(20000);
	keep(50);
	say("left", "keep", 100); /* the peak was before */
	syscall(SYS_exit, 0);
	return TARGET_FAILED;
}

static int strict(void)
{
	return in_strict_mode(false);
}

static int strict_quietly(void)
{
	return in_strict_mode(true);
}

static const struct survival_case cases[] = {
	{ "exec-by-thread", exec_by_a_thread },
	{ "after-exec", after_exec },
	{ "vfork", vforks },
	{ "posix-spawn", spawns },
	{ "fork-storm", fork_storm },
	{ "orphans", orphans },
	{ "fork-no-new-privileges", no_new_privileges },
	{ "fork-no-room", no_room },
	{ "seccomp-kill", filter_kills },
	{ "seccomp-kill-by-number", filter_kills_quietly },
	{ "seccomp-errno", filter_refuses },
	{ "seccomp-errno-by-number", filter_refuses_quietly },
	{ "seccomp-errno-long", filter_refuses_for_long },
	{ "seccomp-inherited", filter_is_inherited },
	{ "seccomp-strict", strict },
	{ "seccomp-strict-by-number", strict_quietly },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	return survival_main(cases, argc, argv);
}
