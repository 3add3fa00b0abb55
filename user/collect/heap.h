/* heap.h - the live heap of a started command: who held the malloc'd bytes that were live when the
 * live heap was highest.
 *
 *   EV_REGION ──► a space (address space with a shim)      EV_HEAP_STACK ──► token → stack; answer
 *   rings of the shim (regions.h), or EV_HEAP_ALLOC/FREE ──► aggregate/heap.h ──► entries
 *
 * A forked process has the heap of its parent, counted from its own first event on: one that only
 * executes another program never counts.
 */
#ifndef TASKDIAG_COLLECT_HEAP_H
#define TASKDIAG_COLLECT_HEAP_H

#include <jansson.h>

#include "aggregate/allocations.h"
#include "collect/collector.h"

struct live_heap;
struct stack_build;

struct live_heap *live_heap_new(const struct observation *o); /* NULL with errno set */
void live_heap_free(struct live_heap *h);		      /* NULL is fine */

/** EV_REGION, EV_HEAP_*, EV_PROCESS, EV_EXEC, EV_EXIT, EV_IMAGE_END. */
void live_heap_record(struct live_heap *h, const struct event_header *e);
/** SAMPLE_TASK: the RSS beside it. */
void live_heap_sample(struct live_heap *h, const struct sample_header *s);

/** True: rings have been marked, the ring buffer is to be drained, and then live_heap_take(). */
bool live_heap_mark(struct live_heap *h);
void live_heap_take(struct live_heap *h);

/** Nothing more will come: takes all that is left. */
void live_heap_end(struct live_heap *h);

bool live_heap_any(const struct live_heap *h);	 /* a shim has greeted us */
bool live_heap_exact(const struct live_heap *h); /* every allocation is in it, and proved */
/** Peak of live bytes; *ret_ns: CLOCK_BOOTTIME. */
uint64_t live_heap_peak(const struct live_heap *h, uint64_t *ret_ns);
/** Only samples are told since *ret_ns: all cost too much. */
bool live_heap_thinned(const struct live_heap *h, uint64_t *ret_ns);
uint64_t live_heap_gap_bytes(const struct live_heap *h); /* mean, of samples; 0: exact */

/** Adds what each location held to @a. 0, -ENOMEM. */
int live_heap_entries(struct live_heap *h, struct stack_build *b, struct allocations *a);

/** Adds sentences on what is missing. */
void live_heap_limits(const struct live_heap *h, json_t *limits);

/** Adds its keys to diagnostics.allocations. */
int live_heap_manifest(const struct live_heap *h, json_t *o);

#endif
