/* cmd_allocations.c - the verbs of allocations: table, leaks; and what tree, top and flamegraph
 * show of them. */
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

int allocations_style(const struct options *o, struct report_style *ret, struct problem *problem)
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

int allocations_need(const struct run *run, bool resident, struct problem *problem)
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
	int err = allocations_style(o, &style, problem);

	if (!err)
		err = allocations_need(run, style.resident, problem);
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
