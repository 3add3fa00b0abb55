/* pss.h - proportional set size of processes, measured rarely: the kernel walks their page tables
 * to tell it.
 *
 *   /proc/PID/smaps_rollup ──► Σ Pss, if the cost fits the budget (0.1 % of the time since the last
 * one)
 */
#ifndef TASKDIAG_PSS_H
#define TASKDIAG_PSS_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregate/processes.h"

struct pss_budget {
	uint64_t next_ns; /* CLOCK_BOOTTIME: not before */
};

/** Whether measuring @rss_bytes in @processes fits at @now_ns. 12 ms per resident GB, 0.05 ms a
 * process (docs/performance.md). */
bool pss_affordable(const struct pss_budget *b, uint64_t now_ns, uint64_t rss_bytes,
		    uint32_t processes);

/** Sum over the processes alive; sets when the next may be. 0; -ESRCH: all have ended; or -errno
 * when one that is still alive could not be read. */
int pss_measure(struct pss_budget *b, const struct processes *t, uint64_t *ret_bytes);

#endif
