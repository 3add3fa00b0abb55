/* rows.h - memory.csv as text → rows. Pure. */
#ifndef TASKDIAG_REPORT_ROWS_H
#define TASKDIAG_REPORT_ROWS_H

#include "report/run.h"

/** What a sane time or size is: anything beyond is refused (memory.csv) or not measured (manifest). */
#define RUN_NUMBER_MAX 9.2e18

/**
 * Parses @text (NUL-terminated, is modified). Columns are found by the name in the header line; unknown ones
 * are ignored. *ret_rows is the caller's. On failure returns -EINVAL, -E2BIG (too many rows) or -ENOMEM,
 * and *ret_error, to be freed, says line and cause (it may hold raw text of the file).
 */
int rows_parse(char *text, struct run_row **ret_rows, size_t *ret_n, char **ret_error);

#endif
