/* png.c - memory.datum → PNG, by gnuplot when it is installed, with the recipe that the field
 * knows.
 *
 * gnuplot runs inside the run directory and reads a constant script: no name of the task, no path
 * is ever part of it. -d: it must not read a .gnuplot that lies in that directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "report/report.h"

#define CPU_LIMIT_S 60

static const char script[] = "if (strstrt(GPVAL_TERMINALS, \"pngcairo\") > 0) {\n"
			     "	set terminal pngcairo size 960,480\n"
			     "} else {\n"
			     "	set terminal png size 960,480\n"
			     "}\n"
			     "set ylabel \"Task Process Megabytes (MB)\"\n"
			     "set xlabel \"Seconds since task start\"\n"
			     "set yrange [0:*]\n"
			     "set grid\n"
			     "plot \"memory.datum\" with lines\n";

static int check_datum(const struct run *r)
{
	struct stat st;

	if (fstatat(r->dirfd, "memory.datum", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? -ENODATA : -errno;
	return !S_ISREG(st.st_mode) ? -EINVAL : st.st_size > RUN_CSV_MAX ? -EFBIG : 0;
}

/* A file, not a pipe: writing it cannot block or raise SIGPIPE, whatever gnuplot does. */
static int script_open(int *ret)
{
	_cleanup_close_ int fd = memfd_create("plot", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (write(fd, script, sizeof(script) - 1) != (ssize_t)(sizeof(script) - 1))
		return -EIO;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	*ret = take_fd(&fd);
	return 0;
}

/* In the child: only async-signal-safe calls. Tells errno through @report when gnuplot does not
 * start. */
static _Noreturn void run_gnuplot(int dirfd, int in, int out, int report)
{
	const struct rlimit cpu = { CPU_LIMIT_S, CPU_LIMIT_S };
	char *const arguments[] = { "gnuplot", "-d", NULL };
	int null, err;

	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0 || fchdir(dirfd) < 0 || setrlimit(RLIMIT_CPU, &cpu) < 0)
		goto fail;
	execvp(arguments[0], arguments);
fail:
	err = errno;
	if (write(report, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

/* Waits for @pid; @report: what the child could not do. */
static int await_gnuplot(pid_t pid, int report)
{
	int status, child_errno = 0;
	ssize_t n;

	do
		n = read(report, &child_errno, sizeof(child_errno));
	while (n < 0 && errno == EINTR);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (n == sizeof(child_errno))
		return -child_errno;
	if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL))
		return -ETIME;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

int report_png(const struct run *r, const struct report_style *style, FILE *out)
{
	_cleanup_close_ int in = -1, result = -1, report = -1;
	int err, pipes[2], fd = fileno(out);
	pid_t pid;

	(void)style;
	if (fd < 0 || fflush(out))
		return -EINVAL;
	err = check_datum(r);
	if (!err)
		err = script_open(&in);
	if (err)
		return err;
	/* all above 2: the child's dup2() must not hit one that it still needs */
	result = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (result < 0 || pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	report = pipes[0];
	pid = fork();
	if (pid == 0)
		run_gnuplot(r->dirfd, in, result, pipes[1]);
	err = pid < 0 ? -errno : 0;
	close(pipes[1]);
	return err ? err : await_gnuplot(pid, report);
}
