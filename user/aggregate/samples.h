/* samples.h - what is kept of a profile while it runs: marks per stack, thread, cause and slice of
 * time. Stacks are nodes of a tree (stacks.h).
 *
 *   marks record ──► entry (node, thread, cause, detail) ──► cell (entry, slice) += marks
 *
 * Memory grows with what is distinct, and is bounded: beyond SAMPLES_ENTRIES_MAX entries the stack
 * is given up for STACKS_OVERFLOW (counted); beyond SAMPLES_CELLS_MAX cells, or SAMPLES_SLICES_MAX
 * slices, slices are merged in pairs. Pure: no kernel, no files.
 */
#ifndef TASKDIAG_SAMPLES_H
#define TASKDIAG_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#define SAMPLES_ENTRIES_MAX (1u << 19)
#define SAMPLES_CELLS_MAX (1u << 20)
#define SAMPLES_SLICES_MAX 600

struct samples;

/** @start_ns: begin of slice 0; @slice_ns: length of a slice at first. NULL with errno set. */
struct samples *samples_new(uint64_t start_ns, uint64_t slice_ns);
void samples_free(struct samples *s); /* NULL is fine */
/** Moves the begin of slice 0: before the first mark is added only. */
void samples_start(struct samples *s, uint64_t start_ns);

/** @detail: the caller's, part of what makes a sample distinct. Marks stand at first_ns and every
 * @period_ns after. 0 or -ENOMEM: nothing was added. */
int samples_add(struct samples *s, uint32_t node, uint32_t thread, uint32_t cause, uint64_t detail,
		uint64_t first_ns, uint64_t period_ns, uint64_t marks);

struct samples_cell {
	uint32_t node, thread, cause, slice;
	uint64_t detail;
	uint64_t marks;
};

typedef int (*samples_fn)(void *context, const struct samples_cell *cell);
/** Calls @fn for each cell with marks, in no order; its first result that is not 0 ends it. */
int samples_each(const struct samples *s, samples_fn fn, void *context);

uint64_t samples_slice_ns(const struct samples *s);
uint64_t samples_overflowed(const struct samples *s); /* entries whose stack was given up */
uint64_t samples_marks(const struct samples *s);

#endif
