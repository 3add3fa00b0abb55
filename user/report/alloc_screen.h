/* alloc_screen.h - what the tables of allocations have in common on a console: the head, the
 * numbers in front of a row, cells. */
#ifndef TASKDIAG_REPORT_ALLOC_SCREEN_H
#define TASKDIAG_REPORT_ALLOC_SCREEN_H

#include <stdio.h>

#include "report/alloc_view.h"
#include "report/report.h"

#define ALLOC_ROWS 30u /* shown without --full */

struct alloc_screen {
	FILE *out;
	const struct run *run;
	const struct report_style *style;
	struct alloc_view view;
	bool errors;	       /* numbers have an error beside them */
	unsigned columns;      /* of a line */
	unsigned name_columns; /* of them behind the numbers */
};

/** Makes the view, prints the head, calls @print, flushes. -ENODATA: no such allocations. */
int alloc_screen_show(const struct run *r, const struct report_style *style, FILE *out,
		      unsigned shape, bool each_line, int (*print)(struct alloc_screen *s));

void alloc_screen_sgr(const struct alloc_screen *s, const char *codes);
/** "bytes (95 %) share pieces", then @rest. */
void alloc_screen_heads(const struct alloc_screen *s, const char *rest);
void alloc_screen_numbers(const struct alloc_screen *s, double bytes, double squares,
			  double pieces);
/** @text made safe, cut to @columns and, when @pad, filled up to them. -ENOMEM. */
int alloc_screen_cell(const struct alloc_screen *s, const char *text, unsigned columns, bool pad);
/** A function and its place, in what is left of the line. */
int alloc_screen_function(const struct alloc_screen *s, uint32_t function, unsigned columns);
/** The line for @n rows that are not shown. */
void alloc_screen_omitted(const struct alloc_screen *s, size_t n, double bytes, const char *what);

#endif
