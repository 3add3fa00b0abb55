/* heap_calls.h - the heap of processes that ran before us (--exact): uprobes at malloc & co. in
 * every file of theirs that has them.
 *
 *   EV_PROCESS, EV_EXEC ──► noted ──► heap_calls_pump(): maps ──► worker ──► uprobes ──►
 * EV_HEAP_CALLS EV_EXIT             ──► the uprobes of that process go SAMPLE_PROCESS      ──► more
 * code is mapped: files that came later NOTE_CALLS          ──► traps × their cost ──► the brake of
 * --max-overhead
 *
 * A probe is of one process: no other one traps. A fork has none before we give it some, and an
 * exec loses those it had, so what runs in between is not seen; it is told as "before".
 */
#ifndef TASKDIAG_HEAP_CALLS_H
#define TASKDIAG_HEAP_CALLS_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/events.h"
#include "lib/problem.h"

struct heap_calls;
struct inspect;
struct probes;

/* Borrowed. @tell gets EV_HEAP_CALLS records. */
struct heap_calls_config {
	struct probes *probes;
	struct inspect *inspect;
	double max_overhead; /* of the task's time; 1 and above: no brake */
	void (*tell)(void *context, const void *record, size_t bytes);
	void *context;
};

struct heap_calls *heap_calls_new(const struct heap_calls_config *config); /* NULL with errno set */
void heap_calls_free(struct heap_calls *c); /* NULL is fine; removes every probe */

/** Notes only: no probe comes or goes within these two. */
void heap_calls_record(struct heap_calls *c, const struct event_header *h);
void heap_calls_sample(struct heap_calls *c, const struct sample_header *h);
/** Gives and takes probes as these want it; pulls the brake. After every drain. */
void heap_calls_pump(struct heap_calls *c);
/** All are removed; what is in the ring stays. */
void heap_calls_end(struct heap_calls *c);

#endif
