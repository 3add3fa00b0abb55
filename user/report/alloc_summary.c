/* alloc_summary.c - allocations → functions by the bytes of their own, and with all that they call.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "report/alloc_facts.h"
#include "report/alloc_screen.h"
#include "report/report.h"

#define TOTAL_COLUMNS 22u
#define PLACE_COLUMNS 36u /* at least */

/* Squares of errors of what functions hold themselves. */
static double *own_squares(const struct alloc_view *v)
{
	double *squares = calloc(v->functions.n + 1, sizeof(*squares));

	for (size_t i = 0; squares && i < v->calls.n; i++)
		if (v->calls.nodes[i].kind == CALLS_FUNCTION)
			squares[v->calls.nodes[i].id] += v->own_squares[i];
	return squares;
}

static int print_function(const struct alloc_screen *s, const struct calls_total *total,
			  const double *squares)
{
	double all = (double)alloc_view_total(&s->view).bytes;
	unsigned columns = s->name_columns > TOTAL_COLUMNS + PLACE_COLUMNS
			       ? s->name_columns - TOTAL_COLUMNS
			       : PLACE_COLUMNS;
	int err;

	alloc_screen_numbers(s, (double)total->self, squares[total->function],
			     (double)total->self_cpu);
	fprintf(s->out, "%11s %6.1f %%  ", fact_bytes((double)total->total).s,
		all > 0 ? 100 * (double)total->total / all : 0);
	err = alloc_screen_function(s, total->function, columns);
	fputc('\n', s->out);
	return err;
}

static int print_functions(struct alloc_screen *s)
{
	_cleanup_free_ double *squares = own_squares(&s->view);
	_cleanup_free_ struct calls_total *totals = NULL;
	size_t n = s->view.functions.n, i;
	double left_out = 0;
	int err = squares ? calls_totals(&s->view.calls, &s->view.functions, &totals) : -ENOMEM;

	if (err)
		return err;
	while (n && !totals[n - 1].total) /* not a part of this kind of sum */
		n--;
	alloc_screen_heads(s, "      total    share  function");
	for (i = 0; !err && i < n && (s->style->full || i < ALLOC_ROWS); i++)
		err = print_function(s, &totals[i], squares);
	for (size_t j = i; j < n; j++)
		left_out += (double)totals[j].self;
	alloc_screen_omitted(s, n - i, left_out, "functions");
	return err;
}

int report_alloc_functions(const struct run *r, const struct report_style *style, FILE *out)
{
	return alloc_screen_show(r, style, out, CALLS_MERGED, style->lines, print_functions);
}
