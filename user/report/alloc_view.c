/* alloc_view.c - see alloc_view.h */
#include "report/alloc_view.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

const char *const alloc_kind_names[ALLOC_KINDS] = {
	[ALLOC_PEAK] = "peak",
	[ALLOC_LEAKED] = "leaked",
	[ALLOC_TEMPORARY] = "temporary",
};

struct allocation_sum alloc_sum_of(const struct allocation_entry *e, enum alloc_kind kind)
{
	return kind == ALLOC_LEAKED ? e->leaked : kind == ALLOC_TEMPORARY ? e->temporary : e->peak;
}

/* The error in the file is that of the peak. */
static double square_of(const struct alloc_view *v, size_t item)
{
	double error = (double)allocations_at(v->allocations, v->items[item])->error_95_bytes;

	return v->kind == ALLOC_PEAK ? error * error : 0;
}

/* Parents come before their children: the last one first. */
static int add_squares(struct alloc_view *v)
{
	v->squares = calloc(v->calls.n, sizeof(*v->squares));
	v->own_squares = calloc(v->calls.n, sizeof(*v->own_squares));
	if (!v->squares || !v->own_squares)
		return -ENOMEM;
	for (size_t i = 0; i < v->n; i++)
		v->own_squares[v->nodes[i]] += square_of(v, i);
	memcpy(v->squares, v->own_squares, v->calls.n * sizeof(*v->squares));
	for (size_t i = v->calls.n; i-- > 1;)
		v->squares[v->calls.nodes[i].parent] += v->squares[i];
	return 0;
}

static int add_calls(struct alloc_view *v, unsigned shape)
{
	size_t all = allocations_count(v->allocations);
	_cleanup_free_ struct calls_item *items = calloc(all + 1, sizeof(*items));

	v->items = calloc(all + 1, sizeof(*v->items));
	v->nodes = calloc(all + 1, sizeof(*v->nodes));
	if (!items || !v->items || !v->nodes)
		return -ENOMEM;
	for (size_t i = 0; i < all; i++) {
		const struct allocation_entry *e = allocations_at(v->allocations, i);
		struct allocation_sum sum = alloc_sum_of(e, v->kind);

		if (!sum.bytes && !sum.count)
			continue;
		v->items[v->n] = (uint32_t)i;
		items[v->n++] = (struct calls_item){ .stack = e->stack,
						     .thread = e->thread,
						     .cause = CALLS_NONE,
						     .marks = sum.bytes,
						     .cpu_marks = sum.count };
	}
	return calls_of_items(&v->calls, v->names, &v->functions, shape, items, v->n, v->nodes);
}

int alloc_view_init(struct alloc_view *ret, const struct allocations *a, enum alloc_kind kind,
		    unsigned shape, bool each_line)
{
	int err;

	*ret = (struct alloc_view){ .allocations = a, .names = allocations_names(a), .kind = kind };
	err = functions_init(&ret->functions, ret->names, each_line);
	if (!err)
		err = add_calls(ret, shape);
	if (!err)
		err = add_squares(ret);
	if (err)
		alloc_view_done(ret);
	return err;
}

void alloc_view_done(struct alloc_view *v)
{
	calls_done(&v->calls);
	functions_done(&v->functions);
	free(v->squares);
	free(v->own_squares);
	free(v->items);
	free(v->nodes);
	*v = (struct alloc_view){};
}

struct allocation_sum alloc_view_total(const struct alloc_view *v)
{
	const struct calls_node *root = &v->calls.nodes[CALLS_ROOT];

	return (struct allocation_sum){ .bytes = root->marks, .count = root->cpu_marks };
}

double alloc_view_error(const struct alloc_view *v, uint32_t node)
{
	return sqrt(v->squares[node]);
}

unsigned alloc_view_shape(const struct allocations *a)
{
	return profile_process_count(allocations_names(a)) > 1 ? CALLS_BY_PROCESS : CALLS_MERGED;
}
