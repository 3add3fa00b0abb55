/* without_bpf.c - see without_bpf.h
 *
 *	fork ──► exec ──► zombie: did it reap children? ──► wait4: its usage
 *
 * The kernel sums times and faults over all children that were waited for; of the RSS it keeps the
 * largest of all of them. That is the task's only when there was one process: no faults of children
 * in /proc/PID/stat, and no orphan that came to us.
 */
#include "cli/without_bpf.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/forward.h"
#include "lib/cleanup.h"
#include "lib/clock.h"

#define KIB 1024.0
#define NOT_EXECUTABLE 126
#define NOT_FOUND 127

static void child(char *const argv[], const struct identity *user, int report)
{
	int err = user ? identity_become(user) : 0;

	if (!err) {
		execvp(argv[0], argv);
		err = -errno;
	}
	/* the pipe closes itself when exec succeeds */
	if (write(report, &err, sizeof(err)) < 0)
		_exit(NOT_FOUND);
	_exit(err == -ENOENT ? NOT_FOUND : NOT_EXECUTABLE);
}

/* Minor faults of the children that it has waited for; no process lives without one. */
static bool reaped_children(pid_t pid)
{
	_cleanup_fclose_ FILE *file = NULL;
	unsigned long long faults = 0;
	char path[32], line[512], *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		return true; /* not known: the careful answer */
	end = strrchr(line, ')');
	/* after the name: state, five ids, flags, minflt, cminflt */
	if (!end || sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %llu", &faults) != 1)
		return true;
	return faults > 0;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* What a child begins with. Not known: what it never is. */
static double own_rss(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/statm", "re");
	double pages;

	if (!file || fscanf(file, "%*s %lf", &pages) != 1)
		return INFINITY;
	return pages * (double)sysconf(_SC_PAGESIZE);
}

static void fill(struct usage *ret, const struct rusage *used)
{
	ret->cpu_s = seconds(used->ru_utime) + seconds(used->ru_stime);
	ret->minor_faults = (double)used->ru_minflt;
	ret->major_faults = (double)used->ru_majflt;
	ret->largest_rss_bytes = (double)used->ru_maxrss * KIB;
}

/* Orphans of the command are ours, as we are a subreaper. */
static bool has_orphans(void)
{
	siginfo_t info = {};

	return !waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
}

int without_bpf_run(char *const argv[], const struct identity *user, struct usage *ret,
		    struct problem *problem)
{
	uint64_t start = clock_boot_ns();
	struct rusage used = {};
	int report[2], err = 0, status = 0;
	siginfo_t info;
	pid_t pid;

	*ret = (struct usage){ .own_rss_bytes = own_rss() };
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (pipe2(report, O_CLOEXEC))
		return problem_set(problem, NOT_EXECUTABLE, "pipe: %s", strerror(errno));
	fflush(NULL);
	pid = forward_fork();
	if (!pid)
		child(argv, user, report[1]);
	close(report[1]);
	if (pid < 0) {
		close(report[0]);
		return problem_set(problem, NOT_EXECUTABLE, "fork: %s", strerror(errno));
	}
	if (read(report[0], &err, sizeof(err)) == sizeof(err))
		problem_set(problem, 0, "%.200s: %s", argv[0], strerror(-err));
	close(report[0]);
	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) && errno == EINTR)
		;
	ret->wall_s = (double)(clock_boot_ns() - start) / 1e9;
	ret->alone = !reaped_children(pid);
	while (wait4(pid, &status, 0, &used) < 0 && errno == EINTR)
		;
	forward_end();
	ret->alone &= !has_orphans();
	fill(ret, &used);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
