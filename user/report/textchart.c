/* textchart.c - curve → lines of text (see textchart.h). */
#include "report/textchart.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "report/facts.h"

#define COLUMNS_MAX 400u
#define LABELS_MAX (COLUMNS_MAX + 1)

struct glyphs {
	const char *levels[9]; /* of a cell: empty … full */
	const char *gap, *tick, *side, *corner, *axis, *peak;
};

static const struct glyphs unicode = {
	.levels = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" },
	.gap = "·",
	.tick = "┤",
	.side = "│",
	.corner = "└",
	.axis = "─",
	.peak = "▲",
};

static const struct glyphs ascii = {
	.levels = { " ", ".", ".", ".", ":", ":", ":", "#", "#" },
	.gap = "/",
	.tick = "+",
	.side = "|",
	.corner = "+",
	.axis = "-",
	.peak = "^",
};

struct chart {
	const struct curve *curve;
	const struct glyphs *glyphs;
	bool colour;
	unsigned rows;	      /* of the plot */
	unsigned width;	      /* columns of the plot */
	unsigned label_width; /* of the MB labels */
	double top_mb;	      /* the upper edge */
	int decimals;	      /* of the MB labels */
	double *mb;	      /* highest value of every column; NaN: not measured */
	unsigned peak;	      /* its column; == width: none */
};

static unsigned column_of(const struct chart *ch, double time_s)
{
	double span = ch->curve->end_s - ch->curve->start_s;
	double at = (time_s - ch->curve->start_s) / span * ch->width;

	return at <= 0 ? 0 : at >= ch->width - 1 ? ch->width - 1 : (unsigned)at;
}

static double time_of(const struct chart *ch, unsigned column)
{
	return ch->curve->start_s + (ch->curve->end_s - ch->curve->start_s) * column / ch->width;
}

static double value_at(const struct curve_point *a, const struct curve_point *b, double time_s)
{
	double span = b->time_s - a->time_s;
	double part = span > 0 ? (time_s - a->time_s) / span : 0;

	return a->bytes + (b->bytes - a->bytes) * fmin(1, fmax(0, part));
}

static void raise_column(struct chart *ch, unsigned column, double bytes)
{
	ch->mb[column] = fmax(ch->mb[column], bytes / FACT_MB); /* fmax() passes over NaN */
}

static void fill_columns(struct chart *ch)
{
	const struct curve_point *p = ch->curve->points;

	for (unsigned c = 0; c < ch->width; c++)
		ch->mb[c] = NAN;
	for (size_t i = 0; i < ch->curve->n; i++) {
		unsigned to = column_of(ch, p[i].time_s);

		raise_column(ch, to, p[i].high);
		if (!i || p[i].lift)
			continue;
		for (unsigned c = column_of(ch, p[i - 1].time_s); c < to; c++) {
			raise_column(ch, c, value_at(&p[i - 1], &p[i], time_of(ch, c + 1)));
			raise_column(ch, c + 1, value_at(&p[i - 1], &p[i], time_of(ch, c + 1)));
		}
	}
	ch->peak = ch->width;
	if (isnan(ch->curve->peak_bytes))
		return;
	ch->peak = column_of(ch, ch->curve->peak_time_s);
	raise_column(ch, ch->peak, ch->curve->peak_bytes);
}

/* An upper edge whose quarters are short numbers. */
static double nice_top(double mb)
{
	static const double tops[] = { 1, 1.2, 1.6, 2,	 2.4, 2.8, 3.2, 3.6,
				       4, 4.8, 5.6, 6.4, 7.2, 8,   10 };
	double power;

	if (!(mb > 0.001))
		return 0.001;
	power = pow(10, floor(log10(mb)));
	for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++)
		if (tops[i] * power >= mb)
			return tops[i] * power;
	return 10 * power;
}

static void scale(struct chart *ch)
{
	double highest = 0;
	char label[64];

	for (unsigned c = 0; c < ch->width; c++)
		highest = fmax(highest, ch->mb[c]);
	ch->top_mb = nice_top(highest);
	for (ch->decimals = 0; ch->decimals < 5; ch->decimals++) {
		double quarter = ch->top_mb / 4 * pow(10, ch->decimals);

		if (fabs(quarter - round(quarter)) < 1e-6 * quarter)
			break;
	}
	ch->label_width =
	    (unsigned)snprintf(label, sizeof(label), "%.*f MB", ch->decimals, ch->top_mb);
}

static void colour(FILE *out, const struct chart *ch, const char *sgr)
{
	if (ch->colour)
		fprintf(out, "\033[%sm", sgr);
}

static const char *cell(const struct chart *ch, unsigned column, unsigned row)
{
	double eighths = ch->mb[column] / ch->top_mb * ch->rows * 8 - 8.0 * row;

	if (isnan(ch->mb[column]))
		return ch->glyphs->gap;
	if (ch->mb[column] > 0 && row == 0)
		eighths = fmax(eighths, 1); /* little is not nothing */
	return ch->glyphs->levels[eighths <= 0 ? 0 : eighths >= 8 ? 8 : (int)round(eighths)];
}

static void print_row(FILE *out, const struct chart *ch, unsigned row)
{
	bool labelled = (ch->rows - 1 - row) % 2 == 0;
	unsigned first = column_of(ch, ch->curve->points[0].time_s);
	unsigned last = column_of(ch, ch->curve->points[ch->curve->n - 1].time_s);
	char label[64] = "";

	if (labelled)
		snprintf(label, sizeof(label), row == ch->rows - 1 ? "%.*f MB" : "%.*f   ",
			 ch->decimals, ch->top_mb * (row + 1) / ch->rows);
	fprintf(out, "%*s %s", (int)ch->label_width, label,
		labelled ? ch->glyphs->tick : ch->glyphs->side);
	colour(out, ch, "36");
	for (unsigned c = 0; c < ch->width; c++) {
		bool outside = isnan(ch->mb[c]) && (c < first || c > last);

		if (c == ch->peak)
			colour(out, ch, "1;31");
		fputs(outside ? " " : cell(ch, c, row), out);
		if (c == ch->peak)
			colour(out, ch, "0;36");
	}
	colour(out, ch, "0");
	fputc('\n', out);
}

static void print_axis(FILE *out, const struct chart *ch)
{
	fprintf(out, "%*s %s", (int)ch->label_width, "0   ", ch->glyphs->corner);
	for (unsigned c = 0; c < ch->width; c++) {
		if (c == ch->peak)
			colour(out, ch, "1;31");
		fputs(c == ch->peak ? ch->glyphs->peak : ch->glyphs->axis, out);
		if (c == ch->peak)
			colour(out, ch, "0");
	}
	fputc('\n', out);
}

/* Puts @text around @column where the line still is free, one blank on each side included. */
static void place(char *line, unsigned width, unsigned column, const char *text)
{
	unsigned n = (unsigned)strlen(text), from;

	if (n > width)
		return;
	from = column > n / 2 ? column - n / 2 : 0;
	from = from + n > width ? width - n : from;
	for (unsigned c = from ? from - 1 : 0; c <= from + n && c < width; c++)
		if (line[c] != ' ')
			return;
	memcpy(line + from, text, n);
}

static void print_seconds(FILE *out, const struct chart *ch)
{
	double span = ch->curve->end_s - ch->curve->start_s;
	double step = curve_step(span, ch->width / 12), t;
	int decimals = curve_decimals(step);
	char line[LABELS_MAX], label[64];

	memset(line, ' ', ch->width);
	line[ch->width] = '\0';
	if (ch->peak < ch->width)
		place(line, ch->width, ch->peak, "peak");
	for (unsigned i = 0; i <= ch->width / 12 + 1; i++) {
		t = (ceil(ch->curve->start_s / step) + i) * step;
		if (t > ch->curve->end_s + step / 1000)
			break;
		snprintf(label, sizeof(label), "%.*f s", decimals, t + 0.0);
		place(line, ch->width, column_of(ch, t), label);
	}
	for (unsigned n = ch->width; n && line[n - 1] == ' '; n--)
		line[n - 1] = '\0';
	fprintf(out, "%*s  %s\n", (int)ch->label_width, "", line);
}

int textchart_print(FILE *out, const struct curve *c, const struct textchart_style *style)
{
	unsigned columns = style->columns < 40		  ? 40
			   : style->columns > COLUMNS_MAX ? COLUMNS_MAX
							  : style->columns;
	struct chart ch = { .curve = c,
			    .glyphs = style->utf8 ? &unicode : &ascii,
			    .colour = style->colour,
			    .rows = style->rows ? style->rows : 8 };
	_cleanup_free_ double *mb = calloc(columns, sizeof(*mb));

	if (!mb)
		return -ENOMEM;
	ch.mb = mb;
	ch.width = columns - 14; /* enough to learn how wide the labels are */
	fill_columns(&ch);
	scale(&ch);
	ch.width = columns - (ch.label_width < 24 ? ch.label_width : 24) - 2;
	fill_columns(&ch);
	for (unsigned row = ch.rows; row-- > 0;)
		print_row(out, &ch, row);
	print_axis(out, &ch);
	print_seconds(out, &ch);
	return 0;
}
