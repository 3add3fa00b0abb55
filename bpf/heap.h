/* heap.h - what bpf/ and user/ share about the heap of started commands: records of the malloc
 * shim's sites (preload/region.h has the sites and the shared memory).
 *
 *   taskdiag_hello ──► EV_REGION        a region waits for its answer
 *   taskdiag_stack ──► EV_HEAP_STACK    the stack of a token, and the words that led to it
 *   taskdiag_flush ──► EV_HEAP_FLUSH    a ring is half full
 *   taskdiag_alloc ──► EV_HEAP_ALLOC    sampled
 *   taskdiag_free  ──► EV_HEAP_FREE
 *
 * and of the heap of running processes, whose malloc & co. have uprobes (heap_calls.bpf.c):
 *
 *   return of malloc, entry of free ──► EV_HEAP_ALLOC, EV_HEAP_FREE
 *   session: it begins, it ends     ──► EV_HEAP_CALLS
 *   end of a main thread before its process, where perf events are blind then ──► EV_HEAP_CALLS
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
	__u64 gap;	       /* ALLOC: mean distance of samples, in bytes; 0: not sampled; or with
				  HEAP_WEIGHTED the bytes that this one stands for */
	__u64 stack;	       /* ALLOC: stack_event.id; 0: none is known */
	__u32 allocator;       /* ALLOC: enum region_allocator; hostile */
	__u32 tid;	       /* as the observer sees it */
	char name[NAME_BYTES]; /* of the thread; hostile bytes, always terminated */
};
_Static_assert(sizeof(struct heap_block_event) == 104, "ABI between bpf/ and user/");

#define HEAP_WEIGHTED (1ULL << 63)

/* A function of an allocator as its uprobe's cookie describes it to heap_calls.bpf.c: numbers of
 * arguments count from 1, 0: it has none. */
#define CALL_ALLOCATOR(cookie) ((cookie)&0xff)	     /* enum region_allocator */
#define CALL_SIZE(cookie) ((cookie) >> 8 & 0xf)	     /* bytes of the block or range */
#define CALL_COUNT(cookie) ((cookie) >> 12 & 0xf)    /* times that */
#define CALL_OLD(cookie) ((cookie) >> 16 & 0xf)	     /* block or range that it frees */
#define CALL_OLD_SIZE(cookie) ((cookie) >> 20 & 0xf) /* bytes of that range */
#define CALL_RESULT(cookie) ((cookie) >> 24 & 0xf)   /* where the new block is stored */
#define CALL_FLAGS(cookie) ((cookie) >> 28 & 0xf)    /* of mmap */
#define CALL_ALLOCATES (1ULL << 32)		     /* it returns a block, or a range */
/* mmap & co.: code of the same library, in pages of 4 KiB before and behind the entry. What is
 * called from there is the allocator's own, or a thread's stack. */
#define CALL_BEFORE(cookie) ((cookie) >> 33 & CALL_PAGES_MAX)
#define CALL_BEHIND(cookie) ((cookie) >> 48 & CALL_PAGES_MAX)
#define CALL_PAGES_MAX 0x7fff

/* An argument of a USDT probe, 21 bits of a cookie: three at most. */
enum usdt_place { USDT_CONSTANT, USDT_REGISTER, USDT_MEMORY };
#define USDT_BITS 21
#define USDT_PLACE(spec) ((spec)&3)
#define USDT_SIZE_SHIFT(spec) ((spec) >> 2 & 3)	   /* 1, 2, 4, 8 bytes */
#define USDT_REGISTER_NR(spec) ((spec) >> 4 & 0xf) /* as in instructions: rax, rcx, rdx, rbx, … */
#define USDT_OFFSET(spec) ((__s64)((spec) << 43) >> 51) /* 13 bits with sign; or the constant */

enum heap_calls_what {
	CALLS_BEGIN,	/* from now on every call is told */
	CALLS_SAMPLES,	/* the process offers otel_memory:alloc and free: these are */
	CALLS_NOWHERE,	/* it has no allocator that we find */
	CALLS_FAILED,	/* it has one, but no probe can be there */
	CALLS_LEADER,	/* its main thread has ended: no probe sees what is left of it */
	CALLS_EXPENSIVE /* the brake: from now on none is told, of any process */
};

struct heap_calls_event {
	struct event_header h; /* EV_HEAP_CALLS */
	__u32 what;	       /* enum heap_calls_what */
	__s32 err;	       /* FAILED: -errno */
	__u32 functions;       /* that have a probe */
	__u32 stepped;	       /* of these: at an instruction that costs a second trap */
	__u32 left_out;	       /* that have none: no room, or not understood */
	__u32 throwing;	       /* that have none: operators new (inspect/allocators.h) */
};
_Static_assert(sizeof(struct heap_calls_event) == 64, "ABI between session/ and collect/");

#endif
