/* pagemap.h - which pages of a process are resident, by /proc/PID/pagemap and maps.
 *
 * With PAGEMAP_SCAN (Linux 6.7) 11 ms per resident GB, holes are free; before, entry by entry, but
 * only of areas that have resident pages at all (smaps). Names are the task's, and hostile.
 */
#ifndef TASKDIAG_PAGEMAP_H
#define TASKDIAG_PAGEMAP_H

#include <stdint.h>

#include "aggregate/pages.h"

/* Resident pages in a row, all in one mapping. The zero page is none. */
struct pagemap_area {
	uint64_t first, count; /* numbers of pages */
	enum page_kind kind;
	const char *mapping; /* a path, "[heap]", "[anonymous]" …: valid in the call only */
};

typedef void (*pagemap_fn)(void *context, const struct pagemap_area *area);

/** @pid as the observer sees it. 0; -ETIME: @budget_ns was over before all was read; -ESRCH: it has
 * ended; -EPERM; another -errno. What was read before has been told. */
int pagemap_scan(uint32_t pid, uint64_t budget_ns, pagemap_fn fn, void *context);

#endif
