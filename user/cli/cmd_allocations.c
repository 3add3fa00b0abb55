/* cmd_allocations.c - the verbs of allocations: table, leaks, diff; and what tree, top and
 * flamegraph show of them. */
#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/pager.h"
#include "cli/report_output.h"
#include "lib/cleanup.h"
#include "report/alloc_facts.h"

static const enum option_id of_table[] = { OPT_OUTPUT, OPT_COLOR,     OPT_FULL,
					   OPT_LEAKS,  OPT_TEMPORARY, OPT_RESIDENT,
					   OPT_JSON,   OPT_HELP,      OPT_COUNT };
static const enum option_id of_leaks[] = { OPT_OUTPUT, OPT_COLOR, OPT_FULL, OPT_RESIDENT,
					   OPT_JSON,   OPT_HELP,  OPT_COUNT };

bool allocations_asked(const struct options *o)
{
	static const enum option_id asking[] = { OPT_ALLOCATIONS, OPT_LEAKS, OPT_TEMPORARY,
						 OPT_RESIDENT, OPT_JSON };

	for (size_t i = 0; i < sizeof(asking) / sizeof(asking[0]); i++)
		if (o->value[asking[i]])
			return true;
	return false;
}

int allocations_load(struct run *run, struct problem *problem)
{
	_cleanup_free_ char *error = NULL;
	int err = run_load_allocations(run, &error);

	return err ? problem_set(problem, -EIO, "%s", error ? error : strerror(-err)) : 0;
}

/* What the options say of the sum that is to be shown. */
static int style_of(const struct options *o, struct report_style *ret, struct problem *problem)
{
	int err = report_style_for(o, stdout, ret, problem);

	if (err)
		return err;
	if (o->value[OPT_LEAKS] && o->value[OPT_TEMPORARY])
		return problem_set(problem, -EINVAL,
				   "--leaks and --temporary: two sums; give one of them");
	ret->full = o->value[OPT_FULL];
	ret->lines = o->value[OPT_LINES] || o->value[OPT_DEBUGINFOD];
	ret->resident = o->value[OPT_RESIDENT];
	ret->kind = o->value[OPT_LEAKS]	      ? ALLOC_LEAKED
		    : o->value[OPT_TEMPORARY] ? ALLOC_TEMPORARY
					      : ALLOC_PEAK;
	return 0;
}

static int need_allocations(const struct run *run, bool resident, struct problem *problem)
{
	_cleanup_free_ char *absent = NULL;

	if (run_allocations(run, resident))
		return 0;
	absent = fact_alloc_absent(run, resident);
	return problem_set(problem, -ENODATA, "%s", absent ? absent : strerror(ENODATA));
}

static int show(const struct report_kind *kind, const struct options *o, const struct run *run,
		const struct report_style *style, struct problem *problem)
{
	const char *path = o->value[OPT_OUTPUT] ? o->value[OPT_OUTPUT] : kind->default_file;
	struct report_style in_file = *style;
	FILE *out;
	int err;

	if (path) {
		in_file.columns = 0;
		err = report_to_file(run, kind->write, &in_file, path, problem);
		if (!err && kind->default_file)
			printf("%s\n", path);
		return err;
	}
	out = pager_begin();
	err = kind->write(run, style, out);
	err = pager_end(out, err);
	return err ? problem_set(problem, err, "write the allocations: %s", strerror(-err)) : 0;
}

int allocations_show(const char *kind, const struct options *o, const struct run *run,
		     struct problem *problem)
{
	struct report_style style;
	int err = style_of(o, &style, problem);

	if (!err)
		err = need_allocations(run, style.resident, problem);
	if (err)
		return err;
	if (!strcmp(kind, "leaks"))
		style.kind = ALLOC_LEAKED;
	return show(report_find(o->value[OPT_JSON] ? "--allocations --json" : kind), o, run, &style,
		    problem);
}

static int with_allocations(int argc, char **argv, const enum option_id *allowed)
{
	struct problem problem = {};
	struct run *run = NULL;
	struct options o;
	int err = report_open(argc, argv, allowed, &o, &run, &problem);

	if (!err && run)
		err = allocations_load(run, &problem);
	if (!err && run)
		err = allocations_show(argv[0], &o, run, &problem);
	else if (!err)
		help_print(stdout);
	run_free(run);
	options_free(&o);
	return err ? complain(&problem, err == -EINVAL ? EXIT_USAGE : EXIT_REPORT) : 0;
}

int cmd_table(int argc, char **argv)
{
	return with_allocations(argc, argv, of_table);
}

int cmd_leaks(int argc, char **argv)
{
	return with_allocations(argc, argv, of_leaks);
}

static int open_both(const struct options *o, struct run **runs, bool resident,
		     struct problem *problem)
{
	for (int i = 0; i < 2; i++) {
		_cleanup_free_ char *error = NULL;
		int err = run_open(o->rest[i], &runs[i], &error);

		if (err)
			return problem_set(problem, -EIO, "%s", error ? error : strerror(-err));
		err = allocations_load(runs[i], problem);
		if (!err)
			err = need_allocations(runs[i], resident, problem);
		if (err)
			return err;
	}
	if (allocations_facts(run_allocations(runs[0], resident))->resident !=
	    allocations_facts(run_allocations(runs[1], resident))->resident)
		return problem_set(problem, -ENODATA,
				   "diff: one run has the heap, the other resident pages: they do "
				   "not compare; --resident compares pages where both have them");
	return 0;
}

static int show_diff(const struct options *o, const struct report_style *style,
		     struct run *const *runs, struct problem *problem)
{
	FILE *out = o->value[OPT_OUTPUT] ? fopen(o->value[OPT_OUTPUT], "we") : stdout;
	int err;

	if (!out)
		return problem_set(problem, -errno,
				   "write %.300s: %s; choose another place with -o",
				   o->value[OPT_OUTPUT], strerror(errno));
	err = report_alloc_diff(runs[0], runs[1], style, o->value[OPT_JSON], out);
	if (out != stdout && fclose(out) && !err)
		err = -errno;
	return err ? problem_set(problem, err, "write the difference: %s", strerror(-err)) : 0;
}

int cmd_diff(int argc, char **argv)
{
	struct run *runs[2] = {};
	struct problem problem = {};
	struct report_style style;
	struct options o;
	int err = options_parse(argc, argv, of_table, false, &o, &problem);

	if (!err && o.value[OPT_HELP]) {
		help_print(stdout);
		options_free(&o);
		return 0;
	}
	if (!err && o.rest_count != 2)
		err = problem_set(&problem, -EINVAL,
				  "diff: needs two run directories, the earlier one first; see: "
				  "taskdiag-bpf --help");
	if (!err)
		err = style_of(&o, &style, &problem);
	if (!err)
		err = open_both(&o, runs, style.resident, &problem);
	if (!err)
		err = show_diff(&o, &style, runs, &problem);
	run_free(runs[0]);
	run_free(runs[1]);
	options_free(&o);
	return err ? complain(&problem, err == -EINVAL ? EXIT_USAGE : EXIT_REPORT) : 0;
}
