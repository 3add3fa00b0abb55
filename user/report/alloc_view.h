/* alloc_view.h - one sum of a run's allocations (live at the peak, live at the end, temporary) as a
 * tree of calls. What tree, table, functions, flamegraph and diff show.
 *
 *	entries with bytes of the kind ──► items ──► calls: marks = bytes, cpu_marks = pieces
 *
 * Errors of independent entries add up as squares. Pure.
 */
#ifndef TASKDIAG_REPORT_ALLOC_VIEW_H
#define TASKDIAG_REPORT_ALLOC_VIEW_H

#include "aggregate/allocations.h"
#include "report/calls.h"

enum alloc_kind {
	ALLOC_PEAK,	 /* live when the sum over all was highest */
	ALLOC_LEAKED,	 /* live at the end */
	ALLOC_TEMPORARY, /* freed by the next call of the thread */
	ALLOC_KINDS
};

extern const char *const alloc_kind_names[ALLOC_KINDS]; /* "peak", "leaked", "temporary" */

struct allocation_sum alloc_sum_of(const struct allocation_entry *e, enum alloc_kind kind);

struct alloc_view {
	const struct allocations *allocations;
	const struct profile *names;
	enum alloc_kind kind;
	struct functions functions;
	struct calls calls;
	/* squares of errors in bytes², of each node: with everything below, of its own */
	double *squares, *own_squares;
	uint32_t *items; /* numbers of the entries that count */
	uint32_t *nodes; /* of items[i] */
	size_t n;	 /* items */
};

/** @shape: see calls.h; @each_line: each line of a function on its own. -ENOMEM. Lives as long as
 * @a does. Give it back with alloc_view_done(). */
int alloc_view_init(struct alloc_view *ret, const struct allocations *a, enum alloc_kind kind,
		    unsigned shape, bool each_line);
void alloc_view_done(struct alloc_view *v);

/** With everything below; the error is half the 95 % interval, 0: exact, or not known. */
struct allocation_sum alloc_view_total(const struct alloc_view *v);
double alloc_view_error(const struct alloc_view *v, uint32_t node);

/** CALLS_BY_PROCESS when there is more than one process, else CALLS_MERGED. */
unsigned alloc_view_shape(const struct allocations *a);

#endif
