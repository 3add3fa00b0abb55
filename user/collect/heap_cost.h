/* heap_cost.h - does telling every allocation cost the task more than it may? Pure.
 *
 *   events, traps, time of the task's CPUs, wall time ──► one second ──► share ──► two in a row:
 * yes
 *
 * An estimate, from what an event and a trap cost where it was measured (docs/performance.md): the
 * task without us cannot be seen beside the task with us. The seconds of a start do not count.
 */
#ifndef TASKDIAG_HEAP_COST_H
#define TASKDIAG_HEAP_COST_H

#include <stdbool.h>
#include <stdint.h>

/* What the task pays: an event of the ring with its look at the memo; a walk, and the way there. */
#define HEAP_COST_EVENT_NS 70
#define HEAP_COST_TRAP_NS 3000

/* Sums since the beginning. */
struct heap_cost_now {
	uint64_t time_ns, events, traps, cpu_ns;
};

struct heap_cost {
	struct heap_cost_now last;
	uint64_t begin_ns;
	unsigned above; /* windows in a row */
	double share;	/* of the task's own time, in the last window */
};

/** @limit: a share; 1 and above: never. True: it has cost more for two seconds. */
bool heap_cost_exceeds(struct heap_cost *c, const struct heap_cost_now *now, double limit);

#endif
