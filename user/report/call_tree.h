/* call_tree.h - draws a tree of calls on the console: guides, names, what is left out.
 *
 *	NUMBERS  ├─ compute  compute.c:12
 *
 * Small branches are left out, chains of library code are folded. The numbers in front of a line
 * are the caller's (tree.c, alloc_tree.c).
 */
#ifndef TASKDIAG_REPORT_CALL_TREE_H
#define TASKDIAG_REPORT_CALL_TREE_H

#include <stdio.h>

#include "report/calls.h"
#include "report/report.h"

struct call_tree {
	FILE *out;
	const struct report_style *style;
	const struct profile *profile; /* names */
	struct functions functions;
	struct calls calls;
	uint64_t min; /* marks of a node that is shown */
	unsigned number_columns;
	void (*numbers)(const struct call_tree *t, uint32_t node);
	/* of the children of @node that are left out, together; NULL: they have no line */
	void (*numbers_left_out)(const struct call_tree *t, uint32_t node);
	const void *context; /* of numbers() */
	const char *root;    /* name of the root's line; NULL: it has none */
	size_t left_out, folded;

	uint32_t *depth_of; /* node → its level on the screen */
};

/** Draws all; the caller has made functions and calls, and frees them. Counts left_out and folded.
 * -ENOMEM. */
int call_tree_print(struct call_tree *t);

/** Whether @node is too small to be shown; a root never is. */
bool call_tree_leaves_out(const struct call_tree *t, uint32_t node);

/** Codes of a colour for the next text, when colour is wanted; "0" ends it. */
void call_tree_sgr(const struct call_tree *t, const char *codes);
/** The codes for a share of the whole. */
const char *call_tree_colour(double share);

/** A line, made safe; frees @text. -ENOMEM, also when @text is NULL. */
int call_tree_line(const struct call_tree *t, const char *codes, char *text);

#endif
