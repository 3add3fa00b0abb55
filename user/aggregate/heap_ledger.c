/* heap_ledger.c - see heap_ledger.h */
#include "aggregate/heap_ledger.h"

#include <errno.h>

struct made {
	struct highwater_amount allocated, temporary, leaked; /* counts in WEIGHT_PIECE */
	bool known, in_errors;				      /* to the sums; to the errors */
};

int ledger_init(struct ledger *l)
{
	*l = (struct ledger){ .gap_count = 1 };
	cells_init(&l->made, sizeof(struct made));
	l->sums = highwater_new();
	return l->sums ? 0 : -ENOMEM;
}

void ledger_clear(struct ledger *l)
{
	highwater_free(l->sums);
	highwater_free(l->errors);
	cells_clear(&l->made);
}

static int begin_errors(struct ledger *l)
{
	if (l->errors)
		return 0;
	l->errors = highwater_new();
	if (!l->errors)
		return -ENOMEM;
	/* nothing that was held at the peak so far can be wrong */
	highwater_reached(l->errors, highwater_peak(l->sums), highwater_peak_ns(l->sums));
	return 0;
}

int ledger_sampled(struct ledger *l, uint64_t gap_bytes)
{
	uint32_t gap = 0;

	if (gap_bytes > WEIGHT_GAP_MAX)
		return -EINVAL;
	while (gap < l->gap_count && l->gaps[gap] != gap_bytes)
		gap++;
	if (gap == LEDGER_GAPS)
		return -ENOSPC;
	if (gap_bytes && begin_errors(l))
		return -ENOMEM;
	if (gap == l->gap_count)
		l->gaps[l->gap_count++] = gap_bytes;
	if (gap_bytes > l->largest_gap)
		l->largest_gap = gap_bytes;
	l->gap = gap;
	return 0;
}

int ledger_reserve(struct ledger *l, uint32_t location, struct weight w, uint64_t time_ns)
{
	uint64_t sum = (uint64_t)l->live.bytes;
	struct made *made = cells_get(&l->made, location);

	if (weight_overflows(&l->live, w))
		return -EOVERFLOW;
	if (!made)
		return -ENOMEM;
	if (!made->known && highwater_change(l->sums, location, 0, 0, sum, time_ns))
		return -ENOMEM;
	made->known = true;
	if (!l->errors || made->in_errors)
		return 0;
	if (highwater_change(l->errors, location, 0, 0, sum, time_ns))
		return -ENOMEM;
	made->in_errors = true;
	return 0;
}

/* Ever: of hostile sizes that may be more than a number takes. */
static int64_t add_up(int64_t a, int64_t b)
{
	return __builtin_add_overflow(a, b, &a) ? INT64_MAX : a;
}

static void count_up(struct highwater_amount *sum, struct weight w)
{
	sum->bytes = add_up(sum->bytes, w.bytes);
	sum->count = add_up(sum->count, w.count);
}

void ledger_allocated(struct ledger *l, uint32_t location, struct weight w)
{
	count_up(&((struct made *)cells_find(&l->made, location))->allocated, w);
}

void ledger_temporary(struct ledger *l, uint32_t location, struct weight w)
{
	count_up(&((struct made *)cells_find(&l->made, location))->temporary, w);
}

void ledger_leaked(struct ledger *l, uint32_t location, struct weight w)
{
	count_up(&((struct made *)cells_find(&l->made, location))->leaked, w);
}

static struct highwater_amount in_pieces(struct highwater_amount a)
{
	a.count = a.count / WEIGHT_PIECE + (a.count % WEIGHT_PIECE >= WEIGHT_PIECE / 2);
	return a;
}

struct heap_totals ledger_location(const struct ledger *l, uint32_t location)
{
	const struct made *made = cells_find(&l->made, location);

	if (!made)
		return (struct heap_totals){ 0 };
	return (struct heap_totals){
		.held = in_pieces(highwater_held(l->sums, location)),
		.live = in_pieces(highwater_live(l->sums, location)),
		.allocated = in_pieces(made->allocated),
		.temporary = in_pieces(made->temporary),
		.leaked = in_pieces(made->leaked),
	};
}

/* Of the variance; the bytes and the count do not matter for it. */
static struct weight error_held(const struct ledger *l, uint32_t location)
{
	return (struct weight){ .variance = highwater_held(l->errors, location).bytes };
}

uint64_t ledger_error_95(const struct ledger *l, uint32_t location)
{
	struct weight sum;

	if (!l->errors || location >= highwater_locations(l->sums))
		return 0;
	sum = error_held(l, location);
	return weight_error_95(&sum, l->largest_gap);
}

uint64_t ledger_error_95_sum(const struct ledger *l)
{
	struct weight sum = { 0 };

	if (!l->errors)
		return 0;
	for (size_t i = 0; i < highwater_locations(l->errors); i++)
		weight_add(&sum, error_held(l, (uint32_t)i));
	return weight_error_95(&sum, l->largest_gap);
}
