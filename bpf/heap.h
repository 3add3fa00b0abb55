/* heap.h - what bpf/ and user/ share about the heap of started commands: records of the malloc
 * shim's sites (preload/region.h has the sites and the shared memory).
 *
 *   taskdiag_hello ──► EV_REGION        a region waits for its answer
 *   taskdiag_stack ──► EV_HEAP_STACK    the stack of a token, and the words that led to it
 *   taskdiag_flush ──► EV_HEAP_FLUSH    a ring is half full
 *   taskdiag_alloc ──► EV_HEAP_ALLOC    sampled
 *   taskdiag_free  ──► EV_HEAP_FREE
 */
#ifndef TASKDIAG_HEAP_EVENTS_H
#define TASKDIAG_HEAP_EVENTS_H

#include "events.h"

#define HEAP_PAIRS 256 /* a power of two; REGION_PAIRS of preload/region.h */

struct region_event {
	struct event_header h; /* EV_REGION */
	__u64 address, bytes;  /* in the process; hostile */
};
_Static_assert(sizeof(struct region_event) == 56, "ABI between bpf/ and user/");

/* A word that a walk has read: a memo checks it again. As struct region_pair. */
struct heap_pair {
	__u64 address; /* 1 (REGION_RBP): the register */
	__u64 word;
};

/* The head of the record; pairs follow. */
struct heap_stack_event {
	struct event_header h;	  /* EV_HEAP_STACK */
	__u64 token, cfa, caller; /* of the call; hostile */
	__u64 stack;		  /* stack_event.id; 0: none is known */
	__u32 count; /* pairs, in the order in which they were read; 0: not to be memoised */
	__u32 roots; /* the first of them that no pair before leads to */
	__u32 tid;   /* as the observer sees it */
	__u32 pad;
	char name[NAME_BYTES]; /* of the thread; hostile bytes, always terminated */
};
_Static_assert(sizeof(struct heap_stack_event) == 104, "ABI between bpf/ and user/");

struct heap_flush_event {
	struct event_header h; /* EV_HEAP_FLUSH */
	__u64 ring, used;      /* hostile */
};
_Static_assert(sizeof(struct heap_flush_event) == 56, "ABI between bpf/ and user/");

/* A sampled block, or range, in the order of its stamp within a thread. */
struct heap_block_event {
	struct event_header h; /* EV_HEAP_ALLOC, EV_HEAP_FREE */
	__u64 address, bytes;  /* FREE: 0, or those of an unmapped range, or REGION_FREE_UNDO */
	__u64 stamp;	       /* of region.clock */
	__u64 gap;	       /* ALLOC: mean distance of samples, in bytes; 0: not sampled */
	__u64 stack;	       /* ALLOC: stack_event.id; 0: none is known */
	__u32 allocator;       /* ALLOC: enum region_allocator; hostile */
	__u32 tid;	       /* as the observer sees it */
	char name[NAME_BYTES]; /* of the thread; hostile bytes, always terminated */
};
_Static_assert(sizeof(struct heap_block_event) == 104, "ABI between bpf/ and user/");

#endif
