/* curve.c - rows → the points of a curve (see curve.h). */
#include "report/curve.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "report/facts.h"

static void add(struct curve *c, double time_s, double bytes, double low, double high, bool *lift)
{
	c->points[c->n++] = (struct curve_point){
		.time_s = time_s, .bytes = bytes, .low = low, .high = high, .lift = *lift && c->n
	};
	*lift = false;
}

/* The run's peak lies between the row before and @row, and no point of the curve tells it yet. */
static bool holds_peak(const struct curve *c, const struct run_row *row)
{
	const struct curve_point *before = c->n ? &c->points[c->n - 1] : NULL;

	/* memory.csv may round its times */
	if (row->v[RUN_RSS_PEAK] != c->peak_bytes ||
	    !(fabs(row->v[RUN_RSS_PEAK_TIME] - c->peak_time_s) < 0.002))
		return false;
	if (row->event != RUN_MERGED && row->v[RUN_RSS] == c->peak_bytes)
		return false;
	return row->v[RUN_RSS_PEAK_TIME] <= row->v[RUN_TIME] &&
	       (!before || row->v[RUN_RSS_PEAK_TIME] >= before->time_s);
}

static void add_row(struct curve *c, const struct run_row *row, bool *lift)
{
	double rss = row->v[RUN_RSS], low = rss, high = rss;

	if (row->event == RUN_GAP)
		*lift = true;
	if (holds_peak(c, row))
		add(c, row->v[RUN_RSS_PEAK_TIME], c->peak_bytes, c->peak_bytes, c->peak_bytes,
		    lift);
	if (isnan(rss))
		return;
	if (row->event == RUN_MERGED) {
		low = fmin(row->v[RUN_RSS_MIN], rss);
		high = fmax(row->v[RUN_RSS_PEAK], rss);
	}
	add(c, row->v[RUN_TIME], rss, low, high, lift);
}

int curve_init(struct curve *ret, const struct run *r)
{
	struct curve c = { .peak_bytes = NAN, .peak_time_s = NAN };
	bool lift = false;

	c.points = calloc(2 * r->n_rows + 1, sizeof(*c.points));
	if (!c.points)
		return -ENOMEM;
	fact_peak(r, &c.peak_bytes, &c.peak_time_s);
	for (size_t i = 0; i < r->n_rows; i++)
		add_row(&c, &r->rows[i], &lift);
	c.start_s = c.n ? fmin(0, c.points[0].time_s) : 0;
	c.end_s = fmax(fact_duration(r), c.n ? c.points[c.n - 1].time_s : 0);
	if (c.end_s - c.start_s < 1e-3)
		c.end_s = c.start_s + 1;
	if (!(c.end_s > c.start_s)) /* times so large that adding one is lost */
		c.end_s = nextafter(c.start_s, INFINITY);
	*ret = c;
	return 0;
}

void curve_done(struct curve *c)
{
	free(c->points);
	c->points = NULL;
	c->n = 0;
}

double curve_step(double span, unsigned most)
{
	double power = pow(10, floor(log10(span / most)));
	double part = span / most / power;

	return power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
}

int curve_decimals(double step)
{
	return step >= 1 ? 0 : (int)fmin(6, ceil(-log10(step) - 1e-9));
}
