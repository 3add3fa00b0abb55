/* allocations.h - a finished record of who held the memory: named stacks, and per stack, thread and
 * allocator what was live at the peak, what is left at the end, what was allocated ever. Input of
 * every writer (artifact/allocations_*.c).
 *
 *   frames, stacks, threads, processes: a struct profile without samples ──┐
 *   stack + thread + allocator ──► entry (bytes and pieces of each kind) ──┴─► writers
 *   time ──► point of the timeline
 *
 * Two sources: the heap (malloc and its like) and resident pages (who touched them first). Where
 * the source was sampled all numbers are estimates. Pure: no kernel, no files.
 */
#ifndef TASKDIAG_ALLOCATIONS_H
#define TASKDIAG_ALLOCATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/profile.h"

struct allocations;

/* How memory was asked for; or how a page came. */
enum allocator {
	ALLOCATOR_MALLOC,
	ALLOCATOR_REALLOC,
	ALLOCATOR_CALLOC,
	ALLOCATOR_POSIX_MEMALIGN,
	ALLOCATOR_ALIGNED_ALLOC,
	ALLOCATOR_MEMALIGN,
	ALLOCATOR_VALLOC,
	ALLOCATOR_PVALLOC,
	ALLOCATOR_MMAP,
	ALLOCATOR_PAGE_ANON, /* first touch of a page: resident source */
	ALLOCATOR_PAGE_FILE,
	ALLOCATOR_PAGE_SHMEM,
	ALLOCATORS,
};

/** "malloc", "anonymous page" …: what a reader sees. */
const char *allocator_name(enum allocator a);

struct allocation_sum {
	uint64_t bytes, count; /* pieces: allocations, or pages */
};

struct allocation_entry {
	uint32_t stack, thread; /* of allocations_tree() */
	uint32_t allocator;
	struct allocation_sum peak;	 /* live when the sum over all was highest */
	struct allocation_sum leaked;	 /* live at the end */
	struct allocation_sum allocated; /* ever */
	struct allocation_sum temporary; /* freed by the next call of the thread */
	uint64_t error_95_bytes;	 /* half the 95 % interval of peak.bytes; 0: exact */
	uint64_t usage_bytes;		 /* held when the observed cgroup used most; 0: none is */
};

struct allocation_point {
	uint64_t time_ns;		    /* from the start of the run */
	uint64_t live_bytes, highest_bytes; /* at time_ns, and since the point before */
	uint64_t rss_bytes;
};

struct allocations_facts {
	bool resident;	     /* the source: resident pages, else the heap */
	bool exact;	     /* every allocation is in it, to the byte, and the ledger proves it */
	uint64_t gap_bytes;  /* mean gap of samples; 0: none */
	uint64_t peak_bytes; /* sum over all entries' peak.bytes and the remainder */
	uint64_t peak_ns;    /* from the start of the run */
	uint64_t start_utc_ns, duration_ns;
	uint64_t peak_rss_bytes;
	const char *command; /* hostile; borrowed */
	uint32_t pid;	     /* of the first process */
	bool python;	     /* a process of the task is a Python interpreter */
};

/** NULL with errno set. */
struct allocations *allocations_new(const struct allocations_facts *facts);
void allocations_free(struct allocations *a); /* NULL is fine */

/** Its frames, stacks, threads, processes and mappings: to be filled with profile_frame() and so
 * on; it has no samples. */
struct profile *allocations_tree(struct allocations *a);
const struct profile *allocations_names(const struct allocations *a); /* the same, to read */

/** Adds to the entry of its stack, thread and allocator, which is made when it is new. Errors add
 * as those of independent estimates do. 0; -EINVAL: a stack, thread or allocator that is not known;
 * -EOVERFLOW: the sum over all would pass INT64_MAX; -ENOMEM. Then nothing is changed. */
int allocations_add(struct allocations *a, const struct allocation_entry *e);
/** In the order of time. 0, -EINVAL, -ENOMEM. */
int allocations_point(struct allocations *a, const struct allocation_point *p);

const struct allocations_facts *allocations_facts(const struct allocations *a);
size_t allocations_count(const struct allocations *a);
const struct allocation_entry *allocations_at(const struct allocations *a, size_t i);
size_t allocations_point_count(const struct allocations *a);
const struct allocation_point *allocations_point_at(const struct allocations *a, size_t i);
/** Sums over all entries; error_95_bytes is that of the sum of independent ones. */
struct allocation_entry allocations_sum(const struct allocations *a);

#endif
