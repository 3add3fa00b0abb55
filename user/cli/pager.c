/* pager.c - see pager.h */
#include "cli/pager.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t pager = -1;

static const char *wanted(void)
{
	const char *named = getenv("PAGER");

	if (!isatty(STDOUT_FILENO) || (getenv("TERM") && !strcmp(getenv("TERM"), "dumb")))
		return NULL;
	if (!named || (geteuid() == 0 && getenv("SUDO_UID")))
		return access("/usr/bin/less", X_OK) ? NULL : "/usr/bin/less";
	return *named && strcmp(named, "cat") ? named : NULL;
}

static void child_run(const char *command, int input)
{
	dup2(input, STDIN_FILENO);
	setenv("LESS", "FRSX", 0); /* one screen: no pager; colours; long lines are cut */
	if (geteuid() == 0)
		setenv("LESSSECURE", "1", 1);
	execl("/bin/sh", "sh", "-c", command, NULL);
	_exit(127);
}

FILE *pager_begin(void)
{
	const char *command = wanted();
	int ends[2];
	FILE *out;

	if (!command || pipe(ends))
		return stdout;
	fflush(stdout);
	pager = fork();
	if (pager == 0) {
		close(ends[1]);
		child_run(command, ends[0]);
	}
	close(ends[0]);
	out = pager < 0 ? NULL : fdopen(ends[1], "w");
	if (!out) {
		close(ends[1]);
		return stdout;
	}
	signal(SIGPIPE, SIG_IGN); /* the user has seen enough */
	signal(SIGINT, SIG_IGN);  /* is the pager's */
	return out;
}

int pager_end(FILE *out, int err)
{
	if (out == stdout)
		return err;
	fclose(out);
	waitpid(pager, NULL, 0);
	signal(SIGINT, SIG_DFL);
	return err == -EIO ? 0 : err;
}
