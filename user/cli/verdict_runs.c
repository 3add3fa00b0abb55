/* verdict_runs.c - see verdict_runs.h. One run is open at a time, or one of each side. */
#include "cli/verdict_runs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/report_output.h"
#include "inspect/inspect.h"
#include "lib/cleanup.h"
#include "report/alloc_lines.h"
#include "report/facts.h"

static int add_path(struct verdict_runs *r, const char *path, struct problem *problem)
{
	char **grown = reallocarray(r->paths, r->n + 1, sizeof(*grown));

	if (!grown)
		return problem_set(problem, -ENOMEM, "%s", strerror(ENOMEM));
	r->paths = grown;
	if (r->n == VERDICT_RUNS_MAX)
		return problem_set(problem, -EINVAL, "%.300s: more than %u runs", path,
				   VERDICT_RUNS_MAX);
	grown[r->n] = strdup(path);
	return grown[r->n] ? (r->n++, 0) : problem_set(problem, -ENOMEM, "%s", strerror(ENOMEM));
}

static bool has_manifest(const char *path)
{
	_cleanup_free_ char *file = NULL;

	if (asprintf(&file, "%s/manifest.json", path) < 0)
		file = NULL;
	return file && !access(file, F_OK);
}

int verdict_runs_add(struct verdict_runs *r, const char *path, struct problem *problem)
{
	size_t before = r->n;
	int err = 0;

	for (unsigned i = 1; !err && !has_manifest(path); i++) {
		_cleanup_free_ char *one = NULL;

		if (asprintf(&one, "%s/run-%u", path, i) < 0)
			return -ENOMEM;
		if (access(one, F_OK))
			break;
		err = add_path(r, one, problem);
	}
	/* neither: opening it says what is wrong */
	return !err && r->n == before ? add_path(r, path, problem) : err;
}

static int open_run(const char *path, bool allocations, struct run **ret, struct problem *problem)
{
	_cleanup_free_ char *error = NULL;
	int err = run_open(path, ret, &error);

	if (err)
		return problem_set(problem, -EIO, "%s", error ? error : strerror(-err));
	return allocations ? allocations_load(*ret, problem) : 0;
}

int verdict_runs_read(struct verdict_runs *r, const struct budget *budget, struct problem *problem)
{
	bool allocations = budget_needs(budget, "allocations");
	int err = 0;

	r->width = budget->n;
	r->readings = calloc(r->n * budget->n + 1, sizeof(*r->readings));
	if (!r->readings)
		return problem_set(problem, -ENOMEM, "%s", strerror(ENOMEM));
	for (size_t i = 0; !err && i < r->n; i++) {
		struct run *run = NULL;

		err = open_run(r->paths[i], allocations, &run, problem);
		for (size_t k = 0; !err && k < budget->n; k++)
			err =
			    reading_take(run, &budget->limits[k], &r->readings[i * budget->n + k]);
		if (!err && !r->title)
			r->title = fact_command(run);
		run_free(run);
	}
	return err ? problem_set(problem, err, "read the runs: %s", strerror(-err)) : 0;
}

void verdict_runs_done(struct verdict_runs *r)
{
	for (size_t i = 0; r->readings && i < r->n * r->width; i++)
		reading_done(&r->readings[i]);
	for (size_t i = 0; i < r->n; i++)
		free(r->paths[i]);
	free(r->paths);
	free(r->readings);
	free(r->title);
	*r = (struct verdict_runs){};
}

/* A place without a line is a place, too. */
static void no_note(void *context, const char *path, const char *cause)
{
	(void)context;
	(void)path;
	(void)cause;
}

static void add_lines(struct run *run)
{
	struct allocations *allocations = NULL;
	struct profile *profile = NULL;
	struct inspect *inspect = NULL;

	if (inspect_new(inspect_self, &inspect))
		return;
	if (run->allocations &&
	    !alloc_lines_add(run->allocations, inspect, false, no_note, NULL, &allocations)) {
		allocations_free(run->allocations);
		run->allocations = allocations;
	}
	if (run->profile &&
	    !source_lines_add(run->profile, inspect, false, no_note, NULL, &profile)) {
		profile_free(run->profile);
		run->profile = profile;
	}
	inspect_free(inspect);
}

/* The run of a side that is open. */
struct open_side {
	const struct verdict_runs *runs;
	struct run *run;
	size_t number;
	bool lines;
};

static int open_side(struct open_side *s, size_t number, struct problem *problem)
{
	int err;

	if (s->run && s->number == number)
		return 0;
	run_free(s->run);
	s->run = NULL;
	s->number = number;
	err = open_run(s->runs->paths[number], true, &s->run, problem);
	if (!err && s->lines)
		add_lines(s->run);
	return err;
}

int verdict_runs_places(struct verdicts *v, const struct verdict_runs *base,
			const struct verdict_runs *now, struct problem *problem)
{
	struct open_side before = { .runs = base }, after = { .runs = now },
			 lined = { .runs = now, .lines = true };
	int err = 0;

	for (size_t i = 0; !err && i < v->n; i++) {
		struct verdict *one = &v->all[i];

		if (one->state != VERDICT_OVER && one->state != VERDICT_NEAR)
			continue;
		err = open_side(&lined, one->now.median, problem);
		if (!err && base)
			err = open_side(&after, one->now.median, problem);
		if (!err && base)
			err = open_side(&before, one->base.median, problem);
		if (!err && base)
			err = verdict_find_growth(one, before.run, after.run, lined.run);
		else if (!err)
			err = verdict_find_places(one, lined.run);
	}
	run_free(before.run);
	run_free(after.run);
	run_free(lined.run);
	return err ? problem_set(problem, err, "find the stacks: %s", strerror(-err)) : 0;
}
