/* cmd_diff.c - what grew from one run, or one group of runs, to another; with rules, whether that
 * is too much. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/report_output.h"
#include "cli/verdict_output.h"
#include "cli/verdict_runs.h"
#include "lib/cleanup.h"

static const enum option_id allowed[] = { OPT_FAIL_ON,	OPT_FORMAT, OPT_REPORT, OPT_OUTPUT,
					  OPT_COLOR,	OPT_FULL,   OPT_LEAKS,	OPT_TEMPORARY,
					  OPT_RESIDENT, OPT_JSON,   OPT_HELP,	OPT_COUNT };

enum { BASE, HEAD, SIDES };

struct diff {
	const struct options *o;
	struct report_style style;
	struct verdict_runs sides[SIDES];
	struct budget *rules; /* NULL: nothing is judged */
	struct verdicts verdicts;
	struct problem *problem;
};

static int take_rules(struct diff *d)
{
	const struct options *o = d->o;
	bool several = d->sides[BASE].n > 1 || d->sides[HEAD].n > 1;
	int err = 0;

	for (size_t i = 0; !err && i < o->given_count; i++) {
		_cleanup_free_ char *error = NULL;

		if (o->given[i].id == OPT_FAIL_ON &&
		    budget_add_rule(&d->rules, o->given[i].value, &error))
			err = problem_set(d->problem, -EINVAL, "%s",
					  error ? error : strerror(ENOMEM));
	}
	if (!err && (d->rules || several || o->value[OPT_FORMAT] || o->value[OPT_REPORT]))
		err = budget_add_told(&d->rules);
	return err;
}

/* "before … after" */
static char *title_of(const struct diff *d)
{
	char *text = NULL;

	if (asprintf(&text, "%s → %s", d->o->rest[BASE], d->o->rest[HEAD]) < 0)
		return NULL;
	return text;
}

static int judge(struct diff *d)
{
	struct verdict_runs *base = &d->sides[BASE], *head = &d->sides[HEAD];
	int err = verdict_runs_read(base, d->rules, d->problem);

	if (!err)
		err = verdict_runs_read(head, d->rules, d->problem);
	if (!err)
		err = verdicts_compare(&d->verdicts, d->rules, base->readings, base->n,
				       head->readings, head->n);
	if (!err)
		err = verdict_runs_places(&d->verdicts, base, head, d->problem);
	if (!err)
		d->verdicts.title = title_of(d);
	if (!err && base->n == 1 && head->n == 1)
		err = verdicts_say(&d->verdicts,
				   "one run a side: how much runs differ by themselves is not "
				   "known; see: ci --runs");
	return err;
}

/* The run of a side whose allocations are shown: the median by the heap's peak. */
static const char *shown(const struct diff *d, int side)
{
	size_t number = 0;

	for (size_t i = 0; i < d->verdicts.n; i++)
		if (d->verdicts.all[i].limit->measure == MEASURE_HEAP_PEAK)
			number = side == BASE ? d->verdicts.all[i].base.median
					      : d->verdicts.all[i].now.median;
	return d->sides[side].paths[number];
}

static int open_both(const struct diff *d, struct run **runs)
{
	for (int i = 0; i < SIDES; i++) {
		_cleanup_free_ char *error = NULL;
		int err = run_open(shown(d, i), &runs[i], &error);

		if (err)
			return problem_set(d->problem, -EIO, "%s", error ? error : strerror(-err));
		err = allocations_load(runs[i], d->problem);
		if (err)
			return err;
	}
	return 0;
}

static int need_both(const struct diff *d, struct run *const *runs)
{
	bool resident = d->style.resident;

	for (int i = 0; i < SIDES; i++) {
		int err = allocations_need(runs[i], resident, d->problem);

		if (err)
			return err;
	}
	if (allocations_facts(run_allocations(runs[BASE], resident))->resident !=
	    allocations_facts(run_allocations(runs[HEAD], resident))->resident)
		return problem_set(d->problem, -ENODATA,
				   "diff: one run has the heap, the other resident pages: they do "
				   "not compare; --resident compares pages where both have them");
	return 0;
}

static int show_allocations(const struct diff *d, struct run *const *runs)
{
	const char *path = d->o->value[OPT_OUTPUT];
	FILE *out = path ? fopen(path, "we") : stdout;
	int err;

	if (!out)
		return problem_set(d->problem, -errno,
				   "write %.300s: %s; choose another place with -o", path,
				   strerror(errno));
	err = report_alloc_diff(runs[BASE], runs[HEAD], &d->style, d->o->value[OPT_JSON], out);
	if (out != stdout && fclose(out) && !err)
		err = -errno;
	return err ? problem_set(d->problem, err, "write the difference: %s", strerror(-err)) : 0;
}

static bool both_have(const struct diff *d, struct run *const *runs)
{
	return run_allocations(runs[BASE], d->style.resident) &&
	       run_allocations(runs[HEAD], d->style.resident);
}

/* The tables, unless the verdicts are what was asked for; with rules runs may have no allocations.
 */
static int show_tables(const struct diff *d)
{
	const struct options *o = d->o;
	bool asked = !d->rules || o->value[OPT_JSON] || o->value[OPT_OUTPUT];
	struct run *runs[SIDES] = {};
	int err;

	if (!asked && o->value[OPT_FORMAT] && strcmp(o->value[OPT_FORMAT], "text"))
		return 0;
	err = open_both(d, runs);
	if (!err && (asked || both_have(d, runs))) {
		err = need_both(d, runs);
		if (!err)
			err = show_allocations(d, runs);
		if (!err && d->rules && !o->value[OPT_JSON])
			puts("");
	}
	run_free(runs[BASE]);
	run_free(runs[HEAD]);
	return err;
}

static int diff(struct diff *d, int *ret_status)
{
	int err = 0;

	for (int i = 0; !err && i < SIDES; i++)
		err = verdict_runs_add(&d->sides[i], d->o->rest[i], d->problem);
	if (!err)
		err = take_rules(d);
	if (!err && d->rules)
		err = judge(d);
	if (!err)
		err = show_tables(d);
	/* with --json standard output is one document, as it always was */
	if (!err && d->rules)
		err = verdict_output(d->o, &d->verdicts, d->o->value[OPT_JSON] ? stderr : stdout,
				     d->problem);
	if (!err && d->rules)
		*ret_status = verdict_exit(&d->verdicts);
	return err;
}

int cmd_diff(int argc, char **argv)
{
	struct problem problem = {};
	struct options o;
	struct diff d = { .o = &o, .problem = &problem };
	int status = 0, err = options_parse(argc, argv, allowed, false, &o, &problem);

	if (!err && o.value[OPT_HELP]) {
		help_print(stdout);
		options_free(&o);
		return 0;
	}
	if (!err && o.rest_count != SIDES)
		err = problem_set(&problem, -EINVAL,
				  "diff: needs two run directories, the earlier one first; see: "
				  "taskdiag-bpf --help");
	if (!err)
		err = verdict_output_check(&o, &problem);
	if (!err)
		err = allocations_style(&o, &d.style, &problem);
	if (!err)
		err = diff(&d, &status);
	verdicts_done(&d.verdicts);
	verdict_runs_done(&d.sides[BASE]);
	verdict_runs_done(&d.sides[HEAD]);
	budget_free(d.rules);
	options_free(&o);
	return err ? complain(&problem, err == -EINVAL ? EXIT_USAGE : EXIT_REPORT) : status;
}
