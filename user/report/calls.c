/* calls.c - see calls.h */
#include "report/calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

static size_t hash(uint32_t parent, enum calls_kind kind, uint32_t id)
{
	uint64_t h = ((uint64_t)parent << 32 | id) * 0x9e3779b97f4a7c15u + kind;

	h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9u;
	return (size_t)(h ^ h >> 32);
}

static uint32_t *bucket_of(const struct calls *c, uint32_t parent, enum calls_kind kind,
			   uint32_t id)
{
	size_t i = hash(parent, kind, id) & (c->n_buckets - 1);
	const struct calls_node *n;

	for (;; i = (i + 1) & (c->n_buckets - 1)) {
		if (c->buckets[i] == CALLS_NONE)
			return &c->buckets[i];
		n = &c->nodes[c->buckets[i]];
		if (n->parent == parent && n->id == id && n->kind == kind)
			return &c->buckets[i];
	}
}

/* At most half of the buckets are in use. */
static int more_room(struct calls *c)
{
	size_t room = c->room ? c->room * 2 : 256;
	struct calls_node *nodes;
	uint32_t *buckets;

	if (room >= CALLS_NONE)
		return -ENOMEM;
	nodes = reallocarray(c->nodes, room, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	c->nodes = nodes;
	buckets = reallocarray(NULL, room * 2, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	free(c->buckets);
	c->buckets = buckets;
	c->room = room;
	c->n_buckets = room * 2;
	memset(buckets, 0xff, c->n_buckets * sizeof(*buckets));
	for (size_t i = 0; i < c->n; i++)
		*bucket_of(c, nodes[i].parent, nodes[i].kind, nodes[i].id) = (uint32_t)i;
	return 0;
}

uint32_t calls_child(struct calls *c, uint32_t parent, enum calls_kind kind, uint32_t id)
{
	uint32_t *bucket = c->n_buckets ? bucket_of(c, parent, kind, id) : NULL;

	if (bucket && *bucket != CALLS_NONE)
		return *bucket;
	if (c->n == c->room) {
		if (more_room(c))
			return CALLS_NONE;
		bucket = bucket_of(c, parent, kind, id);
	}
	c->nodes[c->n] = (struct calls_node){ .kind = kind,
					      .id = id,
					      .parent = parent,
					      .first_child = CALLS_NONE,
					      .next_sibling = CALLS_NONE };
	*bucket = (uint32_t)c->n;
	return (uint32_t)c->n++;
}

/* stack of the profile → node below one root; a stack is known when its round is this one. */
struct walker {
	struct calls *calls;
	const struct profile *profile;
	const struct functions *functions;
	uint32_t *node, *round, *path;
	uint32_t now, root;
};

/* The node of @stack below @root. */
static uint32_t node_of(struct walker *w, uint32_t root, uint32_t stack)
{
	size_t depth = 0;
	uint32_t node = root;

	for (; stack != PROFILE_NO_STACK && w->round[stack] != w->now;
	     stack = profile_stack_parent(w->profile, stack))
		w->path[depth++] = stack;
	if (stack != PROFILE_NO_STACK)
		node = w->node[stack];
	while (depth-- && node != CALLS_NONE) {
		uint32_t frame = profile_stack_frame(w->profile, w->path[depth]);

		node = calls_child(w->calls, node, CALLS_FUNCTION, w->functions->of_frame[frame]);
		w->node[w->path[depth]] = node;
		w->round[w->path[depth]] = w->now;
	}
	return node;
}

static uint32_t root_of(struct calls *c, const struct profile *p, uint32_t thread, unsigned shape)
{
	uint32_t node;

	if (!(shape & (CALLS_BY_THREAD | CALLS_BY_PROCESS)))
		return CALLS_ROOT;
	node = calls_child(c, CALLS_ROOT, CALLS_PROCESS, profile_thread_at(p, thread)->process);
	if (node == CALLS_NONE || !(shape & CALLS_BY_THREAD))
		return node;
	return calls_child(c, node, CALLS_THREAD, thread);
}

/* The node that the item ends in; CALLS_NONE without memory. */
static uint32_t add_item(struct walker *w, const struct calls_item *item, unsigned shape)
{
	uint32_t root = root_of(w->calls, w->profile, item->thread, shape), node;

	if (root == CALLS_NONE)
		return CALLS_NONE;
	w->now += root != w->root; /* what is known of stacks is known below one root */
	w->root = root;
	node = node_of(w, root, item->stack);
	if (node != CALLS_NONE && (shape & CALLS_CAUSES) && item->cause != CALLS_NONE)
		node = calls_child(w->calls, node, CALLS_CAUSE, item->cause);
	if (node == CALLS_NONE)
		return CALLS_NONE;
	w->calls->nodes[node].self_marks += item->marks;
	w->calls->nodes[node].self_cpu_marks += item->cpu_marks;
	return node;
}

/* Items in the order of their threads: counted, then placed. */
static uint32_t *by_thread(const struct profile *p, const struct calls_item *items, size_t n)
{
	size_t threads = profile_thread_count(p);
	_cleanup_free_ size_t *start = calloc(threads + 1, sizeof(*start));
	uint32_t *order = calloc(n + 1, sizeof(*order));

	if (!start || !order) {
		free(order);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		start[items[i].thread + 1]++;
	for (size_t i = 0; i < threads; i++)
		start[i + 1] += start[i];
	for (size_t i = 0; i < n; i++)
		order[start[items[i].thread]++] = (uint32_t)i;
	return order;
}

static int add_items(struct walker *w, unsigned shape, const struct calls_item *items, size_t n,
		     uint32_t *ret_nodes)
{
	_cleanup_free_ uint32_t *order = by_thread(w->profile, items, n);
	size_t stacks = profile_stack_count(w->profile);

	w->node = calloc(stacks + 1, sizeof(*w->node));
	w->round = calloc(stacks + 1, sizeof(*w->round));
	w->path = calloc(stacks + 1, sizeof(*w->path));
	if (!order || !w->node || !w->round || !w->path)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint32_t node = add_item(w, &items[order[i]], shape);

		if (node == CALLS_NONE)
			return -ENOMEM;
		if (ret_nodes)
			ret_nodes[order[i]] = node;
	}
	return 0;
}

static int by_size(const void *x, const void *y, void *context)
{
	const struct calls_node *nodes = context;
	uint32_t i = *(const uint32_t *)x, j = *(const uint32_t *)y;

	if (nodes[i].marks != nodes[j].marks)
		return nodes[i].marks > nodes[j].marks ? -1 : 1;
	return i < j ? -1 : i > j;
}

/* Sums from the leaves to the root, then children linked: smallest first to the head of the list.
 */
int calls_sum(struct calls *c)
{
	_cleanup_free_ uint32_t *order = calloc(c->n, sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < c->n; i++) {
		struct calls_node *n = &c->nodes[i];

		n->marks = n->self_marks;
		n->cpu_marks = n->self_cpu_marks;
		n->first_child = n->next_sibling = CALLS_NONE;
	}
	for (size_t i = c->n; i-- > 0;) {
		struct calls_node *n = &c->nodes[i];

		if (i == CALLS_ROOT)
			continue;
		c->nodes[n->parent].marks += n->marks;
		c->nodes[n->parent].cpu_marks += n->cpu_marks;
	}
	for (size_t i = 0; i < c->n; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, c->n, sizeof(*order), by_size, c->nodes);
	for (size_t i = c->n; i-- > 0;) {
		struct calls_node *n = &c->nodes[order[i]];

		if (order[i] == CALLS_ROOT)
			continue;
		n->next_sibling = c->nodes[n->parent].first_child;
		c->nodes[n->parent].first_child = order[i];
	}
	return 0;
}

int calls_of_items(struct calls *ret, const struct profile *p, const struct functions *f,
		   unsigned shape, const struct calls_item *items, size_t n, uint32_t *ret_nodes)
{
	struct walker w = { .calls = ret, .profile = p, .functions = f, .root = CALLS_NONE };
	int err;

	*ret = (struct calls){};
	err = calls_child(ret, CALLS_NONE, CALLS_ALL, 0) == CALLS_NONE ? -ENOMEM : 0;
	if (!err)
		err = add_items(&w, shape, items, n, ret_nodes);
	if (!err)
		err = calls_sum(ret);
	free(w.node);
	free(w.round);
	free(w.path);
	if (err)
		calls_done(ret);
	return err;
}

int calls_init(struct calls *ret, const struct profile *p, const struct functions *f,
	       unsigned shape)
{
	size_t n = profile_sample_count(p);
	_cleanup_free_ struct calls_item *items = calloc(n + 1, sizeof(*items));

	*ret = (struct calls){};
	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct profile_sample *s = profile_sample_at(p, (uint32_t)i);
		bool running = profile_cause_at(p, s->cause)->running;

		items[i] = (struct calls_item){ .stack = s->stack,
						.thread = s->thread,
						.cause = running ? CALLS_NONE : s->cause,
						.marks = s->marks,
						.cpu_marks = running ? s->marks : 0 };
	}
	return calls_of_items(ret, p, f, shape, items, n, NULL);
}

void calls_done(struct calls *c)
{
	free(c->nodes);
	free(c->buckets);
	*c = (struct calls){};
}

static int by_self(const void *x, const void *y)
{
	const struct calls_total *a = x, *b = y;

	if (a->self != b->self)
		return a->self > b->self ? -1 : 1;
	if (a->total != b->total)
		return a->total > b->total ? -1 : 1;
	return a->function < b->function ? -1 : a->function > b->function;
}

/* One node of the walk below: entering, then leaving. */
static void count_node(const struct calls_node *n, struct calls_total *totals, uint32_t *on_path,
		       bool entering)
{
	if (n->kind != CALLS_FUNCTION)
		return;
	if (!entering) {
		on_path[n->id]--;
		return;
	}
	totals[n->id].self += n->self_marks;
	totals[n->id].self_cpu += n->self_cpu_marks;
	if (!on_path[n->id]++)
		totals[n->id].total += n->marks;
}

int calls_totals(const struct calls *c, const struct functions *f, struct calls_total **ret)
{
	_cleanup_free_ uint32_t *on_path = calloc(f->n + 1, sizeof(*on_path));
	struct calls_total *totals = calloc(f->n + 1, sizeof(*totals));
	uint32_t at = CALLS_ROOT, next;

	if (!on_path || !totals) {
		free(totals);
		return -ENOMEM;
	}
	for (size_t i = 0; i < f->n; i++)
		totals[i].function = (uint32_t)i;
	/* depth first without a stack of our own: a hostile tree may be deep */
	while (at != CALLS_NONE) {
		count_node(&c->nodes[at], totals, on_path, true);
		next = c->nodes[at].first_child;
		while (next == CALLS_NONE && at != CALLS_NONE) {
			count_node(&c->nodes[at], totals, on_path, false);
			next = c->nodes[at].next_sibling;
			at = next == CALLS_NONE ? c->nodes[at].parent : at;
		}
		at = next;
	}
	if (f->n)
		qsort(totals, f->n, sizeof(*totals), by_self);
	*ret = totals;
	return 0;
}
