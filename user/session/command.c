/* command.c - see command.h */
#include "session/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session/shim.h"

struct command {
	const char *name;
	pid_t pid;
	int gate;    /* closing it ends the child, a byte lets it go */
	int failure; /* the child writes errno here; closed by exec */
	int status;
	int reaped;
	bool will_hold; /* by ptrace, right after its exec */
	bool held;
};

static void child_run(char *const argv[], const struct identity *user, const sigset_t *mask,
		      const struct shim *shim, int gate, int failure)
{
	char go;
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* until the gate opens: it has executed nothing yet */
	if (read(gate, &go, 1) != 1)
		_exit(0);
	prctl(PR_SET_PDEATHSIG, 0);
	sigprocmask(SIG_SETMASK, mask, NULL);
	err = identity_become(user);
	if (!err && shim)
		err = shim_environment(shim);
	if (!err) {
		execvp(argv[0], argv);
		err = -errno;
	}
	if (write(failure, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

int command_new(char *const argv[], const struct identity *user, const sigset_t *mask, bool hold,
		const struct shim *shim, struct command **ret, struct problem *problem)
{
	int gate[2] = { -1, -1 }, failure[2] = { -1, -1 };
	struct command *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	*c = (struct command){ .name = argv[0], .gate = -1, .failure = -1, .pid = -1 };
	if (!pipe2(gate, O_CLOEXEC) && !pipe2(failure, O_CLOEXEC))
		c->pid = fork();
	if (c->pid == 0) {
		close(gate[1]);
		child_run(argv, user, mask, shim, gate[0], failure[1]);
	}
	c->gate = gate[1];
	c->failure = failure[0];
	if (gate[0] >= 0)
		close(gate[0]);
	if (failure[1] >= 0)
		close(failure[1]);
	if (c->pid < 0) {
		int err = -errno;

		command_free(c);
		return problem_set(problem, err, "start %.200s: %s", argv[0], strerror(-err));
	}
	/* without: its first moments are not unwound, and the profile says so */
	c->will_hold = hold && !ptrace(PTRACE_SEIZE, c->pid, NULL, PTRACE_O_TRACEEXEC);
	*ret = c;
	return 0;
}

bool command_will_hold(const struct command *c)
{
	return c->will_hold;
}

void command_free(struct command *c)
{
	if (!c)
		return;
	if (c->gate >= 0 && c->pid > 0) { /* never let go */
		close(c->gate);
		waitpid(c->pid, NULL, 0);
	}
	if (c->failure >= 0)
		close(c->failure);
	free(c);
}

pid_t command_pid(const struct command *c)
{
	return c->pid;
}

/* Up to its stop after exec; other stops on the way are signals, which it gets. */
static void wait_held(struct command *c)
{
	int status;

	while (waitpid(c->pid, &status, __WALL) == c->pid) {
		if (!WIFSTOPPED(status)) { /* killed meanwhile */
			c->status = status;
			c->reaped = 1;
			return;
		}
		if (status >> 16 == PTRACE_EVENT_EXEC) {
			c->held = true;
			return;
		}
		ptrace(PTRACE_CONT, c->pid, NULL, status >> 16 ? 0 : WSTOPSIG(status));
	}
}

void command_continue(struct command *c)
{
	if (c->held)
		ptrace(PTRACE_DETACH, c->pid, NULL, NULL);
	c->held = false;
}

int command_release(struct command *c, int *ret_exit, struct problem *problem)
{
	int err = 0;
	ssize_t n;

	if (write(c->gate, "", 1) != 1)
		return problem_set(problem, -errno, "start %.200s: %s", c->name, strerror(errno));
	close(c->gate);
	c->gate = -1;
	do /* end of file: exec has closed the other end */
		n = read(c->failure, &err, sizeof(err));
	while (n < 0 && errno == EINTR);
	if (n != sizeof(err)) {
		if (c->will_hold)
			wait_held(c);
		return 0;
	}
	*ret_exit = err == -ENOENT ? 127 : 126;
	waitpid(c->pid, NULL, 0);
	c->reaped = 1;
	return problem_set(problem, err,
			   "%.200s: %s; is it in PATH, and executable for the user who runs it?",
			   c->name, strerror(-err));
}

int command_reap(struct command *c, int *ret_status)
{
	if (!c->reaped) {
		pid_t pid = waitpid(c->pid, &c->status, WNOHANG);

		if (pid == 0)
			return -EAGAIN;
		c->reaped = 1;
	}
	*ret_status = c->status;
	return 0;
}
