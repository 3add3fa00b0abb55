/* findings.h - what stands out in a run: at most five sentences, each computed from the run
 * directory, each with its evidence and how sure it is; none when nothing stands out.
 *
 *	struct run ──► kinds (findings.c) ──► the weightiest five ──► summary, page
 *
 * A kind is one file findings_KIND.c and one row of the table there; all that it compares with
 * stands in findings_limits.c. Pure, but for massif.out, which is read from the run directory.
 */
#ifndef TASKDIAG_REPORT_FINDINGS_H
#define TASKDIAG_REPORT_FINDINGS_H

#include <stdio.h>

#include "report/run.h"

#define FINDINGS_MAX 5

/* Strings of the heap are raw: names of the task in them are hostile. */
struct finding {
	const char *kind;    /* "oom", "growth", "lost", "burst", "cache", "retained" */
	const char *tab;     /* where the evidence is: "memory", "profile", "allocations" */
	bool sure;	     /* confidence: high, else medium */
	double from_s, to_s; /* NaN: no part of the run in particular */
	double weight;
	char *sentence; /* what, with numbers and units */
	char *evidence; /* where to look */
	char *why;	/* why the confidence is what it is; what would make it certain */
};

struct findings {
	struct finding all[FINDINGS_MAX]; /* weightiest first */
	size_t n;
};

/** What run_load_allocations() has not read is not looked at. 0, -ENOMEM. */
int findings_init(struct findings *ret, const struct run *r);
void findings_done(struct findings *f);

/** As lines of a screen of so many @columns, with where and how sure. -ENOMEM. */
int findings_print(const struct findings *f, unsigned columns, bool utf8, FILE *out);

/** As a JSON array that is safe within a page. */
int findings_json(const struct findings *f, FILE *out);

#endif
