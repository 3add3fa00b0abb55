/* regions.h - the memory that malloc shims share with us: found, answered, and read in the order in
 * which things happened, over all processes of the task. The contract is preload/region.h.
 *
 *   EV_REGION ──► /proc/PID/map_files/START-END ──► checked ──► answered (struct region_wish)
 *   regions_mark(): clock, heads ──► regions_take(): events below the horizon, by stamp ──► told
 *
 * A task is hostile: every field of shared memory is copied once, and bounded. From one thread.
 */
#ifndef TASKDIAG_REGIONS_H
#define TASKDIAG_REGIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/problem.h"
#include "preload/region.h"

struct regions;

/* One shim of one address space; the caller may keep it until it removes it. */
struct source {
	uint64_t id, parent_id; /* of struct region; parent_id: reason FORK */
	enum region_reason reason;
	uint64_t parent_heads[REGION_RINGS]; /* where in its parent's rings it was copied */
	void *context;			     /* the caller's */
};

/* One event as the caller gets it. */
struct told {
	enum region_kind kind;
	uint32_t ring;	   /* its number */
	uint32_t tid;	   /* who has it now, as the task sees it (0: nobody any more); hostile */
	uint64_t head;	   /* of the ring, after the event: to be compared with parent_heads */
	uint64_t stamp;	   /* of the clock that the regions have */
	uint64_t words[3]; /* behind the stamp: see region_kind */
	uint64_t soon;	   /* words[0] of an event some way behind it, to be prefetched; 0: none */
};

/* Sums over all rings of a source. Those of the task are what it says: hostile. */
struct source_counts {
	uint64_t offered, lost; /* events; lost: the ring was full */
	uint64_t hits, traps;	/* of the memo; of taskdiag_stack */
	uint64_t read;		/* events told: offered = read + lost once all are */
	uint64_t late;		/* told after their order was given up: see busy_since */
	uint64_t malformed;	/* rings that made no sense: no more is read of them */
	uint64_t lost_no_ring, lost_early, lost_set, samples, sample_frees, nested, refused_answers,
	    children_off, foreign; /* of struct region */
	/* events that a thread was in the midst of when it ended: as told only once it is gone */
	uint64_t cut;
};

typedef void source_fn(void *context, struct source *s, const struct told *event);

/** NULL with errno set. Stamps are of the TSC, or counted where that is not to be relied upon (not
 * "constant_tsc" and "nonstop_tsc", or not the kernel's own clock source). Counters of two sources
 * cannot be compared: then events are in order within a source, and in none between sources. */
struct regions *regions_new(void);
void regions_free(struct regions *r); /* NULL is fine; unmaps all */

/**
 * Maps and answers the region of process @pid (as we see it) that EV_REGION has told. 0 and a
 * source; -EBADMSG: it is no sane region; -ENOENT: the process is gone; -EALREADY: it has waited
 * long enough and is off; -ENOSPC: 16,384 regions are there; or another -errno; with a problem.
 * @wish: but for its clock, which may also be asked to be a counter. One descriptor is kept open.
 */
int regions_add(struct regions *r, pid_t pid, uint64_t address, uint64_t bytes,
		const struct region_wish *wish, struct source **ret, struct problem *problem);

/** By id; NULL: there is none. */
struct source *regions_find(const struct regions *r, uint64_t id);

/** Notes the clock and the heads of all rings. Whatever the kernel has told by the ring buffer
 * before these events were written can be drained now, and then: */
void regions_mark(struct regions *r);
/** Tells, in order, what was marked; makes room in the rings. @all: also what is above the horizon
 * (nothing can come any more, or a ring is stuck): for the end. Returns the events told. @tell may
 * answer, but neither add nor remove. */
uint64_t regions_take(struct regions *r, bool all, source_fn *tell, void *context);

/** Its process is gone: what it was in the middle of writing will not come, and holds up nobody. */
void regions_gone(struct source *s);
/** True: all that was marked of it has been told. What is left is above the horizon. */
bool regions_drained(const struct source *s);

/** True: of every ring all below @heads has been told, or never will be. */
bool regions_read_to(const struct source *s, const uint64_t heads[REGION_RINGS]);

/** Hands an answer to the memo of the ring that the token names. 0; -ENOSPC: the box is full, it
 * is not given; -EINVAL: no ring that was ever claimed, or too many pairs. */
int regions_answer(struct source *s, const struct region_answer *answer);
/** All memos are dropped: code has gone from its address space, or has been replaced. */
void regions_epoch(struct source *s);
/** Of its blocks only samples are told from now on, one in @gap_bytes (REGION_CONTROL_THIN). */
void regions_thin(struct source *s, uint64_t gap_bytes);
/** Its shim is off from now on. */
void regions_turn_off(struct source *s);

void regions_counts(const struct source *s, struct source_counts *ret);
/** Once it is gone, marked after that, drained and counted. Unmaps and frees. */
void regions_remove(struct regions *r, struct source *s);

/** CLOCK_BOOTTIME of a stamp of the TSC, in ns, by the pairs of both that every mark notes; of a
 * counter: of the last mark, or, of a source, of the nearest mark. 0 before the first mark. */
uint64_t regions_time(const struct regions *r, uint64_t stamp);
uint64_t regions_time_of(const struct source *s, uint64_t stamp);

#endif
