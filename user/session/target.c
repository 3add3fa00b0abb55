/* target.c - see target.h */
#include "session/target.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define PF_KTHREAD 0x200000 /* include/linux/sched.h; field 9 of /proc/PID/stat */

static int read_proc(pid_t pid, const char *file, char *text, size_t size)
{
	_cleanup_close_ int fd = -1;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, size - 1);
	if (n < 0)
		return -errno;
	text[n] = 0;
	return 0;
}

/* proc(5): "pid (comm) state ppid pgrp session tty tpgid flags …"; comm may hold ')' and spaces, so
 * the last ')' counts. */
static int parse_stat(const char *text, char name[16], char *ret_state, unsigned long *ret_flags,
		      long *ret_threads)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	size_t length;

	if (!open || !close || close < open)
		return -EBADMSG;
	length = close - open - 1;
	snprintf(name, 16, "%.*s", (int)(length < 15 ? length : 15), open + 1);
	if (sscanf(close + 1,
		   " %c %*d %*d %*d %*d %*d %lu %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld",
		   ret_state, ret_flags, ret_threads) != 3)
		return -EBADMSG;
	return 0;
}

static long status_field(pid_t pid, const char *field)
{
	char text[4096];
	const char *at;

	if (read_proc(pid, "status", text, sizeof(text)))
		return -1;
	at = strstr(text, field);
	return at ? strtol(at + strlen(field), NULL, 10) : -1;
}

pid_t target_tracer(pid_t pid)
{
	long tracer = status_field(pid, "\nTracerPid:");

	return tracer > 0 ? tracer : 0;
}

static int check(pid_t pid, char name[16], struct problem *problem)
{
	unsigned long flags;
	char text[1024], state;
	long threads;
	int err = read_proc(pid, "stat", text, sizeof(text));

	if (!err)
		err = parse_stat(text, name, &state, &flags, &threads);
	if (err == -ENOENT || err == -ESRCH)
		return problem_set(problem, -ESRCH,
				   "pid %d: no such process (it may have ended); start it with: "
				   "taskdiag-bpf -- COMMAND",
				   pid);
	if (err)
		return problem_set(problem, err, "pid %d: /proc/%d/stat: %s; is /proc mounted?",
				   pid, pid, strerror(-err));
	if (flags & PF_KTHREAD)
		return problem_set(
		    problem, -EINVAL,
		    "pid %d: a kernel thread: it has no memory of its own; name a user process",
		    pid);
	if (state == 'Z' && threads <= 1)
		return problem_set(problem, -ESRCH,
				   "pid %d: has ended already (a zombie that its parent has not "
				   "reaped); start it with: taskdiag-bpf -- COMMAND",
				   pid);
	return 0;
}

int target_open(pid_t pid, int *ret_pidfd, char ret_name[16], struct problem *problem)
{
	_cleanup_close_ int fd = syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ended = { .fd = fd, .events = POLLIN };
	long tgid;
	int err;

	if (fd < 0 && (errno == EINVAL || errno == ENOENT)) { /* ENOENT since 6.15 */
		tgid = status_field(pid, "\nTgid:");
		return problem_set(problem, -EINVAL,
				   "pid %d: a thread, not a process; name its process: --pid %ld",
				   pid, tgid);
	}
	if (fd < 0 && errno != ESRCH)
		return problem_set(problem, -errno, "pid %d: pidfd_open: %s; needs Linux 5.3", pid,
				   strerror(errno));
	err = check(pid, ret_name, problem);
	/* what /proc told is of our process only if that lives on: else the pid may be another's by
	 * now */
	if (!err && (fd < 0 || poll(&ended, 1, 0) != 0))
		err = problem_set(problem, -ESRCH,
				  "pid %d: no such process (it may have ended); start it with: "
				  "taskdiag-bpf -- COMMAND",
				  pid);
	if (err)
		return err;
	*ret_pidfd = take_fd(&fd);
	return 0;
}
