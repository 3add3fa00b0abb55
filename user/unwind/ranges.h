/* ranges.h - which numbers of a table are taken: ranges by first fit. What is given back rests for
 * a while before it is taken again: a walk on another CPU may still read it. */
#ifndef TASKDIAG_RANGES_H
#define TASKDIAG_RANGES_H

#include <stdint.h>

struct ranges;

/** Numbers 0 to @limit - 1. NULL without memory. */
struct ranges *ranges_new(uint32_t limit);
void ranges_free(struct ranges *r); /* NULL is fine */

/** Takes @count (not 0) numbers in a row. 0; -ENOSPC; -ENOMEM. */
int ranges_take(struct ranges *r, uint32_t count, uint32_t *ret_first);

/** Gives back @count numbers (0 is fine) that are or were read until now: free again after a call
 * of ranges_expire() with @due_ns or later; 0: at once. Times must not go back. Without memory they
 * are lost: -ENOMEM. */
int ranges_give(struct ranges *r, uint32_t first, uint32_t count, uint64_t due_ns);
void ranges_expire(struct ranges *r, uint64_t now_ns);

uint32_t ranges_used(const struct ranges *r); /* those that rest are in use */
uint32_t ranges_resting(const struct ranges *r);

#endif
