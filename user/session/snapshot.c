/* snapshot.c - see snapshot.h */
#include "session/snapshot.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspect/inspect.h"
#include "lib/clock.h"
#include "session/state.h"

/* In the child: what it touches is its own copy, but for the task's memory and the maps of the
 * kernel, which are only read. */
static int write_copy(struct session *s, struct problem *problem)
{
	struct rundir *r = NULL;
	char path[512];
	int err;

	if (snprintf(path, sizeof(path), "%s.snapshot-%u", rundir_path(s->rundir), s->snapshots) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	s->o.end_ns = clock_boot_ns();
	s->o.snapshot = true;
	session_totals(s);
	err =
	    s->o.inspect ? inspect_new(inspect_self, &s->o.inspect) : 0; /* the other is not ours */
	if (!err)
		err = rundir_new(path, &s->options.owner, &r, problem);
	if (err)
		return err;
	s->manifest = session_manifest(s);
	err = s->manifest ? session_write(s, r, NULL, problem) : -ENOMEM;
	if (err)
		rundir_free(r);
	else
		inspect_free(s->o.inspect);
	return err;
}

static void child_run(struct session *s)
{
	struct problem problem = {};
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	err = write_copy(s, &problem);
	if (err)
		fprintf(stderr, "taskdiag-bpf: snapshot %u: %s\n", s->snapshots,
			problem.text[0] ? problem.text : strerror(-err));
	_exit(err != 0);
}

void snapshot_begin(struct session *s)
{
	pid_t pid;

	if (s->snapshot_pid > 0) {
		s->snapshots_skipped++;
		return;
	}
	s->snapshots++;
	pid = fork();
	if (pid == 0)
		child_run(s);
	if (pid < 0)
		s->snapshots_skipped++;
	else
		s->snapshot_pid = pid;
}

static void ended(struct session *s, int status)
{
	s->snapshot_pid = 0;
	s->snapshots_skipped += !WIFEXITED(status) || WEXITSTATUS(status);
}

void snapshot_reap(struct session *s)
{
	int status;

	if (s->snapshot_pid > 0 && waitpid(s->snapshot_pid, &status, WNOHANG) == s->snapshot_pid)
		ended(s, status);
}

void snapshot_wait(struct session *s)
{
	int status;

	if (s->snapshot_pid > 0 && waitpid(s->snapshot_pid, &status, 0) == s->snapshot_pid)
		ended(s, status);
}
