/* curve.h - rows → the points of a curve, and axis numbers that people like. Pure.
 *
 * A gap is never bridged: the first point after it has `lift` set, as gnuplot's pen.
 */
#ifndef TASKDIAG_REPORT_CURVE_H
#define TASKDIAG_REPORT_CURVE_H

#include <stdbool.h>
#include <stddef.h>

#include "report/run.h"

struct curve_point {
	double time_s;
	double bytes;	  /* RSS; of merged rows the mean */
	double low, high; /* merged rows: lowest and highest RSS; else both as bytes */
	bool lift;	  /* nothing was measured since the point before */
};

struct curve {
	struct curve_point *points; /* times never go back */
	size_t n;
	double start_s, end_s; /* of the time axis; start < end */
	double peak_bytes;     /* NaN when nothing was measured */
	double peak_time_s;
};

/**
 * The RSS of @r; the peak of the run is one of the points even where its row is merged.
 * Returns 0 (with n == 0 when nothing was measured) or -ENOMEM. Give it back with curve_done().
 */
int curve_init(struct curve *ret, const struct run *r);
void curve_done(struct curve *c);

/** 1, 2 or 5 times a power of ten: the step that cuts @span into at most @most parts. @span > 0. */
double curve_step(double span, unsigned most);
/** Decimals that multiples of @step need to differ. */
int curve_decimals(double step);

#endif
