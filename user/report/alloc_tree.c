/* alloc_tree.c - allocations → a tree of calls on the console.
 *
 *	    bytes     share     pieces
 *	345.0 MiB   100.0 %     12,345  ◉ total
 *	298.7 MiB    86.6 %      1,024  └─ load  load.c:12
 *
 * Below 1 % is left out, together on a line when they are more; chains of library code are folded.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "report/alloc_facts.h"
#include "report/call_tree.h"
#include "report/report.h"

#define SHARE_MIN 0.01
#define NUMBER_COLUMNS 34u
#define ERROR_COLUMNS 13u

static bool has_errors(const struct alloc_view *v)
{
	return alloc_view_error(v, CALLS_ROOT) > 0;
}

static void put_numbers(const struct call_tree *t, double bytes, double pieces, double error)
{
	const struct alloc_view *v = t->context;
	double all = (double)alloc_view_total(v).bytes;

	call_tree_sgr(t, call_tree_colour(bytes / all));
	fprintf(t->out, "%11s ", fact_bytes(bytes).s);
	if (has_errors(v))
		fprintf(t->out, "%s %-10s ", alloc_plus_minus(t->style->utf8), fact_bytes(error).s);
	fprintf(t->out, "%6.1f %% %11s  ", all > 0 ? 100 * bytes / all : 0, fact_count(pieces).s);
	call_tree_sgr(t, "0");
}

static void numbers(const struct call_tree *t, uint32_t i)
{
	const struct calls_node *n = &t->calls.nodes[i];

	put_numbers(t, (double)n->marks, (double)n->cpu_marks, alloc_view_error(t->context, i));
}

static void numbers_left_out(const struct call_tree *t, uint32_t parent)
{
	const struct alloc_view *v = t->context;
	double bytes = 0, pieces = 0, squares = 0;

	for (uint32_t i = t->calls.nodes[parent].first_child; i != CALLS_NONE;
	     i = t->calls.nodes[i].next_sibling) {
		if (!call_tree_leaves_out(t, i))
			continue;
		bytes += (double)t->calls.nodes[i].marks;
		pieces += (double)t->calls.nodes[i].cpu_marks;
		squares += v->squares[i];
	}
	put_numbers(t, bytes, pieces, sqrt(squares));
}

static int print_head(const struct call_tree *t, const struct run *r)
{
	const struct alloc_view *v = t->context;
	const char *id = run_string(r, "task.id");
	_cleanup_free_ char *total = fact_alloc_total(r, v->allocations, v->kind),
			    *rest = fact_alloc_remainder(r, v->allocations);
	char *line = NULL;
	int err;

	if (!total || !rest || asprintf(&line, "%s: %s", id ? id : "unnamed task", total) < 0)
		return -ENOMEM;
	err = call_tree_line(t, "1", line);
	if (!err && *rest && v->kind == ALLOC_PEAK)
		err = call_tree_line(t, "0", take_ptr(rest));
	if (err)
		return err;
	call_tree_sgr(t, "2");
	fprintf(t->out, "\n%11s ", "bytes");
	if (has_errors(v))
		fprintf(t->out, "%-12s ", "(95 %)");
	fprintf(t->out, "%8s %11s\n", "share", alloc_piece(v->allocations, 2));
	call_tree_sgr(t, "0");
	return 0;
}

static void print_foot(const struct call_tree *t)
{
	if (!t->left_out && !t->folded)
		return;
	call_tree_sgr(t, "2");
	fprintf(t->out,
		"\n%s branches below 1 %% and %s frames of libraries are hidden; --full shows "
		"all\n",
		fact_count((double)t->left_out).s, fact_count((double)t->folded).s);
	call_tree_sgr(t, "0");
}

static int print_tree(struct call_tree *t, const struct run *r)
{
	int err = print_head(t, r);

	if (!err)
		err = call_tree_print(t);
	if (!err)
		print_foot(t);
	return !err && (fflush(t->out) || ferror(t->out)) ? -EIO : err;
}

int report_alloc_tree(const struct run *r, const struct report_style *style, FILE *out)
{
	const struct allocations *a = run_allocations(r, style->resident);
	struct call_tree t = { .out = out,
			       .style = style,
			       .number_columns = NUMBER_COLUMNS,
			       .numbers = numbers,
			       .numbers_left_out = numbers_left_out,
			       .root = style->utf8 ? "◉ total" : "total" };
	struct alloc_view v;
	int err;

	if (!a)
		return -ENODATA;
	err = alloc_view_init(&v, a, style->kind, alloc_view_shape(a), true);
	if (err)
		return err;
	t.profile = v.names;
	t.functions = v.functions;
	t.calls = v.calls;
	t.context = &v;
	t.number_columns += has_errors(&v) ? ERROR_COLUMNS : 0;
	if (!style->full)
		t.min = (uint64_t)ceil(SHARE_MIN * (double)alloc_view_total(&v).bytes);
	err = print_tree(&t, r);
	alloc_view_done(&v);
	return err;
}
