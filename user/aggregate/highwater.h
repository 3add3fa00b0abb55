/* highwater.h - what each location held when the sum over all of them was highest.
 *
 *   change (location, ± bytes) ──► live ──(the sum was a new highest before it)──► held
 *
 * O(1) a change: a new highest sum only counts up an epoch; a location notes what it held there
 * when it changes for the first time afterwards, and one that does not change still holds it. The
 * same way as the kernel side keeps shares of the peak (bpf/image.bpf.h). Of equal sums the first
 * is the peak. A moment of the caller's own can be marked in the same way. Locations are the
 * caller's numbers from 0 to 2^24 - 1; 56 bytes each. Pure.
 */
#ifndef TASKDIAG_HIGHWATER_H
#define TASKDIAG_HIGHWATER_H

#include <stddef.h>
#include <stdint.h>

struct highwater;

/* Bytes and pieces (allocations, pages); never below 0 where every fall was told before as a rise.
 */
struct highwater_amount {
	int64_t bytes, count;
};

struct highwater *highwater_new(void);	  /* NULL with errno set */
void highwater_free(struct highwater *h); /* NULL is fine */

/**
 * A change at a location. @sum_before: the sum over all as it stands before it, in bytes: from the
 * caller, since not all that it counts needs to have a location (RSS, for one).
 * 0; -ENOMEM, also for a location that is too large: nothing is changed. One that is known cannot
 * fail; a change by 0 makes it known.
 */
int highwater_change(struct highwater *h, uint32_t location, int64_t bytes, int64_t count,
		     uint64_t sum_before, uint64_t time_ns);

/** The sum is known to be @sum just now, without a change of a location: at the end, before a loss,
 * at a fall that has no location. */
void highwater_reached(struct highwater *h, uint64_t sum, uint64_t time_ns);

uint64_t highwater_peak(const struct highwater *h);    /* highest sum so far */
uint64_t highwater_peak_ns(const struct highwater *h); /* when it was first told */
size_t highwater_locations(const struct highwater *h); /* the largest known + 1 */
/** Zero for one that is not known. */
struct highwater_amount highwater_held(const struct highwater *h, uint32_t location);
struct highwater_amount highwater_live(const struct highwater *h, uint32_t location);
/** This is the moment to keep, in place of the one before. O(1). */
void highwater_mark(struct highwater *h);
/** Bytes held at that moment; 0 without one. */
int64_t highwater_marked(const struct highwater *h, uint32_t location);
/** Sets what is live anew, without being a fall or a rise: the scale has changed. What was held at
 * the peak stays. One that is not known stays so. */
void highwater_rescale(struct highwater *h, uint32_t location, struct highwater_amount live);

#endif
