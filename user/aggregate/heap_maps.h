/* heap_maps.h - the live mappings of an address space: found by range, cut by a range. Private to
 * heap.c.
 */
#ifndef TASKDIAG_HEAP_MAPS_H
#define TASKDIAG_HEAP_MAPS_H

#include <stddef.h>
#include <stdint.h>

struct mapping {
	uint64_t start, end;
	uint64_t made_bytes; /* before it was cut: what it was sampled by */
	uint32_t location, thread;
	uint32_t gap;
	struct mapping *next, **link; /* all of a space, in no order */
};

struct maps {
	void *tree; /* by address; they do not overlap */
	struct mapping *first;
	size_t count;
};

void maps_clear(struct maps *m);
/** A copy is kept. 0; -ENOMEM; -EEXIST: it overlaps one. */
int maps_add(struct maps *m, const struct mapping *mapping);
/** Any that overlaps [start, end); NULL: none. */
struct mapping *maps_find(const struct maps *m, uint64_t start, uint64_t end);
/** Takes [start, end) out of it; it overlaps that. What is left keeps the owner: of two parts the
 * one behind becomes a mapping of its own. 1: nothing is left, it is gone; 0; -ENOMEM: nothing is
 * changed. */
int maps_cut(struct maps *m, struct mapping *mapping, uint64_t start, uint64_t end);
/** @to: zeroed. 0; -ENOMEM: it is empty. */
int maps_copy(struct maps *to, const struct maps *from);

#endif
