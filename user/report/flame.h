/* flame.h - draws a tree of calls as standalone SVG: a box per call, as wide as its share (see
 * flame.c). What a box stands for is the caller's: flamegraph.c, alloc_flamegraph.c. */
#ifndef TASKDIAG_REPORT_FLAME_H
#define TASKDIAG_REPORT_FLAME_H

#include <stdio.h>

#include "report/calls.h"
#include "report/report.h"

struct flame {
	FILE *out;
	const struct report_style *style;
	const struct profile *profile; /* names */
	struct functions functions;
	struct calls calls;
	/* raw: title of the document, the two lines of the head, what is said of it as a whole */
	const char *title, *name, *line, *description;
	void (*numbers)(const struct flame *f, uint32_t node); /* text of a box's tooltip */
	const void *context;				       /* of numbers() */

	double *x;	 /* left edge by node, in marks */
	uint32_t *depth; /* level by node */
	uint32_t levels;
	size_t left_out;
};

/** The caller has made functions and calls, and frees them. -ENOMEM, -EIO. */
int flame_write(struct flame *f);

#endif
