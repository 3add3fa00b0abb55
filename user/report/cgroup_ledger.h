/* cgroup_ledger.h - where the bytes of the observed cgroup were at its peak, and who was killed for
 * want of memory: from the manifest to lines that reports show. */
#ifndef TASKDIAG_REPORT_CGROUP_LEDGER_H
#define TASKDIAG_REPORT_CGROUP_LEDGER_H

#include "report/run.h"

/* A row, largest first; strings are raw and borrowed from the manifest. */
struct ledger_row {
	const char *kind, *name;
	double bytes, share;  /* of the peak: all rows together are 1 */
	const json_t *stacks; /* of a process: who held its pages; NULL: not known */
	const json_t *files;  /* of the file cache; NULL: not known */
};

/** *ret is to be freed. 0 rows: no cgroup, or no counters. 0, -ENOMEM. */
int ledger_rows(const struct run *r, struct ledger_row **ret, size_t *ret_count);

/* Strings are new, raw, to be freed; NULL: no memory, or *ret_none is set: nothing to say. */

/** "/shop: peak 138.9 MB at 1.51 s, 27.1 % of its limit of 512.0 MB". */
char *fact_cgroup(const struct run *r, bool *ret_none);
/** "3.21 s: worker-123 (98.1 MB) was killed; worker-123 asked, the cgroup had 100.0 of 100.0 MB".
 */
char *fact_oom(const struct run *r, size_t index, bool *ret_none);
/** The row in words: a process with the stack that held most of it, a cache with its largest file.
 */
char *ledger_row_text(const struct ledger_row *row);

#endif
