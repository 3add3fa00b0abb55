/* heap.h - the live heap of a task: allocations and frees in, who holds what out.
 *
 *   alloc, free ──► live blocks (space + address) ──┐
 *   map, free a range ──► live mappings ────────────┴──► highwater (per location) ──► totals
 *
 * Events come in their true order. A space is an address space: a fork copies its blocks, an exec
 * or its end drops them; the copy of a fork may be quiet (counted in no sum) until the child is
 * known to use it. Where the allocations are sampled each counts for as many as it stands for
 * (Horvitz-Thompson): an allocation of n bytes is taken with probability p = 1 − e^(−(n+1)/T) for
 * gaps of mean T, and weighs n/p bytes and 1/p pieces. A free takes exactly what its allocation
 * has added. 24 bytes a live block, 38 with the room that their table needs (46 below 2^18), also
 * while it grows; O(1) an event, O(log mappings) for a mapping, but for fork and drop. Of an
 * address the top byte is ignored, as by the CPUs that keep tags there. Pure.
 */
#ifndef TASKDIAG_HEAP_H
#define TASKDIAG_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/highwater.h"

struct heap;

/* Of one location; all are sums of weights. */
struct heap_totals {
	struct highwater_amount held;	   /* at the peak */
	struct highwater_amount live;	   /* now: at the end, what leaks */
	struct highwater_amount allocated; /* ever; what a fork copies is not */
	/* freed by the thread that made them, before it made another; unknown (0) where sampled */
	struct highwater_amount temporary;
	struct highwater_amount leaked; /* live when its space left: see heap_leave() */
};

struct heap_counts {
	uint64_t allocations, frees; /* events taken */
	uint64_t refused;	     /* allocations that are not counted: no memory, no sane size */
	uint64_t unknown_frees;	     /* of addresses that are not live */
	uint64_t duplicates;	     /* allocations at an address that is live: its free is lost */
	uint64_t undos_refused;	     /* a free that did not happen could not be taken back whole */
	uint64_t live;		     /* blocks and mappings; at most 32 Mi */
};

struct heap *heap_new(void);	/* NULL with errno set */
void heap_free(struct heap *h); /* NULL is fine */

/** Mean gap in bytes of allocations from now on, at most 1 GiB; 0: every one is told. At most 255
 * different ones in a run. 0, -EINVAL, -ENOSPC, -ENOMEM: as before. */
int heap_sampled(struct heap *h, uint64_t gap_bytes);

/** @thread: the caller's number of a thread (or its tid), for what is temporary; from 2^24 on:
 * none. A block that is live at @address is dropped first (duplicates). 0; -ENOMEM, -EOVERFLOW (a
 * sum beyond 2^63): it is not counted (refused). */
int heap_alloc(struct heap *h, uint32_t space, uint64_t address, uint64_t bytes, uint32_t location,
	       uint32_t thread, uint64_t time_ns);
/** Of heap_alloc(). 0, -ENOENT (counted). */
int heap_free_block(struct heap *h, uint32_t space, uint64_t address, uint32_t thread,
		    uint64_t time_ns);

/** @address will be told soon, by one of these: what is known of it is fetched into the cache. */
void heap_soon(struct heap *h, uint32_t space, uint64_t address);

/** mmap: as heap_alloc(), but freed by range. What was mapped there before is gone, as with
 * MAP_FIXED: no duplicate. */
int heap_map(struct heap *h, uint32_t space, uint64_t address, uint64_t bytes, uint32_t location,
	     uint32_t thread, uint64_t time_ns);
/** munmap: the parts of mappings within [address, address + bytes), rounded to pages by the caller;
 * blocks of heap_alloc() stay. A mapping that is cut keeps its place with what is left of it, as
 * one piece or two. 0; -ENOMEM: a mapping from whose middle it is stays whole. */
int heap_free_range(struct heap *h, uint32_t space, uint64_t address, uint64_t bytes,
		    uint32_t thread, uint64_t time_ns);

/* What one free has taken: a block, or parts of mappings. */
#define HEAP_TAKEN_PIECES 4
struct heap_taken {
	uint32_t space, count;
	bool range, more; /* more: pieces that are not kept here */
	uint64_t bytes;
	struct heap_piece {
		uint64_t start, end, made_bytes;
		uint32_t location, thread, gap;
		bool temporary;
	} pieces[HEAP_TAKEN_PIECES];
};

/** Of the last heap_free_block() or heap_free_range(); valid until the next. */
const struct heap_taken *heap_taken(const struct heap *h);
/** That free did not happen: all is as before it. 0; -ENOMEM, -EEXIST, -EOVERFLOW (counted in
 * undos_refused): some of it stays free. */
int heap_undo(struct heap *h, const struct heap_taken *t, uint64_t time_ns);

/** @child has its own copy of all of @parent, and nothing else. 0; -ENOMEM, -EOVERFLOW: it has
 * nothing. */
int heap_fork(struct heap *h, uint32_t parent, uint32_t child, uint64_t time_ns);
/** The same, but what @child has counts in no sum, and what happens in it is not counted, until
 * heap_fork_count(), which also may fail with -EOVERFLOW. @parent may be quiet. */
int heap_fork_quiet(struct heap *h, uint32_t parent, uint32_t child);
int heap_fork_count(struct heap *h, uint32_t child, uint64_t time_ns);
void heap_drop(struct heap *h, uint32_t space, uint64_t time_ns);
/** Drops it too; what was live in it has leaked. */
void heap_leave(struct heap *h, uint32_t space, uint64_t time_ns);

uint64_t heap_live_bytes(const struct heap *h);
uint64_t heap_peak_bytes(const struct heap *h, uint64_t *ret_time_ns); /* may be NULL */
size_t heap_locations(const struct heap *h);
struct heap_totals heap_location(const struct heap *h, uint32_t location);
struct heap_counts heap_count(const struct heap *h);

/** Half the width of the 95 % interval of what @location held at the peak, in bytes; 0 where
 * nothing was ever sampled. It covers in 93 % to 98.5 % of all cases, also where there are only
 * three samples; a location without one at the peak may have held 2.8 gaps. */
uint64_t heap_error_95(const struct heap *h, uint32_t location);
/** Of the sum over all locations: narrower than the sum of theirs. */
uint64_t heap_error_95_sum(const struct heap *h);

#endif
