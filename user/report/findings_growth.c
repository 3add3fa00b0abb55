/* findings_growth.c - the floor of the memory rises all through the last half of the run, and one
 * function holds most of what was there at its end: a leak suspect.
 *
 * Floors of windows, not levels: a cache that fills and is emptied falls back to the same floor.
 * Their slope is Theil and Sen's (the median of all pairs), which no outlier moves, with its 95 %
 * interval after Kendall.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "report/facts.h"
#include "report/findings_private.h"

#define WINDOWS 12
#define PAIRS (WINDOWS * (WINDOWS - 1) / 2)
#define FROM 0.5     /* of the run: what comes before is its start */
#define TO 0.95	     /* what comes after is its end, where programs clean up */
#define NEAR_END 0.9 /* a peak after that is what the end has; programs that end free much */
#define FALL 0.02    /* of the whole growth that a floor may fall by */

struct growth {
	double slope, low; /* bytes/s; the lower end of the interval */
	double bytes, from_s, to_s;
};

static double quantile(const double *sorted, double index)
{
	return sorted[(size_t)fmax(0, floor(index))];
}

static void slope_of(struct growth *g, const double *floors, double step_s)
{
	double slopes[PAIRS], n = WINDOWS;
	/* Kendall's variance of the sum of the pairs' signs */
	double reach = 1.96 * sqrt(n * (n - 1) * (2 * n + 5) / 18);
	size_t count = 0;

	for (int i = 0; i < WINDOWS; i++)
		for (int k = i + 1; k < WINDOWS; k++)
			slopes[count++] = (floors[k] - floors[i]) / ((k - i) * step_s);
	g->slope = sorted_median(slopes, count);
	g->low = quantile(slopes, (PAIRS - reach) / 2);
}

static bool rises_all_along(const double *floors, double bytes)
{
	const int third = WINDOWS / 3;

	for (int i = 1; i < WINDOWS; i++)
		if (floors[i] < floors[i - 1] - FALL * bytes)
			return false;
	for (int i = 0; i < 3; i++) {
		int last = i == 2 ? WINDOWS - 1 : (i + 1) * third;

		if (floors[last] - floors[i * third] < finding_limit(LIMIT_GROWTH_PART) * bytes)
			return false;
	}
	return true;
}

static bool grows(struct growth *g, const struct levels *l, double duration_s)
{
	double step_s = (TO - FROM) * duration_s / WINDOWS, floors[WINDOWS];

	if (duration_s < finding_limit(LIMIT_RUN_S) || l->n < finding_limit(LIMIT_POINTS))
		return false;
	*g = (struct growth){ .from_s = FROM * duration_s, .to_s = TO * duration_s };
	for (int i = 0; i < WINDOWS; i++) {
		double from_s = g->from_s + i * step_s;

		floors[i] = levels_floor(l, from_s, from_s + step_s);
		if (isnan(floors[i]))
			return false;
	}
	g->bytes = floors[WINDOWS - 1] - floors[0];
	slope_of(g, floors, step_s);
	return g->low > 0 && g->bytes >= finding_limit(LIMIT_GROWTH_BYTES) &&
	       g->bytes >= finding_limit(LIMIT_GROWTH_RATIO) * floors[WINDOWS - 1] &&
	       rises_all_along(floors, g->bytes);
}

/* Who held it at the end of the run: @ret_share of all that was there. -ENODATA: nobody that can be
 * named. */
static int holder_of(const struct allocations *a, double duration_s, char **ret, double *ret_bytes,
		     double *ret_share)
{
	bool at_peak = (double)allocations_facts(a)->peak_ns / 1e9 >= NEAR_END * duration_s;
	struct places places;
	int err;

	/* of pages only the peak is known by stack */
	if (allocations_facts(a)->resident && !at_peak)
		return -ENODATA;
	err = places_init(&places, allocations_names(a));
	if (err)
		return err;
	for (size_t i = 0; i < allocations_count(a); i++) {
		const struct allocation_entry *e = allocations_at(a, i);

		places_add(&places, e->stack, (double)(at_peak ? e->peak.bytes : e->leaked.bytes));
	}
	err = places_largest(&places, ret, ret_bytes);
	if (!err)
		*ret_share = *ret_bytes / places.total;
	places_done(&places);
	return err;
}

static int tell(struct finding *ret, const struct growth *g, const char *what, const char *holder,
		double bytes, double share)
{
	int err = finding_text(
	    &ret->sentence,
	    "%s grew steadily by %s a minute; %s held %s of what was live at the "
	    "end (%s): leak suspect",
	    what, fact_mb(60 * g->slope).s, holder, fact_percent(share).s, fact_mb(bytes).s);

	ret->weight = 9 * share;
	if (!err)
		err = finding_text(&ret->evidence,
				   "%s from %s to %s; stacks live at the end: "
				   "taskdiag-bpf leaks",
				   what, fact_seconds(g->from_s).s, fact_seconds(g->to_s).s);
	if (!err)
		err = finding_text(&ret->why,
				   "its floor rose by %s without a fall (at least %s a minute, 95 "
				   "%%); certain would be two snapshots with more of this stack",
				   fact_mb(g->bytes).s, fact_mb(60 * g->low).s);
	return err;
}

int finding_growth(struct finding *ret, const struct run *r, unsigned part)
{
	const struct allocations *a = r->allocations ? r->allocations : r->resident;
	double duration_s = fact_duration(r), bytes = 0, share = 0;
	_cleanup_free_ char *holder = NULL;
	struct levels heap, rss;
	struct growth of_heap = {}, of_rss = {};
	bool heap_told, heap_grows, rss_grows;
	int err;

	(void)part;
	if (!a)
		return 0;
	err = levels_of_heap(&heap, r);
	if (err)
		return err;
	heap_told = heap.n >= finding_limit(LIMIT_POINTS);
	heap_grows = grows(&of_heap, &heap, duration_s);
	levels_done(&heap);
	err = levels_of_rss(&rss, r);
	if (err)
		return err;
	rss_grows = grows(&of_rss, &rss, duration_s);
	levels_done(&rss);
	if (heap_told ? !heap_grows : !rss_grows)
		return 0;
	err = holder_of(a, duration_s, &holder, &bytes, &share);
	if (err)
		return err == -ENODATA ? 0 : err;
	/* a function that holds less than half of the growth did not make it */
	if (share < finding_limit(LIMIT_HOLDER) ||
	    bytes < finding_limit(LIMIT_HOLDER) * (heap_told ? of_heap : of_rss).bytes)
		return 0;
	ret->from_s = (heap_told ? of_heap : of_rss).from_s;
	ret->to_s = (heap_told ? of_heap : of_rss).to_s;
	ret->sure = heap_told && rss_grows && allocations_facts(a)->exact;
	return tell(ret, heap_told ? &of_heap : &of_rss, heap_told ? "the live heap" : "RSS",
		    holder, bytes, share);
}
