/* spawner.c - the fork-heavy workload: many children that hardly live.
 *
 *	spawner --count N [--exec PATH] [--vfork | --spawn] [--parallel K] [--status S]
 *
 *	(nothing)	fork, then _exit(S)		--exec PATH	fork, then exec of PATH
 *	--vfork		vfork instead of fork		--spawn		posix_spawn (/bin/true)
 *
 * Truth: the task has exactly N + 1 processes, at most K + 1 of them alive at once. It prints
 * `spawned N`, `ended_as_told N` (exit status S, or 0 after exec), and `elapsed_us`. It exits
 * with 2 when they differ.
 */
#include "target.h"

#include <spawn.h>
#include <sys/wait.h>

static const char *path;
static long child_status;

static pid_t spawn_by_fork(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (path)
		execl(path, path, NULL);
	_exit(path ? 127 : (int)child_status);
}

static pid_t spawn_by_vfork(void)
{
	pid_t pid = vfork();

	if (pid)
		return pid;
	if (path)
		execl(path, path, NULL);
	_exit(path ? 127 : (int)child_status);
}

static pid_t spawn_by_posix(void)
{
	char *const argv[] = { (char *)path, NULL };
	pid_t pid;

	errno = posix_spawn(&pid, path, NULL, NULL, argv, environ);
	return errno ? -1 : pid;
}

/* Returns 1 when the child ended as it should. */
static int reap(void)
{
	int status;

	if (wait(&status) < 0)
		err(TARGET_FAILED, "wait");
	return WIFEXITED(status) && WEXITSTATUS(status) == (path ? 0 : child_status);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "count", required_argument, NULL, 'c' },
		{ "exec", required_argument, NULL, 'e' },
		{ "vfork", no_argument, NULL, 'v' },
		{ "spawn", no_argument, NULL, 'p' },
		{ "parallel", required_argument, NULL, 'k' },
		{ "status", required_argument, NULL, 's' },
		{},
	};
	long count = 100, parallel = 1, alive = 0, as_told = 0;
	pid_t (*spawn)(void) = spawn_by_fork;
	struct timespec start, end;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'c')
			count = target_number(optarg, "children");
		else if (option == 'e')
			path = optarg;
		else if (option == 'v')
			spawn = spawn_by_vfork;
		else if (option == 'p')
			spawn = spawn_by_posix;
		else if (option == 'k')
			parallel = target_number(optarg, "children");
		else if (option == 's')
			child_status = target_number(optarg, "an exit status");
		else
			return TARGET_FAILED;
	}
	if (parallel < 1)
		errx(TARGET_FAILED, "--parallel 0: must be 1 or more");
	if (spawn == spawn_by_posix && !path)
		path = "/bin/true";

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (long i = 0; i < count; i++) {
		if (alive == parallel) {
			as_told += reap();
			alive--;
		}
		if (spawn() < 0)
			err(TARGET_FAILED, "child %ld of %ld", i + 1, count);
		alive++;
	}
	for (; alive; alive--)
		as_told += reap();
	clock_gettime(CLOCK_MONOTONIC, &end);

	printf("spawned %ld\nended_as_told %ld\nelapsed_us %ld\n", count, as_told,
	       (end.tv_sec - start.tv_sec) * 1000000 + (end.tv_nsec - start.tv_nsec) / 1000);
	return as_told == count ? 0 : TARGET_FAILED;
}
