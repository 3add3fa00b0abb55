/* heap_weight.h - what a sampled allocation stands for, and how sure that is. Private to heap.c.
 */
#ifndef TASKDIAG_HEAP_WEIGHT_H
#define TASKDIAG_HEAP_WEIGHT_H

#include <stdbool.h>
#include <stdint.h>

#define WEIGHT_PIECE (1 << 16)	    /* 1/p is seldom whole */
#define WEIGHT_GAP_MAX (1ULL << 30) /* variances of 8,192 of these are still a number */

/* Whole numbers: sums of them come back to exactly 0. All zero but bytes and count where nothing is
 * sampled. */
struct weight {
	int64_t bytes;	  /* n/p */
	int64_t count;	  /* 1/p, in WEIGHT_PIECE */
	int64_t variance; /* (n/p)² (1 - p), in 1024 bytes² */
};

struct weight weight_sampled(uint64_t bytes, uint64_t made_bytes, uint64_t gap_bytes);

/** Of @bytes that are left of a block made with @made_bytes, sampled at gaps of @gap_bytes; 0: not
 * sampled. Always the same for the same. */
static inline struct weight weight_of(uint64_t bytes, uint64_t made_bytes, uint64_t gap_bytes)
{
	if (gap_bytes)
		return weight_sampled(bytes, made_bytes, gap_bytes);
	return (struct weight){ .bytes = (int64_t)bytes, .count = WEIGHT_PIECE };
}

static inline struct weight weight_minus(struct weight w)
{
	return (struct weight){ -w.bytes, -w.count, -w.variance };
}

static inline int64_t weight_wrap(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

/** Wraps where it overflows. */
static inline void weight_add(struct weight *sum, struct weight w)
{
	sum->bytes = weight_wrap(sum->bytes, w.bytes);
	sum->count = weight_wrap(sum->count, w.count);
	sum->variance = weight_wrap(sum->variance, w.variance);
}

static inline bool weight_overflows(const struct weight *sum, struct weight w)
{
	return __builtin_add_overflow(sum->bytes, w.bytes, &w.bytes) ||
	       __builtin_add_overflow(sum->count, w.count, &w.count) ||
	       __builtin_add_overflow(sum->variance, w.variance, &w.variance);
}

/** Half the width of the 95 % interval of a sum of weights, in bytes, when those that are not seen
 * may be as small as any. */
uint64_t weight_error_95(const struct weight *sum, uint64_t gap_bytes);

#endif
