/* alloc_diff.c - allocations of two runs → what grew, by stack and by function: tables, or JSON. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/alloc_change.h"
#include "report/alloc_facts.h"
#include "report/alloc_json.h"
#include "report/report.h"

#define GROWN 20u /* shown without --full */
#define SHRUNK 10u
#define CALLERS 64u /* on a line */
#define COLUMNS_MIN 80u
#define COLUMNS_FILE 120u /* where there is no terminal */
#define NUMBER_COLUMNS 50u
#define ERROR_COLUMNS 13u
#define PLACE_COLUMNS 32u

struct diff {
	FILE *out;
	const struct run *runs[2]; /* before, after */
	const struct report_style *style;
	struct alloc_change change;
	bool errors;
	unsigned name_columns;
};

static void sgr(const struct diff *d, const char *codes)
{
	if (d->style->colour)
		fprintf(d->out, "\033[%sm", codes);
}

static double sum_of(const struct change_side *side)
{
	return (double)alloc_view_total(&side->view).bytes;
}

static double pieces_of(const struct change_side *side)
{
	return (double)alloc_view_total(&side->view).count;
}

static int put_side(const struct diff *d, const char *label, const struct run *r,
		    const struct change_side *side)
{
	_cleanup_free_ char *total = fact_alloc_total(r, side->view.allocations, side->view.kind),
			    *line = NULL, *safe = NULL;

	if (!total ||
	    asprintf(&line, "%-7s %.200s: %s", label, r->path ? r->path : "run", total) < 0)
		return -ENOMEM;
	safe = escape_terminal(line, d->style->utf8, 0);
	if (!safe)
		return -ENOMEM;
	fprintf(d->out, "%s\n", safe);
	return 0;
}

static int put_head(const struct diff *d)
{
	const struct change_side *before = &d->change.before, *after = &d->change.after;
	double change = sum_of(after) - sum_of(before),
	       error = alloc_change_error_of_all(&d->change);
	double pieces = pieces_of(after) - pieces_of(before);
	int err = put_side(d, "before", d->runs[0], before);

	if (!err)
		err = put_side(d, "after", d->runs[1], after);
	if (err)
		return err;
	sgr(d, change > error ? "1;31" : change < -error ? "1;32" : "1");
	fprintf(d->out, "change  %s", fact_change(change).s);
	if (sum_of(before) > 0)
		fprintf(d->out, " (%+.1f %%)", 100 * change / sum_of(before));
	if (error > 0)
		fprintf(d->out, " %s %s", alloc_plus_minus(d->style->utf8), fact_bytes(error).s);
	fprintf(d->out, ", %s%s %s", pieces > 0 ? "+" : "", fact_count(pieces).s,
		alloc_piece(after->view.allocations, fabs(pieces)));
	if (fabs(change) < error)
		fputs(": within the error of the estimates", d->out);
	sgr(d, "0");
	fputc('\n', d->out);
	return 0;
}

static void put_numbers(const struct diff *d, double before, double after, double error,
			double pieces)
{
	double change = after - before;
	char count[40];

	sgr(d, fabs(change) < error ? "2" : change > 0 ? "31" : "32");
	fprintf(d->out, "%12s ", fact_change(change).s);
	sgr(d, "0");
	if (d->errors)
		fprintf(d->out, "%s %-10s ", alloc_plus_minus(d->style->utf8), fact_bytes(error).s);
	snprintf(count, sizeof(count), "%s%.30s", pieces > 0 ? "+" : "", fact_count(pieces).s);
	fprintf(d->out, "%11s %11s %11s  ", fact_bytes(before).s, fact_bytes(after).s, count);
}

/* "load  load.c:12 ← main ← …" */
static char *stack_text(const struct diff *d, uint32_t node)
{
	const struct calls_node *nodes = d->change.calls.nodes;
	const struct function_info *all = d->change.functions.all;
	_cleanup_free_ char *text = NULL, *place = NULL;
	unsigned callers = 0;
	size_t size;
	FILE *f;

	if (node == CALLS_ROOT)
		return strdup("[no stack]");
	place = function_place(&all[nodes[node].id]);
	f = place ? open_memstream(&text, &size) : NULL;
	if (!f)
		return NULL;
	fputs(all[nodes[node].id].name, f);
	if (*place)
		fprintf(f, " (%s)", place);
	for (uint32_t i = nodes[node].parent; i != CALLS_ROOT && callers++ < CALLERS;
	     i = nodes[i].parent)
		fprintf(f, " %s %s", d->style->utf8 ? "←" : "<-", all[nodes[i].id].name);
	return fclose(f) ? NULL : take_ptr(text);
}

static int put_stack(const struct diff *d, uint32_t node)
{
	const struct alloc_change *c = &d->change;
	_cleanup_free_ char *text = stack_text(d, node), *safe = NULL;

	safe = text ? escape_terminal(text, d->style->utf8, d->style->full ? 0 : d->name_columns)
		    : NULL;
	if (!safe)
		return -ENOMEM;
	put_numbers(d, (double)c->before.bytes[node], (double)c->after.bytes[node],
		    alloc_change_error(c, node),
		    (double)c->after.pieces[node] - (double)c->before.pieces[node]);
	fprintf(d->out, "%s\n", safe);
	return 0;
}

static int put_function(const struct diff *d, uint32_t function)
{
	const struct alloc_change *c = &d->change;
	const struct function_info *f = &c->functions.all[function];
	_cleanup_free_ char *place = function_place(f), *text = NULL, *safe = NULL;

	if (!place ||
	    asprintf(&text, "%s%s%s%s", f->name, *place ? " (" : "", place, *place ? ")" : "") < 0)
		return -ENOMEM;
	safe = escape_terminal(text, d->style->utf8, d->style->full ? 0 : d->name_columns);
	if (!safe)
		return -ENOMEM;
	fprintf(d->out, "%12s %12s %11s %11s  ",
		fact_change((double)alloc_change_own(c, function)).s,
		fact_change((double)alloc_change_total(c, function)).s,
		fact_bytes((double)c->before.totals[function].total).s,
		fact_bytes((double)c->after.totals[function].total).s);
	fprintf(d->out, "%s\n", safe);
	return 0;
}

/* Of @n that are sorted by growth, those from the ends that are worth a line: what grew is at the
 * front, what shrank at the back. */
static int put_ends(const struct diff *d, const uint32_t *sorted, size_t n,
		    int64_t (*change)(const struct alloc_change *c, uint32_t i),
		    int (*put)(const struct diff *d, uint32_t i))
{
	size_t grown = 0, shrunk = 0, top, bottom;
	int err = 0;

	while (grown < n && change(&d->change, sorted[grown]) > 0)
		grown++;
	while (shrunk < n - grown && change(&d->change, sorted[n - 1 - shrunk]) < 0)
		shrunk++;
	top = d->style->full || grown < GROWN ? grown : GROWN;
	bottom = d->style->full || shrunk < SHRUNK ? shrunk : SHRUNK;
	for (size_t i = 0; !err && i < top; i++)
		err = put(d, sorted[i]);
	for (size_t i = 0; !err && i < bottom; i++)
		err = put(d, sorted[n - 1 - i]);
	sgr(d, "2");
	if (grown + shrunk > top + bottom)
		fprintf(d->out, "%zu more that grew, %zu more that shrank; --full shows all\n",
			grown - top, shrunk - bottom);
	else if (!grown && !shrunk)
		fputs("nothing grew or shrank\n", d->out);
	sgr(d, "0");
	return err;
}

static int put_tables(const struct diff *d)
{
	const struct alloc_change *c = &d->change;
	int err = put_head(d);

	if (err)
		return err;
	sgr(d, "2");
	fprintf(d->out, "\n%12s ", "change");
	if (d->errors)
		fprintf(d->out, "%-12s ", "(95 %)");
	fprintf(d->out, "%11s %11s %11s  stack, innermost first\n", "before", "after",
		alloc_piece(c->after.view.allocations, 2));
	sgr(d, "0");
	err = put_ends(d, c->ends, c->n_ends, alloc_change_bytes, put_stack);
	if (err)
		return err;
	sgr(d, "2");
	fprintf(d->out, "\n%12s %12s %11s %11s  function, with all that it calls\n", "own change",
		"change", "before", "after");
	sgr(d, "0");
	return put_ends(d, c->order, c->functions.n, alloc_change_own, put_function);
}

int report_alloc_diff(const struct run *before, const struct run *after,
		      const struct report_style *style, bool json, FILE *out)
{
	const struct allocations *a = run_allocations(before, style->resident),
				 *b = run_allocations(after, style->resident);
	struct diff d = { .out = out, .runs = { before, after }, .style = style };
	unsigned columns = !style->columns		  ? COLUMNS_FILE
			   : style->columns < COLUMNS_MIN ? COLUMNS_MIN
							  : style->columns;
	int err;

	if (!a || !b)
		return -ENODATA;
	if (allocations_facts(a)->resident != allocations_facts(b)->resident)
		return -EINVAL;
	err = alloc_change_init(&d.change, a, b, style->kind);
	if (err)
		return err;
	d.errors = alloc_change_error_of_all(&d.change) > 0;
	columns -= NUMBER_COLUMNS + (d.errors ? ERROR_COLUMNS : 0);
	d.name_columns = columns > PLACE_COLUMNS ? columns : PLACE_COLUMNS;
	err = json ? alloc_change_json(out, d.runs, &d.change, style->full) : put_tables(&d);
	alloc_change_done(&d.change);
	return !err && (fflush(out) || ferror(out)) ? -EIO : err;
}
