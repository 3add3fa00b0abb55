/* cmd_check.c - judge runs that there are by a budget. */
#include <errno.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/verdict_output.h"
#include "cli/verdict_runs.h"
#include "lib/cleanup.h"

static const enum option_id allowed[] = { OPT_BUDGET, OPT_FORMAT, OPT_REPORT, OPT_HELP, OPT_COUNT };

static int check(const struct options *o, struct verdict_runs *runs, const struct budget *budget,
		 int *ret_status, struct problem *problem)
{
	struct verdicts v = {};
	int err = verdict_runs_read(runs, budget, problem);

	if (!err)
		err = verdicts_judge(&v, budget, runs->readings, runs->n);
	if (!err)
		v.title = take_ptr(runs->title);
	if (!err)
		err = verdict_runs_places(&v, NULL, runs, problem);
	if (!err)
		err = verdict_output(o, &v, stdout, problem);
	*ret_status = err ? EXIT_REPORT : verdict_exit(&v);
	verdicts_done(&v);
	return err ? problem_set(problem, -EIO, "%s", strerror(-err)) : 0;
}

int cmd_check(int argc, char **argv)
{
	struct verdict_runs runs = {};
	struct budget *budget = NULL;
	struct problem problem = {};
	struct options o;
	int status = 0, err = options_parse(argc, argv, allowed, false, &o, &problem);

	if (!err && o.value[OPT_HELP]) {
		help_print(stdout);
		options_free(&o);
		return 0;
	}
	if (!err && !o.rest_count)
		err = problem_set(&problem, -EINVAL,
				  "check: needs a run directory, or several of one command; see: "
				  "taskdiag-bpf --help");
	if (!err)
		err = verdict_output_check(&o, &problem);
	if (!err)
		err = verdict_budget(&o, "check", &budget, &problem);
	for (int i = 0; !err && i < o.rest_count; i++)
		err = verdict_runs_add(&runs, o.rest[i], &problem);
	if (!err)
		err = check(&o, &runs, budget, &status, &problem);
	verdict_runs_done(&runs);
	budget_free(budget);
	options_free(&o);
	return err ? complain(&problem, err == -EINVAL ? EXIT_USAGE : EXIT_REPORT) : status;
}
