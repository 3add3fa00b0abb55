/* profile_forks.c - what a shell script looks like: many short programs.
 *
 *	profile_forks [--count N] [--ms CPU] [--parallel K]
 *
 * Truth: N children, at most K at once, each executes this program again under another argv[0]
 * (child-I) and burns the CPU time in burn_of_child. Each child prints `child PID CPU`; the root
 * prints `children N` last.
 */
#include "profile_clock.h"

#include <sys/wait.h>

static NOINLINE void burn_of_child(int64_t ns)
{
	burn_cpu_ns(ns);
	KEEP_FRAME();
}

static void become_child(long number, char *ms)
{
	char name[32], *args[] = { name, "--child", "--ms", ms, NULL };

	snprintf(name, sizeof(name), "child-%ld", number);
	execv("/proc/self/exe", args);
	_exit(127);
}

static void reap(void)
{
	int status;

	if (wait(&status) < 0 || status)
		errx(TARGET_FAILED, "a child failed");
}

int main(int argc, char **argv)
{
	long count = option_number(argc, argv, "count", 20), parallel, ms;
	char text[32];

	ms = option_number(argc, argv, "ms", 50);
	parallel = option_number(argc, argv, "parallel", 2);
	if (option_set(argc, argv, "child")) {
		burn_of_child(ms * 1000000LL);
		printf("child %d %lld\n", (int)getpid(), (long long)cpu_ns());
		return 0;
	}
	snprintf(text, sizeof(text), "%ld", ms);
	for (long i = 0; i < count; i++) {
		pid_t pid;

		if (i >= parallel)
			reap();
		pid = fork();
		if (pid < 0)
			err(TARGET_FAILED, "fork");
		if (!pid)
			become_child(i, text);
	}
	for (long i = 0; i < count && i < parallel; i++)
		reap();
	printf("children %ld\n", count);
	return 0;
}
