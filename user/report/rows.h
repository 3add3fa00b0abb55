/* rows.h - memory.csv as text → rows. Pure. docs/artifact-format.md defines every column. */
#ifndef TASKDIAG_REPORT_ROWS_H
#define TASKDIAG_REPORT_ROWS_H

#include <stddef.h>

/* What a sane time or size is: beyond it memory.csv is refused, the manifest's value not measured.
 */
#define RUN_NUMBER_MAX 9.2e18
#define RUN_ROWS_MAX (256u << 10)

enum run_event { RUN_TICK, RUN_PEAK, RUN_GAP, RUN_MERGED };

/* The columns of memory.csv, in its order, without `event`. */
enum run_column {
	RUN_TIME,
	RUN_TICKS,
	RUN_RSS,
	RUN_RSS_MIN,
	RUN_RSS_PEAK,
	RUN_RSS_PEAK_TIME,
	RUN_ANON,
	RUN_FILE,
	RUN_SHMEM,
	RUN_SWAP,
	RUN_PSS,
	RUN_MINOR_FAULTS,
	RUN_MAJOR_FAULTS,
	RUN_PROCESSES,
	RUN_THREADS,
	RUN_CGROUP_USAGE, /* of the observed cgroup; these are not there without one */
	RUN_CGROUP_FILE,
	RUN_CGROUP_KERNEL,
	RUN_CGROUP_ANON,
	RUN_CGROUP_SWAP,
	RUN_COLUMNS
};

extern const char *const run_column_names[RUN_COLUMNS];

/* Seconds, bytes or counts by column; NaN: not measured, which RUN_TIME never is. */
struct run_row {
	enum run_event event;
	double v[RUN_COLUMNS];
};

/**
 * Parses @text (NUL-terminated, is modified). Columns are found by the name in the header line;
 * unknown ones are ignored. *ret_rows is the caller's. On failure returns -EINVAL, -E2BIG (too many
 * rows) or -ENOMEM, and *ret_error, to be freed, says line and cause; it may hold raw text of the
 * file, and is NULL without memory.
 */
int rows_parse(char *text, struct run_row **ret_rows, size_t *ret_n, char **ret_error);

#endif
