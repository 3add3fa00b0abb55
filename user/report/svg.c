/* svg.c - run → the RSS curve as one standalone SVG: presentation attributes only, no style, no
 * script. */
#include <errno.h>
#include <math.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/curve.h"
#include "report/facts.h"
#include "report/report.h"

/* user units = pixels */
#define WIDTH 960.0
#define HEIGHT 480.0
#define LEFT 84.0
#define RIGHT (WIDTH - 28.0)
#define TOP 56.0
#define BOTTOM (HEIGHT - 60.0)

#define COLOUR_CURVE "#0b6fb8"
#define COLOUR_PEAK "#c2341d"
#define COLOUR_GRID "#e3e6ea"
#define COLOUR_TEXT "#3b4450"

struct plot {
	FILE *out;
	const struct curve *curve;
	double y_step, y_top; /* MB */
};

static double x_of(const struct plot *p, double time_s)
{
	double at = (time_s - p->curve->start_s) / (p->curve->end_s - p->curve->start_s);

	return LEFT + fmax(0, fmin(1, at)) * (RIGHT - LEFT);
}

static double y_of(const struct plot *p, double bytes)
{
	return BOTTOM - fmax(0, fmin(1, bytes / FACT_MB / p->y_top)) * (BOTTOM - TOP);
}

static void scale(struct plot *p)
{
	double highest = 0;

	for (size_t i = 0; i < p->curve->n; i++)
		highest = fmax(highest, p->curve->points[i].high);
	highest = fmax(0.001, fmax(highest, p->curve->peak_bytes) / FACT_MB);
	p->y_step = curve_step(highest * 1.06, 6);
	p->y_top = ceil(highest * 1.06 / p->y_step) * p->y_step;
}

static int print_head(const struct plot *p, const struct run *r)
{
	_cleanup_free_ char *command = fact_command(r), *safe_command = NULL, *safe_id = NULL;
	const char *id = run_string(r, "task.id");

	safe_command = command ? escape_xml(command) : NULL;
	safe_id = escape_xml(id ? id : "unnamed task");
	if (!safe_command || !safe_id)
		return -ENOMEM;
	fprintf(
	    p->out,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
	    "viewBox=\"0 0 %.0f %.0f\" role=\"img\" font-family=\"sans-serif\" font-size=\"13\" "
	    "fill=\"" COLOUR_TEXT "\">\n"
	    "<title>RSS of %s</title>\n<desc>%s</desc>\n"
	    "<rect width=\"%.0f\" height=\"%.0f\" fill=\"#ffffff\"/>\n"
	    "<text x=\"%.0f\" y=\"28\" font-size=\"16\" font-weight=\"bold\">%s</text>\n",
	    WIDTH, HEIGHT, WIDTH, HEIGHT, safe_id, safe_command, WIDTH, HEIGHT, LEFT, safe_id);
	return 0;
}

static void print_y_axis(const struct plot *p)
{
	int decimals = curve_decimals(p->y_step);

	for (unsigned i = 0; i <= 12 && i * p->y_step <= p->y_top * 1.001; i++) {
		double y = y_of(p, i * p->y_step * FACT_MB);

		fprintf(
		    p->out,
		    "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"" COLOUR_GRID
		    "\"/>"
		    "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.*f</text>\n",
		    LEFT, y, RIGHT, y, LEFT - 10, y + 4.5, decimals, i * p->y_step);
	}
	fprintf(p->out,
		"<text transform=\"translate(22 %.1f) rotate(-90)\" text-anchor=\"middle\">"
		"Task Process Megabytes (MB)</text>\n",
		(TOP + BOTTOM) / 2);
}

static void print_x_axis(const struct plot *p)
{
	double step = curve_step(p->curve->end_s - p->curve->start_s, 10);
	double first = ceil(p->curve->start_s / step);
	int decimals = curve_decimals(step);

	for (unsigned i = 0; i <= 12 && (first + i) * step <= p->curve->end_s + step / 1000; i++) {
		double x = x_of(p, (first + i) * step);

		fprintf(
		    p->out,
		    "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"" COLOUR_TEXT
		    "\"/>"
		    "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.*f</text>\n",
		    x, BOTTOM, x, BOTTOM + 5, x, BOTTOM + 21, decimals, (first + i) * step + 0.0);
	}
	fprintf(
	    p->out,
	    "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"" COLOUR_TEXT "\"/>\n"
	    "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">Seconds since task start</text>\n",
	    LEFT, BOTTOM, RIGHT, BOTTOM, (LEFT + RIGHT) / 2, BOTTOM + 46);
}

static void print_gaps(const struct plot *p)
{
	const struct curve_point *points = p->curve->points;

	for (size_t i = 1; i < p->curve->n; i++) {
		double from = x_of(p, points[i - 1].time_s), to = x_of(p, points[i].time_s);

		if (!points[i].lift)
			continue;
		fprintf(p->out,
			"<rect class=\"gap\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
			"fill=\"#f1f2f4\">"
			"<title>no ticks from %.3f s to %.3f s</title></rect>\n",
			from, TOP, fmax(1, to - from), BOTTOM - TOP, points[i - 1].time_s,
			points[i].time_s);
		if (to - from > 40)
			fprintf(p->out,
				"<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" "
				"fill=\"#7a838f\">gap</text>\n",
				(from + to) / 2, (TOP + BOTTOM) / 2);
	}
}

/* From low to high of merged rows: one area for every stretch without a gap. */
static void print_band(const struct plot *p)
{
	const struct curve_point *points = p->curve->points;
	size_t end;

	for (size_t i = 0; i < p->curve->n; i = end) {
		bool wide = false;

		for (end = i; end < p->curve->n && (end == i || !points[end].lift); end++)
			wide |= points[end].low < points[end].high;
		if (!wide)
			continue;
		fputs("<path class=\"band\" fill=\"" COLOUR_CURVE "\" fill-opacity=\"0.15\" d=\"",
		      p->out);
		for (size_t k = i; k < end; k++)
			fprintf(p->out, "%s%.2f %.2f", k == i ? "M" : "L",
				x_of(p, points[k].time_s), y_of(p, points[k].high));
		for (size_t k = end; k-- > i;)
			fprintf(p->out, "L%.2f %.2f", x_of(p, points[k].time_s),
				y_of(p, points[k].low));
		fputs("Z\"/>\n", p->out);
	}
}

static void print_curve(const struct plot *p)
{
	const struct curve_point *points = p->curve->points;

	if (!p->curve->n) {
		fprintf(p->out,
			"<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">RSS was not "
			"measured</text>\n",
			(LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2);
		return;
	}
	fputs("<path class=\"curve\" fill=\"none\" stroke=\"" COLOUR_CURVE
	      "\" stroke-width=\"1.75\" stroke-linejoin=\"round\" stroke-linecap=\"round\" d=\"",
	      p->out);
	for (size_t i = 0; i < p->curve->n; i++) {
		bool lone = (!i || points[i].lift) && (i + 1 == p->curve->n || points[i + 1].lift);

		fprintf(p->out, "%s%.2f %.2f%s", !i || points[i].lift ? "M" : "L",
			x_of(p, points[i].time_s), y_of(p, points[i].bytes), lone ? "h0.01" : "");
	}
	fputs("\"/>\n", p->out);
}

static void print_peak(const struct plot *p)
{
	double x = x_of(p, p->curve->peak_time_s), y = y_of(p, p->curve->peak_bytes);
	bool right = x > (LEFT + RIGHT) / 2;

	if (isnan(p->curve->peak_bytes))
		return;
	fprintf(p->out,
		"<g class=\"peak\" fill=\"" COLOUR_PEAK "\">"
		"<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"" COLOUR_PEAK
		"\" stroke-dasharray=\"3 3\"/>"
		"<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>"
		"<text x=\"%.1f\" y=\"%.1f\" font-weight=\"bold\" text-anchor=\"%s\">peak %s at "
		"%s</text></g>\n",
		x, y, x, BOTTOM, x, y, right ? x - 8 : x + 8, y - 9, right ? "end" : "start",
		fact_mb(p->curve->peak_bytes).s, fact_seconds(p->curve->peak_time_s).s);
}

int report_plot(const struct run *r, const struct report_style *style, FILE *out)
{
	struct curve curve;
	struct plot p = { .out = out, .curve = &curve };
	int err;

	(void)style;
	err = curve_init(&curve, r);
	if (err)
		return err;
	scale(&p);
	err = print_head(&p, r);
	if (!err) {
		print_y_axis(&p);
		print_gaps(&p);
		print_band(&p);
		print_x_axis(&p);
		print_curve(&p);
		print_peak(&p);
		fputs("</svg>\n", out);
	}
	curve_done(&curve);
	if (!err && (fflush(out) || ferror(out)))
		err = -EIO;
	return err;
}
