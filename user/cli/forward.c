/* forward.c - see forward.h */
#include "cli/forward.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static const int ends[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP };
#define ENDS (sizeof(ends) / sizeof(ends[0]))

static struct sigaction before[ENDS];
static volatile pid_t to;
static volatile sig_atomic_t came;

static void pass_on(int number)
{
	int saved = errno;

	came = number;
	/* the terminal has told the child as well */
	if (number != SIGINT && number != SIGQUIT && to > 0)
		kill(to, number);
	errno = saved;
}

pid_t forward_fork(void)
{
	struct sigaction passing = { .sa_handler = pass_on };
	sigset_t set, mask;
	pid_t pid;

	sigemptyset(&set);
	for (size_t i = 0; i < ENDS; i++)
		sigaddset(&set, ends[i]);
	/* none of them comes before the child's number is known */
	sigprocmask(SIG_BLOCK, &set, &mask);
	came = 0;
	pid = fork();
	if (pid > 0) {
		to = pid;
		for (size_t i = 0; i < ENDS; i++)
			sigaction(ends[i], &passing, &before[i]);
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return pid;
}

int forward_end(void)
{
	to = 0;
	for (size_t i = 0; i < ENDS; i++)
		sigaction(ends[i], &before[i], NULL);
	return came;
}
