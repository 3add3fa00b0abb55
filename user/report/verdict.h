/* verdict.h - a budget and what runs have used → within, over, or not measurable.
 *
 *   readings of one run per row ──► medians ──► verdict per limit ──► text, JUnit …
 * (verdict_formats)
 *
 * Several runs: the median counts, the lowest and highest are told. A comparison is over only when
 * the medians differ by more than the rule allows and by more than the noise: the ranges (highest
 * less lowest) of both sides, plus the sampling errors of both. Two sides whose medians are further
 * apart than both ranges do not overlap. With one run a side there is no range: the noise is that
 * of sampling alone, and how much runs differ by themselves is not known.
 *
 * Names of the task are raw in here; writers escape them. Pure.
 */
#ifndef TASKDIAG_REPORT_VERDICT_H
#define TASKDIAG_REPORT_VERDICT_H

#include <stdio.h>

#include "report/verdict_reading.h"

enum verdict_state {
	VERDICT_WITHIN,
	VERDICT_NEAR, /* the interval reaches over the limit, or the growth is not above the noise
		       */
	VERDICT_OVER,
	VERDICT_UNMEASURABLE,
	VERDICT_TOLD, /* there is no limit for it */
	VERDICT_STATES
};

/* Where much of it is: a stack. */
struct verdict_place {
	char *text;	/* "load (load.py:12) ← main" */
	char *function; /* the innermost that is the program's own */
	char *file;	/* NULL: unknown */
	unsigned line;	/* 0: unknown */
	double value;	/* in the unit of the measure; of a comparison the growth */
	double share;	/* of the whole, or of all growth */
};

/* What the runs of one side say. */
struct verdict_side {
	double value, low, high; /* medians */
	double min, max;	 /* of the values */
	size_t runs;
	size_t median; /* number of the run whose value is the median, or next to it */
};

struct verdict {
	const struct budget_limit *limit;
	enum verdict_state state;
	struct verdict_side now, base; /* base: of a comparison */
	double allowed, noise;	       /* of a comparison: of the growth */
	char *why, *note;	       /* see struct reading */
	struct verdict_place *places;  /* largest first */
	size_t n_places;
};

struct verdicts {
	const struct budget *budget; /* borrowed */
	bool compared;
	char *title;  /* the command, or the two sides */
	char *failed; /* the command's own failure: nothing was judged; else NULL */
	char **said;  /* conditions: what is missing here */
	size_t n_said;
	struct verdict *all; /* one per limit */
	size_t n;
};

/** @now: @runs rows of budget->n. Nothing of them is kept. -ENOMEM. Give it back with
 * verdicts_done(). */
int verdicts_judge(struct verdicts *ret, const struct budget *budget, const struct reading *now,
		   size_t runs);
int verdicts_compare(struct verdicts *ret, const struct budget *rules, const struct reading *base,
		     size_t base_runs, const struct reading *now, size_t runs);
void verdicts_done(struct verdicts *v);

/** Adds a condition. -ENOMEM. */
int verdicts_say(struct verdicts *v, const char *text);

size_t verdicts_count(const struct verdicts *v, enum verdict_state state);
/** Over if one is, else not measurable if one is, else within. */
enum verdict_state verdicts_worst(const struct verdicts *v);

/** Where @run has most of what @v is about, with its allocations loaded; nothing when that is not
 * known. -ENOMEM. */
int verdict_find_places(struct verdict *v, const struct run *run);
/** Where @now has more than @base. @lined: @now again, its frames with lines and inlined functions
 * where they are known, which the other two have not: they would not compare. */
int verdict_find_growth(struct verdict *v, const struct run *base, const struct run *now,
			const struct run *lined);

/** 0, -EIO, -ENOMEM. */
typedef int verdict_write_fn(const struct verdicts *v, FILE *out);

struct verdict_format {
	const char *name;
	verdict_write_fn *write;
};

extern const struct verdict_format verdict_formats[]; /* ends with a NULL name; the first: text */
/** NULL: not known. */
const struct verdict_format *verdict_format_find(const char *name);

verdict_write_fn verdict_text, verdict_markdown, verdict_junit, verdict_github, verdict_gitlab,
    verdict_json;

#endif
