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
	int64_t excess;	  /* n/p - n: what is not seen but believed */
	int64_t variance; /* (n/p)² (1 - p), in 1024 bytes² */
};

/** Of @bytes that are left of a block made with @made_bytes, sampled at gaps of @gap_bytes; 0: not
 * sampled. Always the same for the same. */
struct weight weight_of(uint64_t bytes, uint64_t made_bytes, uint64_t gap_bytes);

struct weight weight_minus(struct weight w);
void weight_add(struct weight *sum, struct weight w); /* wraps where it overflows */
bool weight_overflows(const struct weight *sum, struct weight w);

/** Half the width of the 95 % interval of a sum of weights, in bytes, when those that are not seen
 * may be as small as any. */
uint64_t weight_error_95(const struct weight *sum, uint64_t gap_bytes);

#endif
