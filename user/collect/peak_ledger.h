/* peak_ledger.h - where the bytes of a cgroup were when it used most: a table that adds up to its
 * peak.
 *
 *   anonymous memory of each process ─┐
 *   file cache, shared memory        ─┤
 *   slab, page tables, kernel stacks ─┼─► rows ──► what no row has: "unattributed", with its size
 *   the kernel's rest, sockets       ─┤
 *   used after the last look         ─┘
 *
 * Rows are from one moment, the look nearest to the peak; how much was used beyond that is a row of
 * its own. Where that would be much (memory that grew too fast to be looked at, an OOM kill) and
 * the highest RSS is nearer, processes are told as they were at the highest RSS, which is kept to
 * the page, and the rest as at the look. A page that was forked counts in the RSS of several
 * processes but is charged once: where the processes have more than the cgroup, each one's bytes
 * are scaled down by the same factor.
 */
#ifndef TASKDIAG_PEAK_LEDGER_H
#define TASKDIAG_PEAK_LEDGER_H

#include <jansson.h>

#include "aggregate/processes.h"
#include "collect/memcg.h"

struct peak_ledger_moments {
	uint64_t tick;	    /* of the look: processes with that usage_tick were there */
	uint64_t rss_epoch; /* of the highest RSS: their share_bytes are of then */
	uint64_t rss_peak_ns;
};

/** diagnostics.memory.cgroup.ledger; *ret_moment: "look" or "rss_peak". NULL: no memory. */
json_t *peak_ledger_json(const struct memcg_peak *peak, const struct processes *processes,
			 const struct peak_ledger_moments *moments, const char **ret_moment);

#endif
