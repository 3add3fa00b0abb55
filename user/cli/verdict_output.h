/* verdict_output.h - what ci, check and diff share: the budget file, where verdicts go, the exit
 * status. Private to cli/. */
#ifndef TASKDIAG_VERDICT_OUTPUT_H
#define TASKDIAG_VERDICT_OUTPUT_H

#include "cli/options.h"
#include "report/verdict.h"

/** Checks --format and every --report. -EINVAL with a problem. */
int verdict_output_check(const struct options *o, struct problem *problem);

/** --budget; -EINVAL with a problem that names file and line. */
int verdict_budget(const struct options *o, const char *verb, struct budget **ret,
		   struct problem *problem);

/**
 * By --format to @out, by every --report to its file; and to the summary of a GitHub job where one
 * of them is github. All are tried. 0; -EIO with a problem.
 */
int verdict_output(const struct options *o, const struct verdicts *v, FILE *out,
		   struct problem *problem);

int verdict_exit(const struct verdicts *v);

#endif
