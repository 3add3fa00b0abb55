/* report_output.h - what the verbs that show a run have in common: style of a terminal, whole
 * files. Private to cli/. */
#ifndef TASKDIAG_REPORT_OUTPUT_H
#define TASKDIAG_REPORT_OUTPUT_H

#include "cli/options.h"
#include "lib/problem.h"
#include "report/report.h"

int report_style_for(const struct options *o, FILE *stream, struct report_style *ret,
		     struct problem *problem);
int report_to_file(const struct run *run, report_write_fn *write, const struct report_style *style,
		   const char *path, struct problem *problem);

/** Reads the one run that is named. *ret stays NULL after --help. */
int report_open(int argc, char **argv, const enum option_id *allowed, struct options *o,
		struct run **ret, struct problem *problem);

/** Reads the allocations of @run, if any. -EIO with a problem. */
int allocations_load(struct run *run, struct problem *problem);
/** What the options say of the sum that is to be shown. -EINVAL. */
int allocations_style(const struct options *o, struct report_style *ret, struct problem *problem);
/** -ENODATA with a problem when @run has none. */
int allocations_need(const struct run *run, bool resident, struct problem *problem);
/** Whether an option asks for them. */
bool allocations_asked(const struct options *o);
/** Shows them; @kind: a name of report_kinds. */
int allocations_show(const char *kind, const struct options *o, const struct run *run,
		     struct problem *problem);

#endif
