/* verdict_reading_heap.c - bytes of the heap, of the task and by function. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "report/alloc_view.h"
#include "report/verdict_reading_private.h"

#define HEAP "diagnostics.allocations"

/* Of the limits, the last that begins with the heap: the cause stands behind its consequences. */
static const char *heap_limit(const struct run *r)
{
	const char *best = reading_limit(r, "allocations"), *text;
	json_t *limit;
	size_t i;

	json_array_foreach(run_get(r, HEAP ".limits"), i, limit)
	{
		text = json_string_value(limit);
		if (text && !strncmp(text, "heap", 4))
			best = text;
	}
	return best;
}

/* Whether the heap was seen, wholly or in samples. */
static bool has_heap(const struct run *r, struct reading *ret)
{
	const char *source = run_string(r, HEAP ".source"), *limit, *status;

	if (!reading_has(r, "allocations", ret))
		return false;
	limit = heap_limit(r);
	status = run_string(r, HEAP ".heap.status");
	if (!source || strcmp(source, "heap"))
		reading_absent(ret, "the heap was not seen, only resident pages%s%.300s",
			       limit ? ": " : "", limit ? limit : "");
	else if (!status || !strcmp(status, "incomplete"))
		reading_absent(ret, "what is known of the heap is not complete%s%.300s",
			       limit ? ": " : "", limit ? limit : "");
	return !ret->why;
}

static bool is_exact(const struct run *r)
{
	return json_is_true(run_get(r, HEAP ".exact"));
}

static double gap_of(const struct run *r)
{
	double gap = run_number(r, HEAP ".gap_bytes");

	return gap > 0 ? gap : 0;
}

/* Samples lie @gap apart on average: so many of them, and their chance. */
static int sampled(struct reading *ret, double bytes, double gap)
{
	double error = gap * reading_chance(gap > 0 ? bytes / gap : 0);

	return reading_between(ret, bytes, fmax(0, bytes - error), bytes + error);
}

static int peak_of_task(const struct run *r, struct reading *ret)
{
	double value = run_number(r, HEAP ".peak_bytes");
	json_t *interval = run_get(r, HEAP ".interval_95");
	json_t *low = json_array_get(interval, 0), *high = json_array_get(interval, 1);

	if (!(value >= 0))
		return reading_absent(ret, "the run has no peak of its heap");
	if (is_exact(r))
		return reading_exact(ret, value);
	if (json_is_number(low) && json_is_number(high))
		return reading_between(ret, value, json_number_value(low), json_number_value(high));
	return reading_absent(ret, "the heap is estimated, its interval is not known");
}

static int leaked_of_task(const struct run *r, struct reading *ret)
{
	double value = run_number(r, HEAP ".leaked_bytes");

	if (!(value >= 0))
		return reading_absent(ret, "the run does not tell what was live at the end");
	return is_exact(r) ? reading_exact(ret, value) : sampled(ret, value, gap_of(r));
}

struct sums {
	double bytes, squares, unclear; /* unclear: in stacks that are not whole */
};

static int sum_function(const struct allocations *a, const char *function, enum alloc_kind kind,
			struct sums *ret, bool *ret_found)
{
	const struct profile *names = allocations_names(a);
	_cleanup_free_ bool *with = reading_stacks_with(names, function);
	_cleanup_free_ bool *unclear = reading_stacks_unclear(names);

	*ret = (struct sums){};
	*ret_found = false;
	if (!with || !unclear)
		return -ENOMEM;
	for (size_t i = 0; i < allocations_count(a); i++) {
		const struct allocation_entry *e = allocations_at(a, i);
		double bytes = (double)alloc_sum_of(e, kind).bytes;
		uint32_t s = e->stack;

		if (s != PROFILE_NO_STACK && with[s]) {
			ret->bytes += bytes;
			ret->squares += (double)e->error_95_bytes * (double)e->error_95_bytes;
			*ret_found = true;
			continue;
		}
		if (s == PROFILE_NO_STACK || unclear[s])
			ret->unclear += bytes;
	}
	return 0;
}

static int of_function(const struct run *r, const char *function, enum alloc_kind kind,
		       struct reading *ret)
{
	const struct allocations *a = run_allocations(r, false);
	double remainder = 0;
	struct sums sums;
	bool found;
	int err;

	if (!a || allocations_facts(a)->resident)
		return reading_absent(ret, "the run has no allocations of the heap");
	err = sum_function(a, function, kind, &sums, &found);
	if (err)
		return err;
	if (kind == ALLOC_PEAK)
		remainder = fmax(0, (double)allocations_facts(a)->peak_bytes -
					(double)allocations_sum(a).peak.bytes);
	if (is_exact(r))
		reading_exact(ret, sums.bytes);
	else if (kind == ALLOC_PEAK && sums.squares > 0)
		reading_between(ret, sums.bytes, fmax(0, sums.bytes - sqrt(sums.squares)),
				sums.bytes + sqrt(sums.squares));
	else
		sampled(ret, sums.bytes, gap_of(r));
	ret->high += sums.unclear + (is_exact(r) ? remainder : 0);
	if (!found)
		return reading_note(ret, "in no stack of the run: is the name right?");
	return 0;
}

int reading_heap_peak(const struct run *r, const char *function, struct reading *ret)
{
	if (!has_heap(r, ret))
		return ret->why ? 0 : -ENOMEM;
	return function ? of_function(r, function, ALLOC_PEAK, ret) : peak_of_task(r, ret);
}

int reading_heap_leaked(const struct run *r, const char *function, struct reading *ret)
{
	if (!has_heap(r, ret))
		return ret->why ? 0 : -ENOMEM;
	return function ? of_function(r, function, ALLOC_LEAKED, ret) : leaked_of_task(r, ret);
}
