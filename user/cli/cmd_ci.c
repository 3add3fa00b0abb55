/* cmd_ci.c - run a command, once or several times, and judge it by a budget.
 *
 *	budget ──► diagnostics that it needs, less those refused here ──► runs ──► verdicts
 *
 * Each run is observed by a child of its own: a session may be had once in a process. Where no
 * diagnostic is allowed the command runs all the same, and what wait4(2) tells is judged.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "cli/ci_diagnostics.h"
#include "cli/cmd.h"
#include "cli/forward.h"
#include "cli/observe.h"
#include "cli/run_options.h"
#include "cli/verdict_output.h"
#include "cli/verdict_runs.h"
#include "cli/without_bpf.h"
#include "lib/cleanup.h"
#include "lib/clock.h"

static const enum option_id allowed[] = {
	OPT_BUDGET,	   OPT_RUNS,	     OPT_FORMAT,
	OPT_REPORT,	   OPT_MEMORY_LIMIT, OPT_DIAGNOSTICS,
	OPT_OUTPUT,	   OPT_INTERVAL,     OPT_FREQUENCY,
	OPT_CPU_ONLY,	   OPT_MAX_OVERHEAD, OPT_NATIVE_INTERNALS,
	OPT_SAMPLE_BYTES,  OPT_EXACT,	     OPT_PYTHON_ALLOCATORS,
	OPT_MEMRAY_FORMAT, OPT_NO_CHILDREN,  OPT_USER,
	OPT_RING_SIZE,	   OPT_QUIET,	     OPT_VERBOSE,
	OPT_COLOR,	   OPT_HELP,	     OPT_COUNT,
};

struct ci {
	const struct options *o;
	struct session_options so;
	struct budget *budget;
	struct ci_diagnostics diagnostics;
	unsigned count;
	char *place;		  /* of the run, or of the runs */
	char *failed;		  /* the command's own failure */
	struct verdict_runs runs; /* observed */
	struct reading *readings; /* without BPF: count rows */
	struct problem *problem;
};

static int take_count(struct ci *ci)
{
	const char *text = ci->o->value[OPT_RUNS];
	unsigned long n = 1;
	char *end = "";

	if (text)
		n = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
	if (*end || n < 1 || n > VERDICT_RUNS_MAX)
		return problem_set(ci->problem, -EINVAL, "--runs %.64s: not a number from 1 to %u",
				   text, VERDICT_RUNS_MAX);
	ci->count = n;
	return 0;
}

static int choose_place(struct ci *ci)
{
	char utc[32];
	time_t now = clock_utc_ns() / NS_PER_S;
	struct tm tm;

	if (ci->o->value[OPT_OUTPUT]) {
		ci->place = strdup(ci->o->value[OPT_OUTPUT]);
	} else {
		gmtime_r(&now, &tm);
		strftime(utc, sizeof(utc), "%Y%m%dT%H%M%SZ", &tm);
		if (asprintf(&ci->place, "taskdiag-ci-%s-%d", utc, getpid()) < 0)
			ci->place = NULL;
	}
	return ci->place ? 0 : problem_set(ci->problem, -ENOMEM, "%s", strerror(ENOMEM));
}

/* Where the runs go when there are several; the user's who called sudo. */
static int make_place(struct ci *ci)
{
	int err = 0;

	if (ci->count == 1)
		return 0;
	identity_files_begin(&ci->so.owner);
	if (mkdir(ci->place, 0750))
		err = -errno;
	identity_files_end();
	return err ? problem_set(ci->problem, err, "make %.300s: %s; choose another place with -o",
				 ci->place, strerror(-err))
		   : 0;
}

/* "the command ended with status 3 in run 2 of 5" */
static int note_failure(struct ci *ci, int status, unsigned run)
{
	char where[64] = "";

	if (ci->count > 1)
		snprintf(where, sizeof(where), " in run %u of %u", run, ci->count);
	if (status == EXIT_OBSERVER)
		return asprintf(&ci->failed, "status %d of the command or of taskdiag-bpf%s",
				status, where);
	return asprintf(&ci->failed, "the command ended with status %d%s", status, where);
}

/* Returns the status of the run. */
static int observe_once(struct ci *ci, const char *path)
{
	struct observed observed;
	int status = 0, stopped;
	pid_t pid;

	fflush(NULL);
	pid = forward_fork();
	if (pid < 0) {
		problem_set(ci->problem, -errno, "fork: %s", strerror(errno));
		return complain(ci->problem, EXIT_OBSERVER);
	}
	if (!pid) {
		ci->so.output = path;
		ci->so.process_start_ns = clock_boot_ns();
		status = observe(&ci->so, &observed, ci->problem);
		fflush(NULL);
		_exit(status);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	stopped = forward_end();
	/* an observation that was stopped ends well, but says nothing of the whole command */
	if (!status && stopped)
		return 128 + stopped;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int observe_all(struct ci *ci)
{
	int status = 0;

	if (make_place(ci))
		return complain(ci->problem, EXIT_OBSERVER);
	for (unsigned i = 1; !status && i <= ci->count; i++) {
		_cleanup_free_ char *path = NULL;

		if ((ci->count == 1 ? asprintf(&path, "%s", ci->place)
				    : asprintf(&path, "%s/run-%u", ci->place, i)) < 0)
			return EXIT_OBSERVER;
		status = observe_once(ci, path);
		if (status && note_failure(ci, status, i) < 0)
			ci->failed = NULL;
	}
	return status;
}

static int run_without_bpf(struct ci *ci)
{
	const struct identity *user = ci->so.user.uid != geteuid() ? &ci->so.user : NULL;
	size_t width = ci->budget->n;
	int status = 0;

	ci->readings = calloc(ci->count * width + 1, sizeof(*ci->readings));
	if (!ci->readings)
		return EXIT_OBSERVER;
	for (unsigned i = 0; !status && i < ci->count; i++) {
		struct problem problem = {};
		struct usage usage;

		status = without_bpf_run(ci->so.argv, user, &usage, &problem);
		if (problem.text[0])
			complain(&problem, 0);
		if (status && note_failure(ci, status, i + 1) < 0)
			ci->failed = NULL;
		for (size_t k = 0; !status && k < width; k++)
			if (reading_of_usage(&usage, &ci->budget->limits[k],
					     ci->diagnostics.missing, &ci->readings[i * width + k]))
				return EXIT_OBSERVER;
	}
	return status;
}

/* What the diagnostics that are refused here would have told; its own reason is the better one. */
static int explain_absent(struct ci *ci)
{
	for (size_t i = 0; i < ci->runs.n * ci->budget->n; i++) {
		const struct budget_limit *l = &ci->budget->limits[i % ci->budget->n];
		const struct measure_row *row = &measures[l->measure];
		const char *reason = ci_diagnostic_refused(
		    &ci->diagnostics, l->function ? row->of_function : row->of_task);

		if (!reason || !ci->runs.readings[i].why)
			continue;
		free(ci->runs.readings[i].why);
		ci->runs.readings[i].why = strdup(reason);
		if (!ci->runs.readings[i].why)
			return -ENOMEM;
	}
	return 0;
}

static int judge(struct ci *ci, struct verdicts *v)
{
	const struct reading *readings = ci->readings;
	int err = 0;

	if (!readings) {
		err = verdict_runs_add(&ci->runs, ci->place, ci->problem);
		if (!err)
			err = verdict_runs_read(&ci->runs, ci->budget, ci->problem);
		if (!err)
			err = explain_absent(ci);
		readings = ci->runs.readings;
	}
	if (!err)
		err =
		    verdicts_judge(v, ci->budget, readings, ci->readings ? ci->count : ci->runs.n);
	if (!err && !ci->readings)
		err = verdict_runs_places(v, NULL, &ci->runs, ci->problem);
	return err;
}

static int tell(struct ci *ci, int status)
{
	struct verdicts v = { .budget = ci->budget };
	int err = status ? 0 : judge(ci, &v);

	for (size_t i = 0; !err && i < ci->diagnostics.n_said; i++)
		err = verdicts_say(&v, ci->diagnostics.said[i]);
	if (!err) {
		v.title = take_ptr(ci->runs.title);
		v.failed = take_ptr(ci->failed);
		/* whatever else it was: what is not judged must not look as if it were within */
		if (status && !v.failed)
			v.failed = strdup("taskdiag-bpf itself has failed");
		err = verdict_output(ci->o, &v, stdout, ci->problem);
	}
	if (err)
		status = status ? complain(ci->problem, status)
				: (problem_set(ci->problem, err, "%s", strerror(-err)),
				   complain(ci->problem, EXIT_REPORT));
	else if (!status)
		status = verdict_exit(&v);
	verdicts_done(&v);
	return status;
}

static void ci_done(struct ci *ci)
{
	for (size_t i = 0; ci->readings && i < ci->count * ci->budget->n; i++)
		reading_done(&ci->readings[i]);
	free(ci->readings);
	verdict_runs_done(&ci->runs);
	ci_diagnostics_done(&ci->diagnostics);
	budget_free(ci->budget);
	free(ci->place);
	free(ci->failed);
}

static int prepare(struct ci *ci)
{
	const struct options *o = ci->o;
	int err = verdict_output_check(o, ci->problem);

	if (!err && !o->rest_count)
		err =
		    problem_set(ci->problem, -EINVAL,
				"ci: needs -- COMMAND; to judge a run that there is: taskdiag-bpf "
				"check");
	if (!err)
		err = take_count(ci);
	if (!err)
		err = verdict_budget(o, "ci", &ci->budget, ci->problem);
	if (!err)
		err = ci_diagnostics_choose(&ci->diagnostics, ci->budget, o->value[OPT_DIAGNOSTICS],
					    ci->problem);
	if (!err)
		err = run_options_take(o, &ci->so, ci->diagnostics.list, ci->problem);
	return err ? err : choose_place(ci);
}

int cmd_ci(int argc, char **argv)
{
	struct problem problem = {};
	struct options o;
	struct ci ci = { .o = &o, .problem = &problem };
	int err = options_parse(argc, argv, allowed, true, &o, &problem), status;

	if (!err && o.value[OPT_HELP]) {
		help_print(stdout);
		options_free(&o);
		return 0;
	}
	if (!err)
		err = prepare(&ci);
	if (err) {
		status = complain(&problem, EXIT_USAGE);
	} else {
		ci_diagnostics_refuse(&ci.diagnostics, &ci.so);
		status = ci.so.diagnostics[0] ? observe_all(&ci) : run_without_bpf(&ci);
		status = tell(&ci, status);
	}
	ci_done(&ci);
	options_free(&o);
	return status;
}
