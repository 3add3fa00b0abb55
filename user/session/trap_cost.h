/* trap_cost.h - what a uprobe costs a task on this machine: bare metal 0.3 us, here 8. */
#ifndef TASKDIAG_TRAP_COST_H
#define TASKDIAG_TRAP_COST_H

#include <stdint.h>

struct probes;

/** ns of one hit, by a child of ours that calls a probed function a thousand times; a guess (5 us)
 * when that cannot be. */
uint64_t trap_cost_ns(const struct probes *p);

#endif
