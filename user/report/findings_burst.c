/* findings_burst.c - the peak was made by one short burst: well above the level before and after.
 */
#include <errno.h>
#include <math.h>

#include "lib/cleanup.h"
#include "report/facts.h"
#include "report/findings_private.h"

struct burst {
	double bytes, time_s; /* the peak */
	double before, after; /* levels */
	double from_s, to_s;
};

/* The neighbours of the peak that are nearer to it than to the level around; points between two
 * ticks count as the ticks do. */
static void extent(struct burst *b, const struct levels *l, double middle)
{
	b->from_s = b->to_s = b->time_s;
	for (size_t i = 0; i < l->n && l->time_s[i] <= b->time_s; i++)
		if (l->bytes[i] <= middle)
			b->from_s = l->time_s[i];
	for (size_t i = l->n; i-- && l->time_s[i] >= b->time_s;)
		if (l->bytes[i] <= middle)
			b->to_s = l->time_s[i];
}

static bool is_burst(struct burst *b, const struct levels *l, double duration_s)
{
	double length_s = finding_limit(LIMIT_BURST_LENGTH) * duration_s, level;

	b->before = levels_median(l, 0, b->time_s - length_s);
	b->after = levels_median(l, b->time_s + length_s, duration_s);
	level = fmax(b->before, b->after);
	if (isnan(b->before) || isnan(b->after) || b->time_s < 2 * length_s ||
	    b->time_s > duration_s - 2 * length_s)
		return false; /* a start and an end are no bursts */
	if (b->bytes < finding_limit(LIMIT_BURST_RATIO) * level ||
	    b->bytes - level < finding_limit(LIMIT_BURST_BYTES))
		return false;
	extent(b, l, (b->bytes + level) / 2);
	return b->to_s - b->from_s < length_s;
}

/* Another burst as high: the peak is then no exception, but what the task does. */
static bool comes_again(const struct burst *b, const struct run *r)
{
	double middle = (b->bytes + fmax(b->before, b->after)) / 2;

	for (size_t i = 0; i < r->n_rows; i++) {
		const struct run_row *row = &r->rows[i];
		double at_s = row->v[RUN_RSS_PEAK_TIME];

		if (row->v[RUN_RSS_PEAK] > middle && (at_s < b->from_s || at_s > b->to_s))
			return true;
	}
	return false;
}

/* Who had at the peak what was gone at the end. The heap peaks when memory is asked for, RSS when
 * it has been filled: the one may come before the other by as much as a burst may last. */
static int holder_of(const struct run *r, const struct burst *b, double duration_s, char **ret)
{
	double early_s = finding_limit(LIMIT_BURST_LENGTH) * duration_s;
	const struct allocations *a = r->allocations;
	_cleanup_free_ char *name = NULL;
	double peak_s = a ? (double)allocations_facts(a)->peak_ns / 1e9 : NAN, bytes;
	struct places places;
	int err;

	if (!(peak_s >= b->from_s - early_s && peak_s <= b->to_s))
		return finding_text(ret, "%s", "");
	err = places_init(&places, allocations_names(a));
	if (err)
		return err;
	for (size_t i = 0; i < allocations_count(a); i++) {
		const struct allocation_entry *e = allocations_at(a, i);

		if (e->peak.bytes > e->leaked.bytes)
			places_add(&places, e->stack, (double)(e->peak.bytes - e->leaked.bytes));
	}
	err = places_largest(&places, &name, &bytes);
	places_done(&places);
	if (err == -ENOMEM)
		return err;
	return err ? finding_text(ret, "%s", "")
		   : finding_text(ret, ", %s held %s", name, fact_mb(bytes).s);
}

static int tell(struct finding *ret, const struct run *r, const struct burst *b, const char *stack)
{
	const json_t *holder = finding_holder(r);
	const char *name = run_member_string(holder, "name");
	int err;

	ret->from_s = b->from_s;
	ret->to_s = b->to_s;
	ret->weight = 9 * (1 - fmax(b->before, b->after) / b->bytes);
	ret->sure = *stack;
	err = finding_text(&ret->sentence,
			   "one burst of at most %s made the peak of %s at %s (before %s, after "
			   "%s), in %s-%.0f%s",
			   fact_seconds(b->to_s - b->from_s).s, fact_mb(b->bytes).s,
			   fact_seconds(b->time_s).s, fact_mb(b->before).s, fact_mb(b->after).s,
			   name ? name : "?", fmax(0, run_member_number(holder, "pid")), stack);
	if (!err)
		err = finding_text(&ret->evidence, "RSS around the peak");
	if (!err)
		err = finding_text(
		    &ret->why,
		    *stack ? "RSS and the heap have their peak there"
			   : "RSS has its peak there; -d allocations tells which function held it");
	return err;
}

int finding_burst(struct finding *ret, const struct run *r, unsigned part)
{
	_cleanup_free_ char *stack = NULL;
	double duration_s = fact_duration(r);
	struct burst b = {};
	struct levels rss;
	bool is;
	int err;

	(void)part;
	if (duration_s < finding_limit(LIMIT_RUN_S) || fact_peak(r, &b.bytes, &b.time_s))
		return 0;
	err = levels_of_rss(&rss, r);
	if (err)
		return err;
	is = rss.n >= finding_limit(LIMIT_POINTS) && is_burst(&b, &rss, duration_s) &&
	     !comes_again(&b, r);
	levels_done(&rss);
	if (!is)
		return 0;
	err = holder_of(r, &b, duration_s, &stack);
	return err ? err : tell(ret, r, &b, stack);
}
