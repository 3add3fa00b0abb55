/* findings_private.h - what the kinds of findings share: limits, a finding in the making, levels
 * over time, the function that has most of something. */
#ifndef TASKDIAG_REPORT_FINDINGS_PRIVATE_H
#define TASKDIAG_REPORT_FINDINGS_PRIVATE_H

#include "report/findings.h"
#include "report/functions.h"

enum limit {
	LIMIT_RUN_S,
	LIMIT_POINTS,
	LIMIT_GROWTH_BYTES,
	LIMIT_GROWTH_RATIO,
	LIMIT_GROWTH_PART,
	LIMIT_HOLDER,
	LIMIT_WANTED_S,
	LIMIT_LOST_MARKS,
	LIMIT_LOST_CPU,
	LIMIT_LOST_MEMORY,
	LIMIT_BURST_RATIO,
	LIMIT_BURST_LENGTH,
	LIMIT_BURST_BYTES,
	LIMIT_CACHE_SHARE,
	LIMIT_CACHE_BYTES,
	LIMIT_RETAINED_HEAP,
	LIMIT_RETAINED_RSS,
	LIMIT_RETAINED_BYTES,
	LIMITS
};

struct limit_row {
	const char *name;
	double value;
	const char *reason;
};
extern const struct limit_row finding_limits[LIMITS];
double finding_limit(enum limit l);

/** Fills a text of @f; 0, -ENOMEM. */
int finding_text(char **ret, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Bytes over time; times never go back. */
struct levels {
	double *time_s, *bytes;
	size_t n;
};
int levels_of_rss(struct levels *ret, const struct run *r); /* of ticks; 0, -ENOMEM */
/** The live heap as massif.out tells it; none without a heap in the run. 0, -ENOMEM. */
int levels_of_heap(struct levels *ret, const struct run *r);
void levels_done(struct levels *l);
/** Of the points in [from_s, to_s]; NaN: none. */
double levels_median(const struct levels *l, double from_s, double to_s);
/** The lowest level in [from_s, to_s], the one that it begins with included; NaN: not known. */
double levels_floor(const struct levels *l, double from_s, double to_s);
/** Median, by which @values are sorted; NaN when there are none. */
double sorted_median(double *values, size_t n);

/* Which function of the program has most: the innermost one that is no library's. */
struct places {
	struct functions functions;
	const struct profile *names;
	double *values; /* by function */
	double total;
};
int places_init(struct places *ret, const struct profile *names); /* -ENOMEM */
void places_done(struct places *p);
void places_add(struct places *p, uint32_t stack, double value);
/** "grow (pool.c:12)": new, raw; *ret_value is what it has. -ENODATA: there is none; -ENOMEM. */
int places_largest(const struct places *p, char **ret_name, double *ret_value);

/** Whose share of the peak is largest; NULL: not known. */
const json_t *finding_holder(const struct run *r);

/* A kind: 0 with ret->sentence NULL when it has nothing to say; -ENOMEM. @part: which of several
 * findings of the kind, for kinds that can say more than one. */
typedef int finding_fn(struct finding *ret, const struct run *r, unsigned part);
finding_fn finding_oom, finding_growth, finding_lost, finding_burst, finding_cache,
    finding_retained;

#endif
