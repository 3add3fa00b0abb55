/* heap_private.h - what the files of the live heap share: heap.c takes the records, heap_spaces.c
 * knows processes and their address spaces, heap_fork.c what a fork has copied, heap_tokens.c the
 * stacks of allocations, heap_apply.c changes the sums, heap_result.c says what it came to.
 *
 * Processes and spaces have ends and beginnings that stand in another stream than the events of
 * their rings: they are carried out at their time, between two events (struct live_space.at_ns).
 */
#ifndef TASKDIAG_COLLECT_HEAP_PRIVATE_H
#define TASKDIAG_COLLECT_HEAP_PRIVATE_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "aggregate/heap.h"
#include "aggregate/intern.h"
#include "bpf/heap.h"
#include "collect/heap.h"
#include "collect/heap_cost.h"
#include "collect/heap_weights.h"
#include "collect/live_curve.h"
#include "collect/regions.h"
#include "collect/stacks.h"
#include "collect/thread_table.h"

#define LIVE_PROCESSES_MAX 65536
#define LIVE_TOKENS_MAX (1 << 20)
#define LIVE_LOG_WORDS (1 << 20) /* of 8 bytes, over all forks that wait for their region */
#define LIVE_LOCATIONS_MAX (1 << 20)
#define LIVE_NEAR 256
#define LIVE_NAMES 8
#define THIN_GAP_BYTES (64ULL << 10)
#define NO_THREAD UINT32_MAX

/* The stack of one call of taskdiag_stack, until its event comes. */
struct live_token {
	uint64_t token;	 /* 0: used */
	uint32_t stack;	 /* of live_heap.stacks; INTERN_NONE: none is known */
	uint32_t thread; /* of the thread_table */
};

struct live_tokens {
	struct live_token *ring; /* first-in first-out: tokens of a ring are used in their order */
	uint32_t first, count, room;
};

struct live_ring {
	struct live_tokens tokens;
	uint32_t thread;	 /* that has it now; NO_THREAD */
	uint32_t tid;		 /* sampled: of the thread that has this slot */
	struct heap_taken taken; /* by its last tentative free: may be undone */
};

/* An event that may be part of what a fork has copied. */
struct live_change {
	uint64_t address, bytes, time_ns, head;
	uint16_t kind, ring;
	bool tentative; /* a free that may be undone */
	uint32_t location, thread;
};

/* What happened in a space since the first fork that waits for its region. Shared by these. */
struct live_log {
	struct live_space *space; /* NULL: it has ended */
	struct live_change *changes;
	size_t count, room;
	uint32_t users;
	bool cut; /* some found no room */
};

/* What a forked process has, while it is not known whether it will use it. */
struct live_fork {
	uint64_t parent_id;   /* of its parent's region */
	struct live_log *log; /* NULL: no memory, or sampled */
	size_t from;	      /* the first change of the log that is not in the copy */
	uint32_t number;      /* of the copy, in the heap */
	uint32_t copy_of;     /* 0: it is made */
	bool inexact;
};

/* An address space with a shim, or whose allocators have uprobes. */
struct live_space {
	uint32_t number;       /* in the heap */
	struct source *source; /* NULL: uprobes */
	uint64_t start_ns;
	uint32_t tgid, pid;
	struct live_ring *rings[REGION_RINGS];
	struct live_tentative *tentative; /* of borrowed rings */
	struct live_log *log;		  /* NULL: no fork waits */
	struct live_fork *fork;		  /* its heap is still quiet */
	uint64_t shown_ns;		  /* what walks know of its mappings was new then */
	uint64_t born_ns, at_ns;	  /* at_ns: its end; 0: none is known */
	bool leaks;			  /* at its end, by exit */
	bool gone;	/* its end is carried out: only its source is to be removed */
	uint32_t marks; /* since the record of its end, or of its birth */
	struct live_space *next;
};

struct live_process {
	uint64_t start_ns;
	uint32_t tgid;
	uint32_t pid;
	struct live_space *space; /* NULL: no shim */
	struct live_fork *fork;	  /* it has not greeted us yet */
	bool executed, greeted;
	char name[NAME_BYTES];
	UT_hash_handle hh;
};

enum location_name { LOCATION_STACK, LOCATION_UNKNOWN };

struct heap_location_key {
	uint32_t node, thread, allocator, name; /* enum location_name */
};

struct live_stack {
	uint64_t id; /* stack_event.id */
};

/* Processes whose allocators have uprobes. */
struct live_calls {
	uint64_t processes, functions, stepped, left_out, throwing;
	uint64_t nowhere, failed, headless; /* processes */
	int err;			    /* of the last that failed */
	bool samples;			    /* some offer otel_memory */
	uint64_t begin_ns;		    /* the first had them */
	uint64_t braked_ns;		    /* all were taken away; 0: never */
	struct heap_weights weights;
};

/* The location of a stack, found once a take. */
struct live_near {
	uint64_t take; /* 0: none */
	uint32_t stack, thread, allocator, location;
};

struct live_heap {
	const struct observation *o;
	struct heap *heap;
	struct regions *regions;
	struct thread_table threads;
	struct intern locations, stacks;
	struct live_near near[LIVE_NEAR];
	uint64_t takes;
	struct live_process *processes;
	struct live_space *spaces; /* in no order */
	uint32_t space_numbers, copies_wanted;
	uint64_t next_ns; /* the first birth or end that is not carried out; UINT64_MAX */
	uint64_t token_count, log_count; /* now, over all */
	uint64_t marked_ns;
	uint64_t gap_bytes; /* the largest that was told */
	bool wanted;	    /* something is to be read before the next 50 ms are over */
	bool ended;
	struct heap_cost cost;
	uint64_t thin_ns; /* since then only samples of blocks are told; 0: all are */
	double thin_share;
	uint64_t thin_unknown_frees; /* before; later ones are of blocks that were not told */
	struct live_curve curve;
	struct source_counts sums; /* of sources that were removed */
	uint64_t regions_seen, regions_refused, spaces_seen, residual;
	uint64_t forks, forks_inexact, forks_dropped;
	uint64_t unknown_stacks, late_after_end, tokens_dropped, answers, answers_full;
	uint64_t checks, checks_wrong, moves_unknown, undos_unknown, failed;
	struct live_calls calls;
	uint64_t without_shim;
	char without_names[LIVE_NAMES][NAME_BYTES];
	struct problem problem; /* the first region that was refused */
};

/* heap_tokens.c */
/** Memos of walks that knew less of what is mapped than is known now are dropped. */
void live_memos_follow(struct live_heap *h);
void live_token_add(struct live_heap *h, struct live_space *s, const struct heap_stack_event *e);
/** The location of an event whose stack word is @stack. INTERN_NONE: no memory. */
uint32_t live_location(struct live_heap *h, struct live_space *s, uint32_t ring, uint32_t tid,
		       uint64_t stack, uint32_t allocator);
uint32_t live_location_of(struct live_heap *h, uint64_t stack_id, uint32_t thread,
			  uint32_t allocator);
void live_check(struct live_heap *h, struct live_space *s, const struct told *t);
/** NULL: no memory. */
struct live_ring *live_ring(struct live_space *s, uint32_t ring);
void live_rings_free(struct live_heap *h, struct live_space *s);

/* heap_apply.c */
void live_told(void *context, struct source *source, const struct told *t);
void live_sampled(struct live_heap *h, struct live_space *s, const struct heap_block_event *e);
void live_change_copy(struct live_heap *h, uint32_t number, const struct live_change *c);

/* heap_calls.c */
void live_calls_record(struct live_heap *h, const struct heap_calls_event *e);
/** The task's heap is told by uprobes, not by shims. */
static inline bool live_called(const struct live_heap *h)
{
	return h->o->heap_calls;
}

/* heap_thin.c */
/** Looks at what telling costs, once a second. */
void live_heap_weigh(struct live_heap *h);

/* heap_tentative.c */
/** The last free may be undone. */
void live_tentative_add(struct live_heap *h, struct live_space *s, uint64_t address);
/** What the free of @address has taken; it is forgotten. False: it is not known. */
bool live_tentative_take(struct live_space *s, uint64_t address, struct heap_taken *ret);
void live_tentative_clear(struct live_space *s);

/* heap_fork.c */
void live_fork_begin(struct live_heap *h, struct live_process *child, struct live_process *parent);
void live_forks_copy(struct live_heap *h); /* before a batch is applied */
/** The child uses its heap: it counts from @time_ns on. */
void live_fork_count(struct live_heap *h, struct live_space *s, uint64_t time_ns);
/** A fork whose beginning was not seen: a copy of its parent as it is now. */
struct live_fork *live_fork_late(struct live_heap *h, const struct source *child);
/** It never will. */
void live_fork_drop(struct live_heap *h, struct live_fork *f);
void live_log_add(struct live_heap *h, struct live_space *s, const struct live_change *c);

/* heap_spaces.c */
struct live_process *live_process(struct live_heap *h, const struct event_header *e, bool make);
struct live_process *live_process_of(struct live_heap *h, uint32_t tgid);
void live_process_end(struct live_heap *h, struct live_process *p, uint64_t time_ns, bool leaks);
void live_process_free(struct live_heap *h, struct live_process *p);
/** Its space, or that of the parent whose memory it still runs in (vfork). NULL: none. */
struct live_space *live_space_of(struct live_heap *h, const struct live_process *p);
void live_space_add(struct live_heap *h, struct live_process *p, struct source *source,
		    const struct event_header *e);
/** Of a process whose allocators have uprobes now. NULL: no memory. */
struct live_space *live_space_called(struct live_heap *h, struct live_process *p,
				     const struct event_header *e);
/** Carries out what happened before @time_ns. */
void live_spaces_until(struct live_heap *h, uint64_t time_ns);
/** After a batch: what was noted at two marks; @all: everything. */
void live_spaces_settle(struct live_heap *h, bool all);
void live_spaces_marked(struct live_heap *h);
void live_space_free(struct live_heap *h, struct live_space *s);
/** Sums over all sources, present and removed. */
struct source_counts live_counts(const struct live_heap *h);

#endif
