/* verdict_places.c - the stacks that hold most of what a verdict is about, or that grew most.
 *
 * A tree of calls with every line on its own, so that a place names the line that asked for the
 * memory or spent the time. What grew is found by functions, as lines move when a program is
 * changed; its line is then that of the later run.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "report/alloc_change.h"
#include "report/verdict_words.h"

#define CALLERS 16u /* in a place's text */

/* A tree of what is to be named. */
struct tree {
	const struct calls *calls;
	const struct functions *functions;
	const struct profile *names;
	double unit; /* of the measure, per mark */
	bool cpu;    /* cpu_marks count */
};

static uint64_t own_marks(const struct tree *t, uint32_t node)
{
	return t->cpu ? t->calls->nodes[node].self_cpu_marks : t->calls->nodes[node].self_marks;
}

static const struct function_info *function_at(const struct tree *t, uint32_t node)
{
	const struct calls_node *n = &t->calls->nodes[node];

	return n->kind == CALLS_FUNCTION ? &t->functions->all[n->id] : NULL;
}

static const char *name_at(const struct tree *t, uint32_t node)
{
	const struct calls_node *n = &t->calls->nodes[node];

	if (n->kind == CALLS_FUNCTION)
		return t->functions->all[n->id].name;
	return n->kind == CALLS_CAUSE ? profile_cause_at(t->names, n->id)->name : "[all]";
}

/* A name, and where it is when that is known; of a caller only a line of source. */
static int put_name(FILE *out, const struct tree *t, uint32_t node, bool caller)
{
	const struct function_info *f = function_at(t, node);
	_cleanup_free_ char *place = NULL;

	fputs(name_at(t, node), out);
	if (!f || (caller && (!f->line || function_kind_is_library(f->kind))))
		return 0;
	place = function_place(f);
	if (!place)
		return -ENOMEM;
	if (*place)
		fprintf(out, " (%s)", place);
	return 0;
}

/* "load (load.py:12) ← main (load.py:20) ← …" */
static char *text_of(const struct tree *t, uint32_t node)
{
	_cleanup_free_ char *text = NULL;
	unsigned callers = 0;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int err = 0;

	if (!out)
		return NULL;
	if (node == CALLS_ROOT)
		fputs("[no stack]", out);
	for (uint32_t i = node; !err && i != CALLS_ROOT; i = t->calls->nodes[i].parent) {
		if (i != node)
			fputs(" ← ", out);
		if (callers++ > CALLERS) {
			fputs("…", out);
			break;
		}
		err = put_name(out, t, i, i != node);
	}
	return fclose(out) || err ? NULL : take_ptr(text);
}

/* The innermost of the program's own that has a line, else the innermost own, else any. */
static const struct function_info *main_function(const struct tree *t, uint32_t node)
{
	const struct function_info *own = NULL, *any = NULL;

	for (uint32_t i = node; i != CALLS_ROOT; i = t->calls->nodes[i].parent) {
		const struct function_info *f = function_at(t, i);

		if (!f)
			continue;
		any = any ? any : f;
		if (f->kind != FUNCTION_OWN && f->kind != FUNCTION_PYTHON)
			continue;
		own = own ? own : f;
		if (f->file && f->line)
			return f;
	}
	return own ? own : any;
}

static int put_place(struct verdict *v, const struct tree *t, uint32_t node, double value,
		     double whole)
{
	const struct function_info *f = main_function(t, node);
	struct verdict_place p = { .value = value, .share = whole > 0 ? value / whole : 0 };

	if (v->n_places == VERDICT_STACKS)
		return 0;
	if (!v->places)
		v->places = calloc(VERDICT_STACKS, sizeof(*v->places));
	if (!v->places)
		return -ENOMEM;
	p.text = text_of(t, node);
	p.function = strdup(f ? f->name : "?");
	p.file = f && f->file ? strdup(f->file) : NULL;
	p.line = f ? f->line : 0;
	v->places[v->n_places++] = p;
	return p.text && p.function && (p.file || !f || !f->file) ? 0 : -ENOMEM;
}

/* Nodes below a function of the name; parents come before their children. */
static bool *nodes_below(const struct tree *t, const char *function)
{
	bool *below = calloc(t->calls->n + 1, sizeof(*below));

	for (uint32_t i = 0; below && i < t->calls->n; i++)
		below[i] = !function || (i && below[t->calls->nodes[i].parent]) ||
			   (function_at(t, i) &&
			    reading_names_function(function_at(t, i)->name, function));
	return below;
}

/* The few largest, one after the other: a verdict has no more than VERDICT_STACKS. */
static int put_largest(struct verdict *v, const struct tree *t)
{
	_cleanup_free_ bool *left = nodes_below(t, v->limit->function);
	double whole = 0;
	int err = 0;

	if (!left)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->calls->n; i++)
		whole += (double)own_marks(t, i);
	for (unsigned k = 0; !err && k < VERDICT_STACKS; k++) {
		uint32_t best = CALLS_NONE;

		for (uint32_t i = 0; i < t->calls->n; i++)
			if (left[i] && own_marks(t, i) &&
			    (best == CALLS_NONE || own_marks(t, i) > own_marks(t, best)))
				best = i;
		if (best == CALLS_NONE)
			break;
		left[best] = false;
		err = put_place(v, t, best, (double)own_marks(t, best) * t->unit, whole * t->unit);
	}
	return err;
}

static int heap_places(struct verdict *v, const struct allocations *a, enum alloc_kind kind)
{
	struct alloc_view view;
	struct tree t = { .unit = 1 };
	int err = alloc_view_init(&view, a, kind, CALLS_MERGED, true);

	if (err)
		return err;
	t.calls = &view.calls;
	t.functions = &view.functions;
	t.names = view.names;
	err = put_largest(v, &t);
	alloc_view_done(&view);
	return err;
}

static int time_places(struct verdict *v, const struct profile *p)
{
	struct functions functions;
	struct calls calls;
	struct tree t = { .calls = &calls,
			  .functions = &functions,
			  .names = p,
			  .unit = (double)profile_period_ns(p) / 1e9,
			  .cpu = v->limit->measure == MEASURE_CPU };
	int err = functions_init(&functions, p, true);

	if (err)
		return err;
	err = calls_init(&calls, p, &functions, CALLS_MERGED | CALLS_CAUSES);
	if (!err) {
		err = put_largest(v, &t);
		calls_done(&calls);
	}
	functions_done(&functions);
	return err;
}

/* What of the heap tells where a measure comes from; -1: nothing does. */
static int heap_kind(enum measure m)
{
	if (m == MEASURE_LEAKED)
		return ALLOC_LEAKED;
	return m == MEASURE_HEAP_PEAK || m == MEASURE_PEAK_RSS ? ALLOC_PEAK : -1;
}

int verdict_find_places(struct verdict *v, const struct run *run)
{
	const struct allocations *a = run_allocations(run, false);
	int kind = heap_kind(v->limit->measure);

	if (!a) /* resident pages, when that is what there is */
		a = run->allocations;
	if (kind >= 0)
		return a ? heap_places(v, a, kind) : 0;
	if (v->limit->measure == MEASURE_WALL || v->limit->measure == MEASURE_CPU)
		return run->profile ? time_places(v, run->profile) : 0;
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* @a may have got a source file that @b does not have yet. */
static bool same_function(const struct function_info *a, const struct function_info *b)
{
	if (strcmp(a->name, b->name))
		return false;
	if (a->module && b->module)
		return !strcmp(a->module, b->module);
	return !a->file || !b->file || !strcmp(base_name(a->file), base_name(b->file));
}

/* Whether @node calls @f: then it is no inlined part of it. */
static bool is_called(const struct alloc_change *c, uint32_t node, const struct function_info *f)
{
	const struct calls_node *nodes = c->calls.nodes;

	for (uint32_t i = nodes[node].first_child; i != CALLS_NONE; i = nodes[i].next_sibling)
		if (same_function(f, &c->functions.all[nodes[i].id]))
			return true;
	return false;
}

/* The node of @t, which has lines and inlined functions, with most marks of its own of those whose
 * callers are those of @node of @c, inlined ones between them; CALLS_NONE: none. */
static uint32_t with_lines(const struct tree *t, const struct alloc_change *c, uint32_t node)
{
	const struct calls_node *nodes = c->calls.nodes;
	uint32_t depth = 0, best = CALLS_NONE, n = t->calls->n;
	_cleanup_free_ uint32_t *path = NULL, *level = calloc(n + 1, sizeof(*level));

	for (uint32_t i = node; i != CALLS_ROOT; i = nodes[i].parent)
		depth++;
	path = calloc(depth + 1, sizeof(*path));
	if (!path || !level || !depth)
		return CALLS_NONE;
	for (uint32_t i = node, k = depth; i != CALLS_ROOT; i = nodes[i].parent)
		path[--k] = nodes[i].id;
	/* level: how many functions of the path lead to a node, and one more; 0: it is another's */
	level[CALLS_ROOT] = 1;
	for (uint32_t i = 1; i < n; i++) {
		uint32_t above = level[t->calls->nodes[i].parent];
		const struct function_info *f = function_at(t, i);

		if (!f || !above || (above > depth && is_called(c, node, f)))
			continue;
		level[i] = above;
		if (above <= depth && same_function(f, &c->functions.all[path[above - 1]]))
			level[i]++;
		if (level[i] == depth + 1 &&
		    (best == CALLS_NONE || own_marks(t, i) > own_marks(t, best)))
			best = i;
	}
	return best;
}

static int put_growth(struct verdict *v, const struct tree *t, const struct alloc_change *c)
{
	double grown = 0;
	int err = 0;

	for (size_t i = 0; i < c->n_ends; i++)
		if (alloc_change_bytes(c, c->ends[i]) > 0)
			grown += (double)alloc_change_bytes(c, c->ends[i]);
	for (size_t i = 0; !err && i < c->n_ends && i < VERDICT_STACKS; i++) {
		int64_t bytes = alloc_change_bytes(c, c->ends[i]);
		uint32_t node = with_lines(t, c, c->ends[i]);
		struct tree of_both = { .calls = &c->calls,
					.functions = &c->functions,
					.names = t->names };

		if (bytes <= 0)
			break;
		err = node == CALLS_NONE ? put_place(v, &of_both, c->ends[i], (double)bytes, grown)
					 : put_place(v, t, node, (double)bytes, grown);
	}
	return err;
}

int verdict_find_growth(struct verdict *v, const struct run *base, const struct run *now,
			const struct run *lined)
{
	const struct allocations *a = base->allocations, *b = now->allocations;
	int kind = heap_kind(v->limit->measure), err;
	struct alloc_change change;
	struct alloc_view view;
	struct tree t = { .unit = 1 };

	if (kind < 0)
		return verdict_find_places(v, lined);
	if (!a || !b || !lined->allocations ||
	    allocations_facts(a)->resident != allocations_facts(b)->resident)
		return 0;
	err = alloc_change_init(&change, a, b, kind);
	if (err)
		return err;
	err = alloc_view_init(&view, lined->allocations, kind, CALLS_MERGED, true);
	if (!err) {
		t.calls = &view.calls;
		t.functions = &view.functions;
		t.names = view.names;
		err = put_growth(v, &t, &change);
		alloc_view_done(&view);
	}
	alloc_change_done(&change);
	return err;
}
