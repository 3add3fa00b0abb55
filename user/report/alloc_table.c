/* alloc_table.c - allocations → a table of places, with allocator and thread; and the stacks that
 * hold most, each as a whole. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/alloc_facts.h"
#include "report/alloc_screen.h"
#include "report/profile_facts.h"
#include "report/report.h"

#define ALLOCATOR_COLUMNS 18
#define THREAD_COLUMNS 16u
#define PLACE_COLUMNS 36u /* at least */
#define STACKS 20u	  /* shown without --full */
#define FRAMES 16u	  /* of each */
#define NO_STACK "[no stack]"

struct row {
	uint32_t function, allocator, thread; /* CALLS_NONE: no stack */
	uint64_t bytes, pieces;
	double squares;
};

static int by_key(const void *x, const void *y)
{
	const struct row *a = x, *b = y;

	if (a->function != b->function)
		return a->function < b->function ? -1 : 1;
	if (a->allocator != b->allocator)
		return a->allocator < b->allocator ? -1 : 1;
	return a->thread < b->thread ? -1 : a->thread > b->thread;
}

static int by_bytes(const void *x, const void *y)
{
	const struct row *a = x, *b = y;

	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	return by_key(x, y);
}

static struct row row_of(const struct alloc_view *v, size_t item)
{
	const struct allocation_entry *e = allocations_at(v->allocations, v->items[item]);
	struct allocation_sum sum = alloc_sum_of(e, v->kind);
	double error = v->kind == ALLOC_PEAK ? (double)e->error_95_bytes : 0;
	struct row row = { .function = CALLS_NONE,
			   .allocator = e->allocator,
			   .thread = e->thread,
			   .bytes = sum.bytes,
			   .pieces = sum.count,
			   .squares = error * error };

	if (e->stack != PROFILE_NO_STACK)
		row.function = v->functions.of_frame[profile_stack_frame(v->names, e->stack)];
	return row;
}

/* Rows of one place, allocator and thread become one. Returns how many are left. */
static size_t merge(struct row *rows, size_t n)
{
	size_t kept = 0;

	if (n)
		qsort(rows, n, sizeof(*rows), by_key);
	for (size_t i = 0; i < n; i++) {
		if (!kept || by_key(&rows[kept - 1], &rows[i])) {
			rows[kept++] = rows[i];
			continue;
		}
		rows[kept - 1].bytes += rows[i].bytes;
		rows[kept - 1].pieces += rows[i].pieces;
		rows[kept - 1].squares += rows[i].squares;
	}
	if (kept)
		qsort(rows, kept, sizeof(*rows), by_bytes);
	return kept;
}

static int print_row(const struct alloc_screen *s, const struct row *row)
{
	const struct profile_thread *t = profile_thread_at(s->view.names, row->thread);
	unsigned used = ALLOCATOR_COLUMNS + 2 + THREAD_COLUMNS + 2, place = PLACE_COLUMNS;
	int err;

	place = s->name_columns > used + place ? s->name_columns - used : place;
	alloc_screen_numbers(s, (double)row->bytes, row->squares, (double)row->pieces);
	fprintf(s->out, "%-*s  ", ALLOCATOR_COLUMNS, allocator_name(row->allocator));
	err = alloc_screen_cell(s, *t->name ? t->name : "?", THREAD_COLUMNS, true);
	fputs("  ", s->out);
	if (!err && row->function == CALLS_NONE)
		err = alloc_screen_cell(s, NO_STACK, place, false);
	else if (!err)
		err = alloc_screen_function(s, row->function, place);
	fputc('\n', s->out);
	return err;
}

static int print_table(struct alloc_screen *s)
{
	_cleanup_free_ struct row *rows = calloc(s->view.n + 1, sizeof(*rows));
	double left_out = 0;
	size_t n, i;
	int err = 0;

	if (!rows)
		return -ENOMEM;
	for (i = 0; i < s->view.n; i++)
		rows[i] = row_of(&s->view, i);
	n = merge(rows, s->view.n);
	alloc_screen_heads(s, "allocator           thread            location");
	for (i = 0; !err && i < n && (s->style->full || i < ALLOC_ROWS); i++)
		err = print_row(s, &rows[i]);
	for (size_t j = i; j < n; j++)
		left_out += (double)rows[j].bytes;
	alloc_screen_omitted(s, n - i, left_out, "rows");
	return err;
}

int report_alloc_table(const struct run *r, const struct report_style *style, FILE *out)
{
	return alloc_screen_show(r, style, out, CALLS_MERGED, true, print_table);
}

/*
 * Stacks
 */

static int by_own_bytes(const void *x, const void *y, void *context)
{
	const struct calls_node *nodes = context;
	uint32_t i = *(const uint32_t *)x, j = *(const uint32_t *)y;

	if (nodes[i].self_marks != nodes[j].self_marks)
		return nodes[i].self_marks > nodes[j].self_marks ? -1 : 1;
	return i < j ? -1 : i > j;
}

/* The nodes in which stacks end, those with most bytes first. */
static uint32_t *ends_of(const struct alloc_view *v, size_t *ret_n)
{
	uint32_t *ends = calloc(v->calls.n + 1, sizeof(*ends));

	*ret_n = 0;
	if (!ends)
		return NULL;
	for (uint32_t i = 0; i < v->calls.n; i++)
		if (v->calls.nodes[i].self_marks || v->calls.nodes[i].self_cpu_marks)
			ends[(*ret_n)++] = i;
	if (*ret_n)
		qsort_r(ends, *ret_n, sizeof(*ends), by_own_bytes, v->calls.nodes);
	return ends;
}

/* A frame, the innermost first; the process is the last. */
static int print_frame(const struct alloc_screen *s, const struct calls_node *n)
{
	unsigned columns = s->columns - 6;
	int err;

	fprintf(s->out, "%6s", "");
	if (n->kind == CALLS_PROCESS)
		err = alloc_screen_cell(s, profile_process_at(s->view.names, n->id)->name, columns,
					false);
	else
		err = alloc_screen_function(s, n->id, columns);
	fputc('\n', s->out);
	return err;
}

static int print_stack(const struct alloc_screen *s, uint32_t end)
{
	const struct calls_node *nodes = s->view.calls.nodes;
	size_t depth = 0, more = 0;
	int err = 0;

	fputc('\n', s->out);
	alloc_screen_sgr(s, "1");
	alloc_screen_numbers(s, (double)nodes[end].self_marks, s->view.own_squares[end],
			     (double)nodes[end].self_cpu_marks);
	fprintf(s->out, "%s\n",
		alloc_piece(s->view.allocations, (double)nodes[end].self_cpu_marks));
	alloc_screen_sgr(s, "0");
	if (end == CALLS_ROOT)
		fprintf(s->out, "%6s%s\n", "", NO_STACK);
	for (uint32_t i = end; !err && i != CALLS_ROOT; i = nodes[i].parent) {
		if (s->style->full || depth++ < FRAMES || nodes[i].kind == CALLS_PROCESS)
			err = print_frame(s, &nodes[i]);
		else
			more++;
	}
	alloc_screen_sgr(s, "2");
	if (more)
		fprintf(s->out, "%6s%s outer frames hidden; --full shows all\n", "",
			fact_count((double)more).s);
	alloc_screen_sgr(s, "0");
	return err;
}

static int print_stacks(struct alloc_screen *s)
{
	size_t n, i;
	_cleanup_free_ uint32_t *ends = ends_of(&s->view, &n);
	double left_out = 0;
	int err = 0;

	if (!ends)
		return -ENOMEM;
	for (i = 0; !err && i < n && (s->style->full || i < STACKS); i++)
		err = print_stack(s, ends[i]);
	for (size_t j = i; j < n; j++)
		left_out += (double)s->view.calls.nodes[ends[j]].self_marks;
	if (n > i)
		fputc('\n', s->out);
	alloc_screen_omitted(s, n - i, left_out, "stacks");
	return err;
}

int report_alloc_leaks(const struct run *r, const struct report_style *style, FILE *out)
{
	const struct allocations *a = run_allocations(r, style->resident);

	return a ? alloc_screen_show(r, style, out, alloc_view_shape(a), true, print_stacks)
		 : -ENODATA;
}
