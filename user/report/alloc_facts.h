/* alloc_facts.h - what every report says about allocations, in the same words. As in facts.h:
 * strings are new, raw, NULL without memory. */
#ifndef TASKDIAG_REPORT_ALLOC_FACTS_H
#define TASKDIAG_REPORT_ALLOC_FACTS_H

#include "report/alloc_view.h"
#include "report/facts.h"
#include "report/run.h"

struct fact_text fact_bytes(double bytes);  /* "512 B", "345.0 MiB" */
struct fact_text fact_change(double bytes); /* "+345.0 MiB" */

/** "allocation" or "page", with an s unless @n is 1. */
const char *alloc_piece(const struct allocations *a, double n);

/** "±", or "+-" without UTF-8. */
const char *alloc_plus_minus(bool utf8);

/** The 95 % interval of the bytes at the peak; false: it is exact, or none is known. */
bool fact_alloc_interval(const struct run *r, const struct allocations *a, double *ret_low,
			 double *ret_high);

/** "heap, exact: 345.0 MiB live at the peak (12.17 s), in 12,345 allocations". */
char *fact_alloc_total(const struct run *r, const struct allocations *a, enum alloc_kind kind);

/** The same of the peak, short and in MB, as memory is told: "heap, exact: peak 345.0 MB at 12.17
 * s, 12,345 allocations". */
char *fact_alloc_peak(const struct run *r, const struct allocations *a);

/** What the peak holds beyond the entries: "not in it: 12.0 MiB before the observation", and that
 * small objects of Python hide in arenas; "": neither. */
char *fact_alloc_remainder(const struct run *r, const struct allocations *a);

/** The one line for a run without them (@resident: without those of resident pages): what is
 * missing, the next step. */
char *fact_alloc_absent(const struct run *r, bool resident);

#endif
