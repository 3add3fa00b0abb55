/* alloc_change.c - see alloc_change.h */
#include "report/alloc_change.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

/* A function of one side. */
struct named {
	const struct function_info *info;
	struct change_side *side;
	uint32_t function;
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static const char *file_of(const struct function_info *f)
{
	return f->file ? base_name(f->file) : f->module ? f->module : "";
}

static int by_name(const void *x, const void *y)
{
	const struct function_info *a = ((const struct named *)x)->info,
				   *b = ((const struct named *)y)->info;
	int d = strcmp(a->name, b->name);

	return d ? d : strcmp(file_of(a), file_of(b));
}

static size_t collect(struct named *all, size_t n, struct change_side *side)
{
	for (uint32_t i = 0; i < side->view.functions.n; i++)
		all[n++] = (struct named){ &side->view.functions.all[i], side, i };
	return n;
}

static int join_functions(struct alloc_change *c)
{
	size_t n = c->before.view.functions.n + c->after.view.functions.n;
	_cleanup_free_ struct named *all = calloc(n + 1, sizeof(*all));

	c->functions.all = calloc(n + 1, sizeof(*c->functions.all));
	c->before.common = calloc(n + 1, sizeof(*c->before.common));
	c->after.common = calloc(n + 1, sizeof(*c->after.common));
	if (!all || !c->functions.all || !c->before.common || !c->after.common)
		return -ENOMEM;
	collect(all, collect(all, 0, &c->before), &c->after);
	if (n)
		qsort(all, n, sizeof(*all), by_name);
	for (size_t i = 0; i < n; i++) {
		if (!i || by_name(&all[i - 1], &all[i]))
			c->functions.n++;
		/* its line is that of the later run, when it has one */
		if (all[i].side == &c->after || !c->functions.all[c->functions.n - 1].name)
			c->functions.all[c->functions.n - 1] = *all[i].info;
		all[i].side->common[all[i].function] = (uint32_t)(c->functions.n - 1);
	}
	return 0;
}

/* Parents come before their children on either side, so theirs is known. */
static int join_nodes(struct alloc_change *c, struct change_side *side)
{
	const struct calls *from = &side->view.calls;

	side->node = calloc(from->n + 1, sizeof(*side->node));
	if (!side->node)
		return -ENOMEM;
	for (uint32_t i = 1; i < from->n; i++) {
		side->node[i] = calls_child(&c->calls, side->node[from->nodes[i].parent],
					    CALLS_FUNCTION, side->common[from->nodes[i].id]);
		if (side->node[i] == CALLS_NONE)
			return -ENOMEM;
	}
	return 0;
}

static int by_number(const void *x, const void *y)
{
	uint32_t a = ((const struct calls_total *)x)->function,
		 b = ((const struct calls_total *)y)->function;

	return a < b ? -1 : a > b;
}

/* Puts the bytes of one side into the tree of both. */
static int sum_side(struct alloc_change *c, struct change_side *side)
{
	const struct calls *from = &side->view.calls;
	int err;

	side->bytes = calloc(c->calls.n, sizeof(*side->bytes));
	side->pieces = calloc(c->calls.n, sizeof(*side->pieces));
	side->squares = calloc(c->calls.n, sizeof(*side->squares));
	if (!side->bytes || !side->pieces || !side->squares)
		return -ENOMEM;
	for (uint32_t i = 0; i < from->n; i++) {
		side->bytes[side->node[i]] += from->nodes[i].self_marks;
		side->pieces[side->node[i]] += from->nodes[i].self_cpu_marks;
		side->squares[side->node[i]] += side->view.own_squares[i];
	}
	for (uint32_t i = 0; i < c->calls.n; i++) {
		c->calls.nodes[i].self_marks = side->bytes[i];
		c->calls.nodes[i].self_cpu_marks = side->pieces[i];
	}
	err = calls_sum(&c->calls);
	if (!err)
		err = calls_totals(&c->calls, &c->functions, &side->totals);
	if (!err && c->functions.n)
		qsort(side->totals, c->functions.n, sizeof(*side->totals), by_number);
	return err;
}

static int by_growth(const void *x, const void *y, void *context)
{
	uint32_t i = *(const uint32_t *)x, j = *(const uint32_t *)y;
	int64_t a = alloc_change_bytes(context, i), b = alloc_change_bytes(context, j);

	if (a != b)
		return a > b ? -1 : 1;
	return i < j ? -1 : i > j;
}

static int by_own_growth(const void *x, const void *y, void *context)
{
	uint32_t i = *(const uint32_t *)x, j = *(const uint32_t *)y;
	int64_t a = alloc_change_own(context, i), b = alloc_change_own(context, j);

	if (a == b) {
		a = alloc_change_total(context, i);
		b = alloc_change_total(context, j);
	}
	if (a != b)
		return a > b ? -1 : 1;
	return i < j ? -1 : i > j;
}

static int sort_changes(struct alloc_change *c)
{
	c->ends = calloc(c->calls.n + 1, sizeof(*c->ends));
	c->order = calloc(c->functions.n + 1, sizeof(*c->order));
	if (!c->ends || !c->order)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->calls.n; i++)
		if (c->before.bytes[i] != c->after.bytes[i] ||
		    c->before.pieces[i] != c->after.pieces[i])
			c->ends[c->n_ends++] = i;
	for (uint32_t i = 0; i < c->functions.n; i++)
		c->order[i] = i;
	qsort_r(c->ends, c->n_ends, sizeof(*c->ends), by_growth, c);
	qsort_r(c->order, c->functions.n, sizeof(*c->order), by_own_growth, c);
	return 0;
}

int alloc_change_init(struct alloc_change *ret, const struct allocations *before,
		      const struct allocations *after, enum alloc_kind kind)
{
	int err;

	*ret = (struct alloc_change){};
	err = alloc_view_init(&ret->before.view, before, kind, CALLS_MERGED, false);
	if (!err)
		err = alloc_view_init(&ret->after.view, after, kind, CALLS_MERGED, false);
	if (!err)
		err = join_functions(ret);
	if (!err && calls_child(&ret->calls, CALLS_NONE, CALLS_ALL, 0) == CALLS_NONE)
		err = -ENOMEM;
	if (!err)
		err = join_nodes(ret, &ret->before);
	if (!err)
		err = join_nodes(ret, &ret->after);
	if (!err)
		err = sum_side(ret, &ret->before);
	if (!err)
		err = sum_side(ret, &ret->after);
	if (!err)
		err = sort_changes(ret);
	if (err)
		alloc_change_done(ret);
	return err;
}

static void side_done(struct change_side *side)
{
	alloc_view_done(&side->view);
	free(side->common);
	free(side->node);
	free(side->bytes);
	free(side->pieces);
	free(side->squares);
	free(side->totals);
}

void alloc_change_done(struct alloc_change *c)
{
	side_done(&c->before);
	side_done(&c->after);
	functions_done(&c->functions);
	calls_done(&c->calls);
	free(c->ends);
	free(c->order);
	*c = (struct alloc_change){};
}

int64_t alloc_change_bytes(const struct alloc_change *c, uint32_t node)
{
	return (int64_t)(c->after.bytes[node] - c->before.bytes[node]);
}

int64_t alloc_change_own(const struct alloc_change *c, uint32_t function)
{
	return (int64_t)(c->after.totals[function].self - c->before.totals[function].self);
}

int64_t alloc_change_total(const struct alloc_change *c, uint32_t function)
{
	return (int64_t)(c->after.totals[function].total - c->before.totals[function].total);
}

double alloc_change_error(const struct alloc_change *c, uint32_t node)
{
	return sqrt(c->before.squares[node] + c->after.squares[node]);
}

double alloc_change_error_of_all(const struct alloc_change *c)
{
	return hypot(alloc_view_error(&c->before.view, CALLS_ROOT),
		     alloc_view_error(&c->after.view, CALLS_ROOT));
}
