/* region.h - the memory that the malloc shim of a started command shares with the observer.
 *
 *	shim (in the task)                              observer (root)
 *	mmap(MAP_SHARED | MAP_ANONYMOUS) ─ hello ─────► opens /proc/PID/map_files/START-END
 *	waits on ready, bounded          ◄─ ready ───── writes what is wanted (struct region_wish)
 *	ring of each thread: events      ─ head ──────► reads, then writes tail
 *	memo of known stacks             ◄─ answers ─── the words of a stack that was asked for
 *
 * The region lives until the last of the two lets it go: what a killed task wrote can be read.
 * A task is hostile: the observer copies every field once, checks region_sane() and bounds all.
 *
 * Order. Every event has a stamp: taken before a block is freed and after it is made, so sorted by
 * stamp over all rings (within a ring: as they stand) events are in their true order. Which may be
 * sorted? All below the horizon:
 *	1. now = the clock of region.clock (lfence; rdtsc, or region.counter)
 *	2. membarrier(GLOBAL_EXPEDITED), or wait 1 ms: what was begun before 1 is visible after it
 *	3. for each ring: busy = busy_since, then head; if busy: now = min(now, busy)
 * An event below the horizon that comes later is from a ring that was given up: see busy_since.
 *
 * A fork makes a region of its own: its heap at its start is the parent's region (parent_id) after
 * the events below parent_heads[] of each ring, in the order of their stamps.
 */
#ifndef TASKDIAG_PRELOAD_REGION_H
#define TASKDIAG_PRELOAD_REGION_H

#include <stdint.h>

#define REGION_MAGIC 0x6e6f696765726474ULL /* "tdregion" */
#define REGION_VERSION 2
#define REGION_HEADER_BYTES 4096
#define REGION_RINGS 256
#define REGION_BORROWED 16	      /* the last rings: taken for one event by who has no ring */
#define REGION_RING_BYTES (256 << 10) /* default; a power of two; only what is used has pages */
#define REGION_RING_BYTES_MAX (1 << 20)
#define REGION_ANSWERS 16
#define REGION_PAIRS 256

enum region_ready {
	REGION_WAITING,
	REGION_ANSWERED,  /* by the observer: compare and swap from WAITING, then futex wake */
	REGION_ABANDONED, /* by the shim, which waited long enough: it is off and unmaps it */
};

enum region_mode {
	REGION_OFF = 1, /* the shim hands every call on and tells nothing */
	REGION_SAMPLED, /* taskdiag_alloc and taskdiag_free are called for sampled blocks */
	REGION_EXACT,	/* every block goes through the rings */
};

enum region_flag {
	REGION_ORACLE = 1,    /* exact: trap always; CHECK tells what the memo would have said */
	REGION_TELL_ASKS = 2, /* exact: an ASK event beside each call of taskdiag_stack */
	REGION_TELL_SAMPLES =
	    4,		 /* sampled: ALLOC (stack: the gap) and FREE events too, for tests */
	REGION_THIN = 8, /* exact: as with REGION_CONTROL_THIN from the start */
};

enum region_clock { REGION_TSC, REGION_COUNTER };
enum region_reason { REGION_EXEC, REGION_FORK };

/* The first word of an event is stamp << 3 | kind; region_event_words[] has its words. */
enum region_kind {
	REGION_NOTHING,
	REGION_ALLOC, /* address | allocator << 56 | REGION_SAMPLE, bytes, stack */
	REGION_FREE,  /* address | REGION_TENTATIVE */
	REGION_MAP,   /* address | allocator << 56, bytes, stack: anonymous and private */
	REGION_UNMAP, /* address | REGION_TENTATIVE, bytes: any mapping, known or not */
	REGION_UNDO,  /* address: the last tentative event with it did not happen */
	REGION_ASK,   /* token, CFA of the allocating function, return address */
	REGION_CHECK, /* token, the stack that the memo has for it */
	REGION_KINDS,
};
static const uint8_t region_event_words[REGION_KINDS] = { 0, 4, 2, 4, 3, 2, 4, 3 };

#define REGION_TENTATIVE (1ULL << 63) /* an UNDO may follow: of realloc, munmap, mremap, mmap */
#define REGION_ADDRESS ((1ULL << 56) - 1)
/* Of a process that is thinned out: one block in wish.gap_bytes, on average. */
#define REGION_SAMPLE (1ULL << 62)
#define REGION_ALLOCATOR(word) ((word) >> 56 & 0x3f)

/* As enum allocator of aggregate/allocations.h, up to MMAP. */
enum region_allocator {
	REGION_BY_MALLOC,
	REGION_BY_REALLOC,
	REGION_BY_CALLOC,
	REGION_BY_POSIX_MEMALIGN,
	REGION_BY_ALIGNED_ALLOC,
	REGION_BY_MEMALIGN,
	REGION_BY_VALLOC,
	REGION_BY_PVALLOC,
	REGION_BY_MMAP,
	REGION_BY_MREMAP, /* counts only if the UNMAP before it in this ring took something known */
};

/* The stack word: an id that an answer gave (1 … 2^63 − 1), or a token: taskdiag_stack was called
 * with it on the way to this event. Sequences go up over all owners of a ring. */
#define REGION_TOKEN (1ULL << 63)
#define REGION_TOKEN_RING_SHIFT 55
#define REGION_TOKEN_SEQUENCE ((1ULL << REGION_TOKEN_RING_SHIFT) - 1)

/* Written by the observer before ready. */
struct region_wish {
	uint32_t mode;	       /* enum region_mode */
	uint32_t flags;	       /* enum region_flag */
	uint64_t gap_bytes;    /* sampled: mean; may be changed at any time */
	uint32_t full_wait_us; /* how long a thread waits for room before it drops; 0: 10,000 */
	uint32_t clock;	       /* enum region_clock: COUNTER where the kernel distrusts the TSC */
};

struct region {
	uint64_t magic;
	uint32_t version, header_bytes;
	uint64_t bytes; /* of the whole mapping */
	uint32_t rings, ring_bytes;
	uint64_t ring_offset, ring_stride; /* to the struct region_ring of ring 0; to the next */
	uint32_t answers_offset, events_offset; /* from a struct region_ring */
	uint64_t id;				/* no other of this boot has it */
	uint32_t pid, reason;			/* as the task sees itself; enum region_reason */
	uint64_t parent_id;			/* FORK: region it was copied from */
	uint32_t parent_pid, clock;		/* enum region_clock, as used from ready on */
	uint32_t ready, spare;			/* futex; enum region_ready */
	struct region_wish wish;
	/* Written by the observer at any time. Another epoch: all memos are dropped (code was
	 * unmapped or replaced); bit 63 set: from now on the shim is off. */
	uint64_t control __attribute__((aligned(64)));
	uint64_t counter __attribute__((aligned(64))); /* the clock, when it is REGION_COUNTER */
	/* What is in no ring. */
	uint64_t lost_no_ring __attribute__((aligned(64))); /* no ring could be had */
	uint64_t lost_early; /* allocations while this region was being made */
	uint64_t lost_set;   /* samples not told: the set of live samples is full */
	uint64_t samples, sample_frees;
	uint64_t nested;	  /* events of signal handlers that broke into the shim */
	uint64_t refused_answers; /* an address that nothing before it leads to */
	uint64_t children_off;	  /* forked, and without a region: a sandbox, a signal handler, no
				     room. Counted here, in that of the parent, by the child */
	uint64_t foreign;	  /* 1: malloc is the program's own, not ours: we see none of it */
	uint64_t no_barrier;	  /* 1: a sandbox from the start: not registered for membarrier */
	uint8_t unused[2048 - 336];
	uint64_t parent_heads[REGION_RINGS];
};

#define REGION_CONTROL_OFF (1ULL << 63)
/* Exact, thinned out from now on: of blocks only samples are told as ALLOC, one in wish.gap_bytes;
 * every free still is, as those of blocks that were told before have to be, and every range. */
#define REGION_CONTROL_THIN (1ULL << 62)

/* One producer, one consumer. head and tail count words of 8 bytes and never wrap; word i is at
 * events[i % (ring_bytes / 8)]. offered = events read + lost, once head == tail. */
struct region_ring {
	/* written by the thread that owns it */
	uint64_t head;
	/* Not 0 while an event is being written: its stamp will not be below this. A thread that is
	 * stopped, or left a handler by longjmp, in that moment stays so: give it up after some
	 * seconds and count what comes late. */
	uint64_t busy_since;
	uint64_t offered, lost;	  /* events */
	uint64_t hits, traps;	  /* of the memo; of taskdiag_stack */
	uint64_t next_sequence;	  /* of tokens */
	uint64_t answers_taken;	  /* index of the next answer to read */
	uint64_t unused_owner[8]; /* its own pair of cache lines */
	/* written by the observer */
	uint64_t tail;
	uint64_t answers_given; /* at most answers_taken + REGION_ANSWERS; store it last */
	uint64_t unused_observer[14];
	/* written by whoever takes or returns the ring */
	uint32_t owner; /* tid; 0: free */
	uint32_t claims;
	uint64_t unused_claim[15];
};

/* What the kernel read to walk the stack of one token. The shim reads the same addresses again, in
 * this order, and stops at the first difference: so each address must be on the stack at or above
 * cfa − 8, or within 64 KiB of a word before it, or be one of the roots (mapped for as long as no
 * code is unmapped). Not for stacks with signal frames, nor incomplete ones. When the box is full
 * nothing is given: the stack will be asked for again. */
struct region_answer {
	uint64_t token, cfa, caller; /* as taskdiag_stack had them */
	uint64_t stack;		     /* its id */
	uint32_t count, roots;	     /* pairs; the first of them that are roots */
	struct region_pair {
		uint64_t address; /* or REGION_RBP: the register */
		uint64_t word;
	} pairs[REGION_PAIRS];
};
#define REGION_RBP 1

_Static_assert(sizeof(struct region_wish) == 24, "ABI between preload/ and the observer");
_Static_assert(sizeof(struct region) == REGION_HEADER_BYTES, "ABI");
_Static_assert(sizeof(struct region_ring) == 384, "ABI");
_Static_assert(sizeof(struct region_answer) == 40 + 16 * REGION_PAIRS, "ABI");

#define REGION_EVENTS_OFFSET 69632 /* behind the ring's header and its answers */
_Static_assert(sizeof(struct region_ring) + REGION_ANSWERS * sizeof(struct region_answer) <=
		   REGION_EVENTS_OFFSET,
	       "they fit");

static inline uint64_t region_bytes(uint32_t ring_bytes)
{
	return REGION_HEADER_BYTES + REGION_RINGS * (uint64_t)(REGION_EVENTS_OFFSET + ring_bytes);
}

/** Is @r (a copy) the header of a mapping of @bytes that this version can read? */
static inline int region_sane(const struct region *r, uint64_t bytes)
{
	uint32_t ring_bytes = r->ring_bytes;

	return r->magic == REGION_MAGIC && r->version == REGION_VERSION &&
	       r->header_bytes == REGION_HEADER_BYTES && r->rings == REGION_RINGS &&
	       ring_bytes >= 4096 && ring_bytes <= REGION_RING_BYTES_MAX &&
	       !(ring_bytes & (ring_bytes - 1)) && r->bytes == bytes &&
	       bytes == region_bytes(ring_bytes) && r->ring_offset == REGION_HEADER_BYTES &&
	       r->ring_stride == REGION_EVENTS_OFFSET + ring_bytes &&
	       r->answers_offset == sizeof(struct region_ring) &&
	       r->events_offset == REGION_EVENTS_OFFSET;
}

/* The sites: symbols of the shim, functions that only return. Registers as a C call has them.
 *	taskdiag_hello(region, bytes)                               nop
 *	taskdiag_stack(token, cfa, caller)                          nop5: walk from pc = caller,
 *	                                                            sp = cfa, rbp as it is: no frame
 *	                                                            of the shim is in it
 *	taskdiag_flush(ring, used)                                  nop5: a ring is half full
 *	taskdiag_alloc(address, bytes, stamp, gap << 8 | allocator, cfa, caller)   nop; gap 0: not
 *	                                                            sampled, counts once
 *	taskdiag_free(address, bytes, stamp)                        nop; bytes: of an unmapped
 *range, 0 for a block, or:
 */
#define REGION_FREE_UNDO UINT64_MAX /* the free before it of this thread did not happen */

#endif
