/* alloc_lines.h - file:line and inlined functions for the frames of allocations, when they are
 * looked at (see source_lines.h). */
#ifndef TASKDIAG_REPORT_ALLOC_LINES_H
#define TASKDIAG_REPORT_ALLOC_LINES_H

#include "aggregate/allocations.h"
#include "report/source_lines.h"

/** *ret: new, with the same entries. @a stays the caller's; its tree gets samples, which nobody
 * else looks at. As source_lines_add(). */
int alloc_lines_add(struct allocations *a, struct inspect *inspect, bool debuginfod,
		    source_lines_fn note, void *context, struct allocations **ret);

#endif
