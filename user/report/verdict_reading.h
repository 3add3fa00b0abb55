/* verdict_reading.h - what a run says of one limit: a number and how sure it is, or why there is
 * none.
 *
 *	run + limit ──► low ≤ truth ≤ high
 *
 * Exact numbers have low = high. A sampled one has its 95 % interval; where something may be
 *missing high is INFINITY. Strings of a run are hostile, and raw here. Pure.
 */
#ifndef TASKDIAG_REPORT_VERDICT_READING_H
#define TASKDIAG_REPORT_VERDICT_READING_H

#include "report/budget.h"
#include "report/run.h"

struct reading {
	double value, low, high; /* in the unit of the measure */
	char *why;		 /* it is not measurable; NULL: it is */
	char *note;		 /* what else is to be known; NULL: nothing */
};

/** Allocations have been loaded, when the limit needs them. -ENOMEM. */
int reading_take(const struct run *r, const struct budget_limit *l, struct reading *ret);
void reading_done(struct reading *r);

/* What wait4(2) tells of a command that ran without BPF. */
struct usage {
	double wall_s, cpu_s, minor_faults, major_faults;
	double largest_rss_bytes; /* of its largest process */
	double own_rss_bytes;	  /* ours, which a process begins with: less cannot be told */
	bool alone;		  /* it started no other process */
};

/** @missing: why there is no BPF. -ENOMEM. */
int reading_of_usage(const struct usage *u, const struct budget_limit *l, const char *missing,
		     struct reading *ret);

/** Whether the frame's name is that of @function: the same, up to a list of parameters. */
bool reading_names_function(const char *name, const char *function);

/** Per stack of @p: whether @function is in it; NULL without memory. */
bool *reading_stacks_with(const struct profile *p, const char *function);

#endif
