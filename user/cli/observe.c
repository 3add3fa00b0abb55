/* observe.c - see observe.h */
#include "cli/observe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/cmd.h"
#include "cli/report_output.h"
#include "lib/cleanup.h"

/* The page is made while the run directory is: the manifest lists it. */
int observe_page(struct rundir *r, json_t *manifest, struct problem *problem)
{
	_cleanup_free_ char *error = NULL;
	struct run *run = NULL;
	FILE *file = NULL;
	int err = run_open_at(rundir_fd(r), manifest, &run, &error);

	if (err)
		return problem_set(problem, err, "make report.html: %s",
				   error ? error : strerror(-err));
	file = rundir_begin(r, "report.html", problem);
	err = file ? report_html(run, &(struct report_style){}, file) : -EIO;
	run_free(run);
	if (file && rundir_end(r, file, problem))
		return -EIO;
	return err ? problem_set(problem, err, "make report.html: %s", strerror(-err)) : 0;
}

void observed_say(const struct options *o, const struct observed *observed)
{
	struct problem ignored = {};
	struct report_style style;
	struct run *run = NULL;
	char *error = NULL;

	if (o->value[OPT_JSON]) {
		json_dumpf(observed->manifest, stdout, JSON_INDENT(2));
		puts("");
		fflush(stdout);
	}
	if (o->value[OPT_QUIET] || o->value[OPT_JSON] ||
	    report_style_for(o, stderr, &style, &ignored))
		return;
	if (!run_open(observed->path, &run, &error) && !run_load_allocations(run, &error))
		report_summary(run, &style, stderr);
	free(error);
	run_free(run);
}

static int exit_status(int status)
{
	if (status < 0)
		return 0;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int observe(const struct session_options *so, struct observed *ret, struct problem *problem)
{
	struct session *s = NULL;
	const char *path = NULL;
	int status = EXIT_OBSERVER, err = session_new(so, &s, &status, problem);

	*ret = (struct observed){ .status = EXIT_OBSERVER };
	if (err)
		return complain(problem, status);
	err = session_run(s, problem);
	if (err)
		complain(problem, 0);
	session_finish(s);
	problem->text[0] = 0;
	err = session_save(s, observe_page, &path, &ret->manifest, problem);
	ret->status = session_command_status(s);
	status = exit_status(ret->status);
	if (err)
		status = complain(problem, EXIT_OBSERVER);
	if (err && path)
		fprintf(stderr, "taskdiag-bpf: the run was saved in %s instead\n", path);
	else if (err)
		fprintf(stderr, "taskdiag-bpf: the run is lost: no other place took it\n");
	ret->path = path ? strdup(path) : NULL;
	json_incref(ret->manifest);
	session_free(s);
	return status;
}

void observed_release(struct observed *o)
{
	free(o->path);
	json_decref(o->manifest);
	*o = (struct observed){ .status = -1 };
}
