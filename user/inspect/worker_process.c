/* worker_process.c - see worker_process.h */
#include "inspect/worker_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspect/worker.h"
#include "lib/cleanup.h"

#define END_WAIT_MS 100
#define LAST_WAIT_MS 5000 /* for one that was killed, when there is nothing else to do */
#define NOT_EXECUTED 127

/* Both ends above standard error: in their place the worker puts /dev/null. */
static int socket_pair(int *ret_client, int *ret_worker)
{
	int pair[2], err = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	*ret_client = fcntl(pair[0], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	*ret_worker = fcntl(pair[1], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (*ret_client < 0 || *ret_worker < 0)
		err = -errno;
	close(pair[0]);
	close(pair[1]);
	return err;
}

/* In the child. Only calls that are safe between fork and exec. */
static void __attribute__((noreturn)) execute(char *const argv[], int socket)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (socket == WORKER_SOCKET ? fcntl(socket, F_SETFD, 0) < 0
				    : dup2(socket, WORKER_SOCKET) < 0)
		_exit(NOT_EXECUTED);
	if (close_range(WORKER_SOCKET + 1, ~0U, 0) < 0)
		_exit(NOT_EXECUTED);
	execv(argv[0], argv);
	_exit(NOT_EXECUTED);
}

static void note_cpu(struct worker_process *w, const struct rusage *usage)
{
	w->cpu_ns += (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000000ull +
		     (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1000ull;
}

/* true: it has ended, and is gone. */
static bool reap(struct worker_process *w, pid_t pid, int *ret_status)
{
	struct rusage usage;
	pid_t got = wait4(pid, ret_status, WNOHANG, &usage);

	if (got == pid)
		note_cpu(w, &usage);
	return got != 0;
}

static void reap_lingering(struct worker_process *w)
{
	int status;

	for (size_t i = 0; i < WORKERS_LINGERING; i++)
		if (w->lingering[i] && reap(w, w->lingering[i], &status))
			w->lingering[i] = 0;
}

int worker_process_start(struct worker_process *w, char *const argv[])
{
	_cleanup_close_ int client = -1, worker = -1;
	int err;

	reap_lingering(w);
	err = socket_pair(&client, &worker);
	if (err)
		return err;
	w->pid = fork();
	if (w->pid < 0)
		return -errno;
	if (!w->pid) {
		if (argv)
			execute(argv, worker);
		worker_main(worker);
	}
	/* its own child, not waited for: the pid is still its */
	w->pidfd = pidfd_open(w->pid, 0);
	if (w->pidfd < 0) {
		err = -errno;
		kill(w->pid, SIGKILL);
		waitpid(w->pid, NULL, 0);
		return err;
	}
	w->socket = take_fd(&client);
	w->started++;
	return 0;
}

/* On a busy machine the kernel may take its time with what was killed. */
static void wait_for_lingering(struct worker_process *w)
{
	for (int ms = 0; ms < LAST_WAIT_MS; ms++) {
		bool any = false;

		reap_lingering(w);
		for (size_t i = 0; i < WORKERS_LINGERING; i++)
			any |= w->lingering[i] != 0;
		if (!any)
			return;
		usleep(1000);
	}
}

static bool has_ended(struct worker_process *w, int *ret_status)
{
	struct pollfd p = { .fd = w->pidfd, .events = POLLIN };

	while (poll(&p, 1, END_WAIT_MS) < 0 && errno == EINTR)
		;
	return reap(w, w->pid, ret_status);
}

static void linger(struct worker_process *w)
{
	for (size_t i = 0; i < WORKERS_LINGERING; i++) {
		if (!w->lingering[i]) {
			w->lingering[i] = w->pid;
			return;
		}
	}
}

static void end(struct worker_process *w, bool at_once, char *cause)
{
	char own[WORKER_CAUSE_BYTES];
	int status = 0;
	bool ended;

	if (w->socket < 0)
		return;
	if (!cause)
		cause = own;
	snprintf(cause, WORKER_CAUSE_BYTES, "worker ended");
	close(w->socket);
	w->socket = -1;
	ended = !at_once && has_ended(w, &status);
	if (!ended) {
		pidfd_send_signal(w->pidfd, SIGKILL, NULL, 0);
		ended = has_ended(w, &status);
	}
	if (!ended)
		linger(w);
	else if (WIFSIGNALED(status))
		snprintf(cause, WORKER_CAUSE_BYTES, "worker ended by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == NOT_EXECUTED)
		snprintf(cause, WORKER_CAUSE_BYTES, "the worker could not be executed");
	else
		snprintf(cause, WORKER_CAUSE_BYTES, "worker ended with status %d",
			 WEXITSTATUS(status));
	close(w->pidfd);
}

void worker_process_end(struct worker_process *w, char cause[WORKER_CAUSE_BYTES])
{
	end(w, false, cause);
}

void worker_process_kill(struct worker_process *w)
{
	end(w, true, NULL);
}

void worker_process_free(struct worker_process *w)
{
	worker_process_kill(w);
	wait_for_lingering(w);
}
