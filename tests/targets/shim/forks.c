/* forks.c - children that have their parent's heap, and go on with it.
 *
 *	forks HOW	fork, raw, nested, threads, vfork, spawn, exec
 *
 * The parent has 100 blocks of 1,022 bytes (tagged). A child frees the first 40 and makes 10 of
 * 2,031: it ends with 60 * 1022 + 10 * 2031 live; a nested one does it again with the next 40.
 */
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static void *blocks[100];
static volatile int stop;

static int status_of(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static void live_on(int first)
{
	for (int i = first; i < first + 40; i++)
		free(blocks[i]);
	for (int i = 0; i < 10; i++)
		if (!malloc(2031))
			_exit(9);
}

static int child(const char *how)
{
	pid_t pid;

	live_on(0);
	if (strcmp(how, "nested") != 0)
		return 0;
	pid = fork();
	if (!pid) {
		live_on(40);
		_exit(0);
	}
	return status_of(pid);
}

/* Allocates and frees while others fork. */
static void *churn(void *unused)
{
	while (!stop) {
		void *p = malloc(3040);

		free(realloc(p, 4049));
	}
	return unused;
}

static int spawn(const char *how)
{
	char *argv[] = { "true", NULL };
	pid_t pid;

	if (strcmp(how, "spawn") == 0)
		return posix_spawnp(&pid, "true", NULL, NULL, argv, environ) ? 98 : status_of(pid);
	pid = vfork();
	if (!pid) {
		free(malloc(5058)); /* not allowed, and yet it is done: the parent's heap */
		execvp("true", argv);
		_exit(9);
	}
	return status_of(pid);
}

static int fork_some(const char *how, int times)
{
	int bad = 0;

	for (int i = 0; i < times; i++) {
		pid_t pid = strcmp(how, "raw") == 0 ? (pid_t)syscall(SYS_fork) : fork();

		if (!pid)
			_exit(child(how));
		bad += status_of(pid) != 0;
	}
	return bad;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "fork";
	pthread_t thread;
	int bad = 0;

	for (int i = 0; i < 100; i++)
		blocks[i] = malloc(1022);
	if (strcmp(how, "exec") == 0)
		return execl(argv[0], argv[0], "fork", NULL);
	if (strcmp(how, "threads") == 0) {
		if (pthread_create(&thread, NULL, churn, NULL))
			return 3;
		bad = fork_some(how, 20);
		stop = 1;
		pthread_join(thread, NULL);
	} else if (strcmp(how, "spawn") == 0 || strcmp(how, "vfork") == 0) {
		for (int i = 0; i < 20; i++)
			bad += spawn(how) != 0;
	} else {
		bad = fork_some(how, 3);
	}
	return bad;
}
