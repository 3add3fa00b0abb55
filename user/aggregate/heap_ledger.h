/* heap_ledger.h - the sums of heap.c, per location: what is live, was at the peak, came to be, and
 * how sure that is. Private to heap.c.
 */
#ifndef TASKDIAG_HEAP_LEDGER_H
#define TASKDIAG_HEAP_LEDGER_H

#include "aggregate/cells.h"
#include "aggregate/heap.h"
#include "aggregate/heap_weight.h"

#define LEDGER_GAPS 256 /* fit into the tag of a block */

struct ledger {
	struct highwater *sums;
	struct highwater *errors; /* variance; NULL: nothing was ever sampled */
	struct cells made;	  /* what came to be */
	struct weight live;
	uint64_t gaps[LEDGER_GAPS]; /* 0 first: not sampled */
	uint64_t largest_gap;
	uint32_t gap_count, gap; /* the present one */
};

int ledger_init(struct ledger *l);
void ledger_clear(struct ledger *l);

int ledger_sampled(struct ledger *l, uint64_t gap_bytes); /* see heap_sampled() */
static inline struct weight ledger_weight(const struct ledger *l, uint32_t gap, uint64_t bytes,
					  uint64_t made_bytes)
{
	return weight_of(bytes, made_bytes, l->gaps[gap]);
}

/** Makes @location known. 0; -ENOMEM, or -EOVERFLOW where a sum could not take @w. */
int ledger_reserve(struct ledger *l, uint32_t location, struct weight w, uint64_t time_ns);
/** Of a location that is known. */
static inline void ledger_change(struct ledger *l, uint32_t location, struct weight w,
				 uint64_t time_ns)
{
	uint64_t before = (uint64_t)l->live.bytes;

	highwater_change(l->sums, location, w.bytes, w.count, before, time_ns);
	if (l->errors && w.variance)
		highwater_change(l->errors, location, w.variance, 0, before, time_ns);
	weight_add(&l->live, w);
}
/** After a rise. */
static inline void ledger_reached(struct ledger *l, uint64_t time_ns)
{
	highwater_reached(l->sums, (uint64_t)l->live.bytes, time_ns);
	if (l->errors)
		highwater_reached(l->errors, (uint64_t)l->live.bytes, time_ns);
}
void ledger_allocated(struct ledger *l, uint32_t location, struct weight w);
void ledger_temporary(struct ledger *l, uint32_t location, struct weight w);
void ledger_leaked(struct ledger *l, uint32_t location, struct weight w);

struct heap_totals ledger_location(const struct ledger *l, uint32_t location);
uint64_t ledger_error_95(const struct ledger *l, uint32_t location);
uint64_t ledger_error_95_sum(const struct ledger *l);

#endif
