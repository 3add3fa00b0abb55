/* call_tree.c - see call_tree.h */
#include "report/call_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/profile_facts.h"

#define LEVELS_DRAWN 64u /* deeper ones stand below each other, with their depth */
#define TEXT_COLUMNS 32u /* at least, however deep */

struct glyphs {
	const char *middle, *last, *pass, *dots;
};

static const struct glyphs unicode = { "├─ ", "└─ ", "│  ", "…" };
static const struct glyphs ascii = { "|- ", "`- ", "|  ", "..." };

static const struct glyphs *glyphs(const struct call_tree *t)
{
	return t->style->utf8 ? &unicode : &ascii;
}

static const struct calls_node *node_at(const struct call_tree *t, uint32_t i)
{
	return &t->calls.nodes[i];
}

bool call_tree_leaves_out(const struct call_tree *t, uint32_t node)
{
	return node != CALLS_ROOT && node_at(t, node)->marks < t->min;
}

/* @first and its siblings come largest first: all after a small one are small. */
static uint32_t shown(const struct call_tree *t, uint32_t first)
{
	return first != CALLS_NONE && node_at(t, first)->marks >= t->min ? first : CALLS_NONE;
}

static uint32_t child_of(const struct call_tree *t, uint32_t i)
{
	return shown(t, node_at(t, i)->first_child);
}

static uint32_t sibling_of(const struct call_tree *t, uint32_t i)
{
	return shown(t, node_at(t, i)->next_sibling);
}

static bool is_library(const struct call_tree *t, uint32_t i)
{
	const struct calls_node *n = node_at(t, i);

	return n->kind == CALLS_FUNCTION && function_kind_is_library(t->functions.all[n->id].kind);
}

/* Between two library frames, with nothing beside the next one that is worth a line. */
static bool is_foldable(const struct call_tree *t, uint32_t i)
{
	const struct calls_node *n = node_at(t, i);
	uint32_t child = child_of(t, i);

	return !t->style->full && is_library(t, i) && is_library(t, n->parent) &&
	       child != CALLS_NONE && is_library(t, child) &&
	       n->marks - node_at(t, child)->marks < t->min;
}

/* Of the chain that begins at @i; 0 when it would not save a line. */
static size_t foldable(const struct call_tree *t, uint32_t i, uint32_t *ret_after)
{
	size_t n = 0;

	for (*ret_after = i; is_foldable(t, *ret_after); n++)
		*ret_after = child_of(t, *ret_after);
	if (n < 2) {
		*ret_after = i;
		return 0;
	}
	return n;
}

const char *call_tree_colour(double share)
{
	static const struct {
		double from;
		const char *sgr;
	} colours[] = { { 0.5, "1;31" }, { 0.2, "33" }, { 0.05, "32" }, { 0, "2" } };
	size_t i = 0;

	while (share < colours[i].from)
		i++;
	return colours[i].sgr;
}

void call_tree_sgr(const struct call_tree *t, const char *codes)
{
	if (t->style->colour)
		fprintf(t->out, "\033[%sm", codes);
}

/* The guides of a line, @lasts[i]: no sibling follows at level i. Returns their columns. */
static unsigned print_guides(const struct call_tree *t, const char *lasts, size_t depth)
{
	size_t drawn = depth < LEVELS_DRAWN ? depth : LEVELS_DRAWN;

	call_tree_sgr(t, "2");
	for (size_t i = 1; i < drawn; i++)
		fputs(lasts[i] ? "   " : glyphs(t)->pass, t->out);
	if (depth)
		fputs(lasts[depth] ? glyphs(t)->last : glyphs(t)->middle, t->out);
	if (depth > LEVELS_DRAWN)
		fprintf(t->out, "(%zu) ", depth);
	call_tree_sgr(t, "0");
	return (unsigned)drawn * 3;
}

/* 0: the line is as long as it gets. */
static unsigned room_after(const struct call_tree *t, unsigned used)
{
	unsigned columns = t->style->columns;

	if (!columns)
		return 0;
	columns = columns < 80 ? 80 : columns;
	used += t->number_columns;
	return columns > used + TEXT_COLUMNS ? columns - used : TEXT_COLUMNS;
}

static int print_text(const struct call_tree *t, unsigned room, const char *sgr_codes,
		      const char *name, const char *place)
{
	_cleanup_free_ char *safe = escape_terminal(name, t->style->utf8, room), *more = NULL;
	size_t used;

	if (!safe)
		return -ENOMEM;
	used = escape_columns(safe, t->style->utf8) + 2;
	call_tree_sgr(t, sgr_codes);
	fputs(safe, t->out);
	call_tree_sgr(t, "0");
	if (*place && (!room || used + 8 < room)) {
		more = escape_terminal(place, t->style->utf8, room ? room - used : 0);
		if (!more)
			return -ENOMEM;
		call_tree_sgr(t, "2");
		fprintf(t->out, "  %s", more);
		call_tree_sgr(t, "0");
	}
	fputc('\n', t->out);
	return 0;
}

static int print_thread(const struct call_tree *t, unsigned room, uint32_t id)
{
	const struct profile_thread *thread = profile_thread_at(t->profile, id);
	char tid[24];

	snprintf(tid, sizeof(tid), "tid %u", thread->tid);
	return print_text(t, room, "1", *thread->name ? thread->name : "thread",
			  fact_names_tid(thread) ? "" : tid);
}

static int print_function(const struct call_tree *t, unsigned room, uint32_t id)
{
	const struct function_info *f = &t->functions.all[id];
	_cleanup_free_ char *place = function_place(f);

	if (!place)
		return -ENOMEM;
	return print_text(t, room, function_kind_sgr[f->kind], f->name, place);
}

/* What stands behind the numbers of a node. */
static int print_name(const struct call_tree *t, uint32_t i, unsigned room)
{
	const struct profile *p = t->profile;
	const struct calls_node *n = node_at(t, i);

	switch (n->kind) {
	case CALLS_PROCESS:
		return print_text(t, room, "1;36", profile_process_at(p, n->id)->name, "");
	case CALLS_THREAD:
		return print_thread(t, room, n->id);
	case CALLS_FUNCTION:
		return print_function(t, room, n->id);
	case CALLS_CAUSE:
		return print_text(t, room, "35", profile_cause_at(p, n->id)->name, "");
	default:
		return print_text(t, room, "1", t->root, "");
	}
}

static int print_node(const struct call_tree *t, uint32_t i, const char *lasts, size_t depth)
{
	t->numbers(t, i);
	return print_name(t, i, room_after(t, print_guides(t, lasts, depth)));
}

static void print_folded(const struct call_tree *t, uint32_t i, size_t n, const char *lasts,
			 size_t depth)
{
	t->numbers(t, i);
	print_guides(t, lasts, depth);
	call_tree_sgr(t, "2");
	fprintf(t->out, "[%zu frames hidden]\n", n);
	call_tree_sgr(t, "0");
}

static int reserve(char **lasts, size_t *room, size_t depth)
{
	char *grown;

	if (depth + 2 < *room)
		return 0;
	grown = realloc(*lasts, *room + 4096);
	if (!grown)
		return -ENOMEM;
	*lasts = grown;
	*room += 4096;
	return 0;
}

/* The children of @i that are not shown are worth a line: together they are not small. */
static bool has_rest(const struct call_tree *t, uint32_t i)
{
	uint64_t marks = 0;

	if (!t->numbers_left_out)
		return false;
	for (uint32_t c = node_at(t, i)->first_child; c != CALLS_NONE;
	     c = node_at(t, c)->next_sibling)
		marks += call_tree_leaves_out(t, c) ? node_at(t, c)->marks : 0;
	return marks && marks >= t->min;
}

static void print_rest(struct call_tree *t, uint32_t i, char *lasts, size_t depth)
{
	size_t n = 0;

	for (uint32_t c = node_at(t, i)->first_child; c != CALLS_NONE;
	     c = node_at(t, c)->next_sibling)
		n += call_tree_leaves_out(t, c);
	lasts[depth] = 1;
	t->numbers_left_out(t, i);
	print_guides(t, lasts, depth);
	call_tree_sgr(t, "2");
	fprintf(t->out, "%s%zu smaller\n", glyphs(t)->dots, n);
	call_tree_sgr(t, "0");
}

/* One line, or two where a chain is folded: returns in @i where the walk goes on below. */
static int print_step(struct call_tree *t, uint32_t *i, char **lasts, size_t *room)
{
	uint32_t after, parent = node_at(t, *i)->parent;
	size_t n = foldable(t, *i, &after), depth = t->depth_of[*i];
	int err = reserve(lasts, room, depth + 2);

	if (err)
		return err;
	(*lasts)[depth] =
	    sibling_of(t, *i) == CALLS_NONE && (parent == CALLS_NONE || !has_rest(t, parent));
	if (n) {
		print_folded(t, *i, n, *lasts, depth);
		t->folded += n;
		*i = after;
		t->depth_of[after] = (uint32_t)++depth;
		(*lasts)[depth] = 1;
	}
	return print_node(t, *i, *lasts, depth);
}

static void count_left_out(struct call_tree *t, uint32_t first)
{
	for (; first != CALLS_NONE; first = node_at(t, first)->next_sibling)
		t->left_out += node_at(t, first)->marks < t->min;
}

/* Upwards from @at to the next node that has not been printed; CALLS_NONE: all have. */
static uint32_t next_of(struct call_tree *t, uint32_t at, char *lasts)
{
	uint32_t next = CALLS_NONE, parent;

	for (; next == CALLS_NONE && at != CALLS_ROOT; at = parent) {
		parent = node_at(t, at)->parent;
		next = sibling_of(t, at);
		if (next != CALLS_NONE)
			t->depth_of[next] = t->depth_of[at];
		else if (has_rest(t, parent))
			print_rest(t, parent, lasts, t->depth_of[at]);
	}
	return next;
}

/* Depth first; of a folded chain only the ends have siblings to come back to. */
static int print_nodes(struct call_tree *t)
{
	_cleanup_free_ char *lasts = NULL;
	uint32_t at = t->root ? CALLS_ROOT : child_of(t, CALLS_ROOT), next;
	size_t room = 0;
	int err = 0;

	if (!t->root)
		count_left_out(t, node_at(t, CALLS_ROOT)->first_child);
	while (!err && at != CALLS_NONE) {
		err = print_step(t, &at, &lasts, &room);
		if (err)
			break;
		count_left_out(t, node_at(t, at)->first_child);
		next = child_of(t, at);
		if (next != CALLS_NONE)
			t->depth_of[next] = t->depth_of[at] + 1;
		else if (has_rest(t, at))
			print_rest(t, at, lasts, t->depth_of[at] + 1);
		at = next == CALLS_NONE ? next_of(t, at, lasts) : next;
	}
	return err;
}

int call_tree_print(struct call_tree *t)
{
	int err;

	t->depth_of = calloc(t->calls.n, sizeof(*t->depth_of));
	err = t->depth_of ? print_nodes(t) : -ENOMEM;
	free(t->depth_of);
	t->depth_of = NULL;
	return err;
}

int call_tree_line(const struct call_tree *t, const char *codes, char *text)
{
	_cleanup_free_ char *owned = text;
	_cleanup_free_ char *safe = owned ? escape_terminal(owned, t->style->utf8, 0) : NULL;

	if (!safe)
		return -ENOMEM;
	call_tree_sgr(t, codes);
	fprintf(t->out, "%s", safe);
	call_tree_sgr(t, "0");
	fputc('\n', t->out);
	return 0;
}
