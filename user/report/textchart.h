/* textchart.h - a curve as rows of text, for a terminal. */
#ifndef TASKDIAG_REPORT_TEXTCHART_H
#define TASKDIAG_REPORT_TEXTCHART_H

#include <stdbool.h>
#include <stdio.h>

#include "report/curve.h"

struct textchart_style {
	unsigned columns; /* of the whole chart, labels included; at least 40 are used */
	bool utf8;	  /* blocks; else ASCII */
	bool colour;	  /* SGR sequences */
	unsigned rows;	  /* of the plot: 8 or 4; two more for the axis; 0 = 8 */
};

/**
 * Prints rows + 2 lines: MB at the left, seconds below, the peak marked at the axis. A column shows
 * the highest value of its time, so that no peak is lost; columns without any measurement are
 * filled with dots.
 * @c: has points. Returns 0 or -ENOMEM; errors of @out are found by ferror().
 */
int textchart_print(FILE *out, const struct curve *c, const struct textchart_style *style);

#endif
