/* verdict_runs.h - the runs that are judged or compared: directories → readings, places. Private to
 * cli/. */
#ifndef TASKDIAG_VERDICT_RUNS_H
#define TASKDIAG_VERDICT_RUNS_H

#include "lib/problem.h"
#include "report/verdict.h"

#define VERDICT_RUNS_MAX 1000u

struct verdict_runs {
	char **paths;
	size_t n;
	struct reading *readings; /* n rows, one reading per limit; NULL before they are read */
	size_t width;
	char *title; /* the command of the first run */
};

/** A run directory, or one that has run-1, run-2 and so on in it. -EINVAL: too many. */
int verdict_runs_add(struct verdict_runs *r, const char *path, struct problem *problem);
/** Of every run what @budget asks for. -EIO: a run could not be read. */
int verdict_runs_read(struct verdict_runs *r, const struct budget *budget, struct problem *problem);
void verdict_runs_done(struct verdict_runs *r);

/** What is over, or near it, gets its places, with the lines that debug files of this host tell;
 * @base: NULL, or the other side. */
int verdict_runs_places(struct verdicts *v, const struct verdict_runs *base,
			const struct verdict_runs *now, struct problem *problem);

#endif
