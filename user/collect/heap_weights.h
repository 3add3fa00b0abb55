/* heap_weights.h - a sample that says how many bytes it stands for → the mean gap of samples that
 * the live heap counts with (aggregate/heap.h).
 *
 * An allocation of n bytes that is sampled with gap T weighs n / (1 − e^(−(n+1)/T)). For a weight
 * that was told there is one such T; of a fixed row of gaps, 12 an octave, one of its two
 * neighbours is drawn so that the mean of the weight is right. Pure.
 */
#ifndef TASKDIAG_HEAP_WEIGHTS_H
#define TASKDIAG_HEAP_WEIGHTS_H

#include <stdint.h>

#define HEAP_WEIGHTS_GAPS 240 /* from 1 KiB to 1 GiB */

struct heap_weights {
	uint64_t drawn; /* state of the generator; begin with 0 */
};

/** @bytes allocated, @weight that they stand for. 0: for themselves. */
uint64_t heap_weights_gap(struct heap_weights *w, uint64_t bytes, uint64_t weight);

/** What an allocation weighs with that gap. */
double heap_weights_weight(uint64_t bytes, uint64_t gap);

#endif
