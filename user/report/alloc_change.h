/* alloc_change.h - allocations of two runs, put side by side.
 *
 *	before ──┐
 *	         ├──► one tree of calls ──► node: bytes before and after ──► stacks, functions
 *	after ───┘
 *
 * Functions are the same when name and file (else module) are: lines and addresses move when a
 * program is changed. Processes and threads are not told apart. Pure.
 */
#ifndef TASKDIAG_REPORT_ALLOC_CHANGE_H
#define TASKDIAG_REPORT_ALLOC_CHANGE_H

#include "report/alloc_view.h"

struct change_side {
	struct alloc_view view;
	uint32_t *common;	    /* its functions → those of both */
	uint32_t *node;		    /* its nodes → those of both */
	uint64_t *bytes;	    /* of each node of both, without what is below */
	uint64_t *pieces;	    /* the same */
	double *squares;	    /* of errors, in bytes² */
	struct calls_total *totals; /* of each function of both, by number */
};

struct alloc_change {
	struct change_side before, after;
	struct functions functions; /* of both; of_frame is not set */
	struct calls calls;	    /* of both */
	uint32_t *ends;		    /* nodes in which stacks end, those that grew most first */
	size_t n_ends;
	uint32_t *order; /* functions, those that grew most in themselves first */
};

/** -ENOMEM. Lives as long as both do. Give it back with alloc_change_done(). */
int alloc_change_init(struct alloc_change *ret, const struct allocations *before,
		      const struct allocations *after, enum alloc_kind kind);
void alloc_change_done(struct alloc_change *c);

int64_t alloc_change_bytes(const struct alloc_change *c, uint32_t node);
int64_t alloc_change_own(const struct alloc_change *c, uint32_t function);
int64_t alloc_change_total(const struct alloc_change *c, uint32_t function);
/** Half the 95 % interval of what a node changed by. */
double alloc_change_error(const struct alloc_change *c, uint32_t node);
double alloc_change_error_of_all(const struct alloc_change *c);

#endif
