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

#endif
