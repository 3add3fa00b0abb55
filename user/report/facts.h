/* facts.h - what every report says about a run, in the same words: how it ended, its peak, what was
 * lost.
 *
 * Returned strings are new, to be freed, NULL without memory, and raw: names of the task in them
 * are still hostile, escape them for where they go (lib/escape.h).
 */
#ifndef TASKDIAG_REPORT_FACTS_H
#define TASKDIAG_REPORT_FACTS_H

#include "report/run.h"

#define FACT_MB 1048576.0 /* as in memory.datum */

/* A formatted number; lives as long as the expression that called: printf("%s", fact_mb(x).s). */
struct fact_text {
	char s[48];
};

struct fact_text fact_mb(double bytes);	     /* "512.3 MB"; "not measured" when NaN */
struct fact_text fact_count(double n);	     /* "12,345" */
struct fact_text fact_seconds(double s);     /* "0.012 s", "12.34 s", "3 h 25 min" */
struct fact_text fact_percent(double ratio); /* "61.2 %" */

/** The peak that the manifest tells, else the highest of the rows. -ENODATA when there is none. */
int fact_peak(const struct run *r, double *ret_bytes, double *ret_time_s);

/** Length of the observation; at least up to the last row. */
double fact_duration(const struct run *r);

/** The task's arguments, quoted as a shell would need them; the task id when there are none. */
char *fact_command(const struct run *r);

/** "exited with status 0", from end, exit_status and signal of @object (task, or one of
 * processes[]). */
char *fact_end(const json_t *object);

enum fact_verdict { FACT_COMPLETE, FACT_LOSSES, FACT_UNKNOWN };

/** What the ledger proves: "complete: 12,345 records, none lost". */
char *fact_ledger(const struct run *r, enum fact_verdict *ret);

/** limits[], gaps, nonzero notes and a status that is not ok, of every diagnostic: a new array of
 * raw strings; NULL without memory. */
json_t *fact_conditions(const struct run *r);

/** What the observation itself cost. */
char *fact_observer(const struct run *r);

#endif
