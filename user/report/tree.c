/* tree.c - profile → a tree of calls on the console.
 *
 *	wall s   share   cpu
 *	12.345  61.2 %  97 %  ├─ compute  compute.c:12
 *
 * Below 1 % is left out, chains of library code are folded; --full shows all.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/calls.h"
#include "report/facts.h"
#include "report/profile_facts.h"
#include "report/report.h"

#define SHARE_MIN 0.01
#define LEVELS_DRAWN 64u /* deeper ones stand below each other, with their depth */
#define LEFT_COLUMNS 27u
#define TEXT_COLUMNS 32u /* at least, however deep */

struct glyphs {
	const char *middle, *last, *pass, *dots;
};

static const struct glyphs unicode = { "├─ ", "└─ ", "│  ", "…" };
static const struct glyphs ascii = { "|- ", "`- ", "|  ", "..." };

struct tree {
	FILE *out;
	const struct run *run;
	const struct report_style *style;
	const struct glyphs *glyphs;
	struct functions functions;
	struct calls calls;
	uint64_t min;	    /* marks of a node that is shown */
	uint32_t *depth_of; /* node → its level on the screen */
	size_t left_out, folded;
};

static const struct calls_node *node_at(const struct tree *t, uint32_t i)
{
	return &t->calls.nodes[i];
}

/* @first and its siblings come largest first: all after a small one are small. */
static uint32_t shown(const struct tree *t, uint32_t first)
{
	return first != CALLS_NONE && node_at(t, first)->marks >= t->min ? first : CALLS_NONE;
}

static uint32_t child_of(const struct tree *t, uint32_t i)
{
	return shown(t, node_at(t, i)->first_child);
}

static uint32_t sibling_of(const struct tree *t, uint32_t i)
{
	return shown(t, node_at(t, i)->next_sibling);
}

static bool is_library(const struct tree *t, uint32_t i)
{
	const struct calls_node *n = node_at(t, i);

	return n->kind == CALLS_FUNCTION && function_kind_is_library(t->functions.all[n->id].kind);
}

/* Between two library frames, with nothing beside the next one that is worth a line. */
static bool is_foldable(const struct tree *t, uint32_t i)
{
	const struct calls_node *n = node_at(t, i);
	uint32_t child = child_of(t, i);

	return !t->style->full && is_library(t, i) && is_library(t, n->parent) &&
	       child != CALLS_NONE && is_library(t, child) &&
	       n->marks - node_at(t, child)->marks < t->min;
}

/* Of the chain that begins at @i; 0 when it would not save a line. */
static size_t foldable(const struct tree *t, uint32_t i, uint32_t *ret_after)
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

static const char *colour_of(double share)
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

static void sgr(const struct tree *t, const char *codes)
{
	if (t->style->colour)
		fprintf(t->out, "\033[%sm", codes);
}

static void print_numbers(const struct tree *t, const struct calls_node *n)
{
	double share = (double)n->marks / (double)node_at(t, CALLS_ROOT)->marks;
	char cpu[16] = "";

	if (n->marks && n->kind != CALLS_CAUSE)
		snprintf(cpu, sizeof(cpu), "%.0f %%",
			 100.0 * (double)n->cpu_marks / (double)n->marks);
	sgr(t, colour_of(share));
	fprintf(t->out, "%10.3f %6.1f %% %5s  ", fact_wall(t->run->profile, n->marks), 100 * share,
		cpu);
	sgr(t, "0");
}

/* The guides of a line, @lasts[i]: no sibling follows at level i. Returns their columns. */
static unsigned print_guides(const struct tree *t, const char *lasts, size_t depth)
{
	size_t drawn = depth < LEVELS_DRAWN ? depth : LEVELS_DRAWN;

	sgr(t, "2");
	for (size_t i = 1; i < drawn; i++)
		fputs(lasts[i] ? "   " : t->glyphs->pass, t->out);
	if (depth)
		fputs(lasts[depth] ? t->glyphs->last : t->glyphs->middle, t->out);
	if (depth > LEVELS_DRAWN)
		fprintf(t->out, "(%zu) ", depth);
	sgr(t, "0");
	return (unsigned)drawn * 3;
}

/* 0: the line is as long as it gets. */
static unsigned room_after(const struct tree *t, unsigned used)
{
	unsigned columns = t->style->columns;

	if (!columns)
		return 0;
	columns = columns < 80 ? 80 : columns;
	used += LEFT_COLUMNS;
	return columns > used + TEXT_COLUMNS ? columns - used : TEXT_COLUMNS;
}

static int print_text(const struct tree *t, unsigned room, const char *sgr_codes, const char *name,
		      const char *place)
{
	_cleanup_free_ char *safe = escape_terminal(name, t->style->utf8, room), *more = NULL;
	size_t used;

	if (!safe)
		return -ENOMEM;
	used = escape_columns(safe, t->style->utf8) + 2;
	sgr(t, sgr_codes);
	fputs(safe, t->out);
	sgr(t, "0");
	if (*place && (!room || used + 8 < room)) {
		more = escape_terminal(place, t->style->utf8, room ? room - used : 0);
		if (!more)
			return -ENOMEM;
		sgr(t, "2");
		fprintf(t->out, "  %s", more);
		sgr(t, "0");
	}
	fputc('\n', t->out);
	return 0;
}

static int print_thread(const struct tree *t, unsigned room, uint32_t id)
{
	const struct profile_thread *thread = profile_thread_at(t->run->profile, id);
	char tid[24];

	snprintf(tid, sizeof(tid), "tid %u", thread->tid);
	return print_text(t, room, "1", *thread->name ? thread->name : "thread",
			  fact_names_tid(thread) ? "" : tid);
}

static int print_function(const struct tree *t, unsigned room, uint32_t id)
{
	const struct function_info *f = &t->functions.all[id];
	_cleanup_free_ char *place = function_place(f);

	if (!place)
		return -ENOMEM;
	return print_text(t, room, function_kind_sgr[f->kind], f->name, place);
}

static int print_node(const struct tree *t, uint32_t i, const char *lasts, size_t depth)
{
	const struct profile *p = t->run->profile;
	const struct calls_node *n = node_at(t, i);
	unsigned room;

	print_numbers(t, n);
	room = room_after(t, print_guides(t, lasts, depth));
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
		return print_text(t, room, "1", "all", "");
	}
}

static void print_folded(const struct tree *t, uint32_t i, size_t n, const char *lasts,
			 size_t depth)
{
	print_numbers(t, node_at(t, i));
	print_guides(t, lasts, depth);
	sgr(t, "2");
	fprintf(t->out, "[%zu frames hidden]\n", n);
	sgr(t, "0");
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

/* One line, or two where a chain is folded: returns in @i where the walk goes on below. */
static int print_step(struct tree *t, uint32_t *i, char **lasts, size_t *room)
{
	uint32_t after;
	size_t n = foldable(t, *i, &after), depth = t->depth_of[*i];
	int err = reserve(lasts, room, depth + 1);

	if (err)
		return err;
	(*lasts)[depth] = sibling_of(t, *i) == CALLS_NONE;
	if (n) {
		print_folded(t, *i, n, *lasts, depth);
		t->folded += n;
		*i = after;
		t->depth_of[after] = (uint32_t)++depth;
		(*lasts)[depth] = 1;
	}
	return print_node(t, *i, *lasts, depth);
}

static void count_left_out(struct tree *t, uint32_t first)
{
	for (; first != CALLS_NONE; first = node_at(t, first)->next_sibling)
		t->left_out += node_at(t, first)->marks < t->min;
}

/* Depth first; of a folded chain only the ends have siblings to come back to. */
static int print_nodes(struct tree *t)
{
	_cleanup_free_ char *lasts = NULL;
	uint32_t at = child_of(t, CALLS_ROOT), next;
	size_t room = 0;
	int err = 0;

	count_left_out(t, node_at(t, CALLS_ROOT)->first_child);
	while (!err && at != CALLS_NONE) {
		err = print_step(t, &at, &lasts, &room);
		count_left_out(t, node_at(t, at)->first_child);
		next = child_of(t, at);
		if (next != CALLS_NONE)
			t->depth_of[next] = t->depth_of[at] + 1;
		for (; next == CALLS_NONE && at != CALLS_ROOT; at = node_at(t, at)->parent) {
			next = sibling_of(t, at);
			if (next != CALLS_NONE)
				t->depth_of[next] = t->depth_of[at];
		}
		at = next;
	}
	return err;
}

static int print_line(const struct tree *t, const char *codes, char *text)
{
	_cleanup_free_ char *owned = text;
	_cleanup_free_ char *safe = owned ? escape_terminal(owned, t->style->utf8, 0) : NULL;

	if (!safe)
		return -ENOMEM;
	sgr(t, codes);
	fprintf(t->out, "%s", safe);
	sgr(t, "0");
	fputc('\n', t->out);
	return 0;
}

static char *headline(const struct run *r)
{
	const char *id = run_string(r, "task.id");
	size_t threads = profile_thread_count(r->profile);
	char *text = NULL;

	if (asprintf(&text, "%s: %s observed, %zu thread%s sampled", id ? id : "unnamed task",
		     fact_seconds(fact_duration(r)).s, threads, threads == 1 ? "" : "s") < 0)
		return NULL;
	return text;
}

static int print_head(const struct tree *t)
{
	int err = print_line(t, "1", headline(t->run));

	if (!err)
		err = print_line(t, "0", fact_profile_time(t->run));
	if (!err)
		err = print_line(t, "2", fact_profile_sampling(t->run));
	if (err)
		return err;
	sgr(t, "2");
	fprintf(t->out, "\n%10s %8s %5s\n", "wall s", "share", "CPU");
	sgr(t, "0");
	return 0;
}

static void print_foot(const struct tree *t)
{
	if (!t->left_out && !t->folded)
		return;
	sgr(t, "2");
	fprintf(t->out,
		"\n%s branches below 1 %% and %s frames of libraries are hidden; --full shows "
		"all\n",
		fact_count((double)t->left_out).s, fact_count((double)t->folded).s);
	sgr(t, "0");
}

static int print_tree(struct tree *t)
{
	int err = print_head(t);

	if (!err)
		err = print_nodes(t);
	if (!err)
		print_foot(t);
	return !err && (fflush(t->out) || ferror(t->out)) ? -EIO : err;
}

int report_tree(const struct run *r, const struct report_style *style, FILE *out)
{
	struct tree t = {
		.out = out, .run = r, .style = style, .glyphs = style->utf8 ? &unicode : &ascii
	};
	int err;

	if (!r->profile)
		return -ENODATA;
	err = functions_init(&t.functions, r->profile, style->lines);
	if (!err)
		err =
		    calls_init(&t.calls, r->profile, &t.functions, CALLS_BY_THREAD | CALLS_CAUSES);
	if (!err) {
		t.depth_of = calloc(t.calls.n, sizeof(*t.depth_of));
		if (!style->full)
			t.min = (uint64_t)ceil(SHARE_MIN * (double)node_at(&t, CALLS_ROOT)->marks);
		err = t.depth_of ? print_tree(&t) : -ENOMEM;
	}
	free(t.depth_of);
	calls_done(&t.calls);
	functions_done(&t.functions);
	return err;
}
