/* massif.c - massif.out: Valgrind's massif file; snapshots of the timeline, the one at the peak
 * with the tree of who held it, turned over: allocating functions first (see allocations_files.h)
 *
 *   entries ──► cursors (node + bytes) ──(by label)──► groups ──► each group's callers ──► …
 *
 * The tree is walked without recursion, over one array: a group is a part of it, and its callers
 * are found in place. What holds less than the threshold is not opened, so a level has at most 100
 * open groups, and cursors that have come to one node go on as one.
 *
 * ms_print's demands: times do not fall, no node holds more than its snapshot, at least one
 * snapshot.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/allocations_files.h"
#include "artifact/profile_walk.h"
#include "lib/cleanup.h"

#define NS_PER_MS 1000000
#define MAX_SNAPSHOTS 100 /* as massif's own --max-snapshots */
#define THRESHOLD 100	  /* a hundredth, as massif's own --threshold */
#define MAX_DEPTH 200	  /* as massif's own --depth at most: each level is indented by one more */
#define NOT_ATTRIBUTED "[not attributed]"

struct cursor {
	uint32_t node, label;
	uint64_t bytes;
};

/* A node of the tree: cursors [start, start + count) with one label. */
struct group {
	size_t start, count;
	uint64_t bytes;
	uint32_t label; /* INTERN_NONE: @places groups below the threshold */
	uint32_t depth, places;
};

struct massif {
	const struct allocations *a;
	FILE *out;
	struct profile_walk walk;
	struct cursor *cursors;
	struct group *pending; /* a stack: the next one last */
	size_t pending_count, pending_room;
	uint64_t total; /* of the snapshot at the peak */
	unsigned snapshots;
};

static int show(FILE *out, const struct profile_shown *f)
{
	fputs(f->name, out);
	if (f->file && f->line)
		fprintf(out, " (%s:%" PRIu32 ")", f->file, f->line);
	else if (f->file || f->module)
		fprintf(out, " (in %s)", f->file ? f->file : f->module);
	return 0;
}

/* ------------------------------------------------------------------ the tree */

static int by_label(const void *a, const void *b)
{
	const struct cursor *x = a, *y = b;

	if (x->label != y->label)
		return x->label > y->label ? 1 : -1;
	return (x->node > y->node) - (x->node < y->node);
}

/* Largest last: it is taken first. Small ones together come after all others. */
static int by_bytes(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if ((x->label == INTERN_NONE) != (y->label == INTERN_NONE))
		return x->label == INTERN_NONE ? -1 : 1;
	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? 1 : -1;
	return (x->start < y->start) - (x->start > y->start);
}

static int push(struct massif *m, const struct group *g)
{
	if (m->pending_count == m->pending_room) {
		size_t room = m->pending_room ? m->pending_room * 2 : 64;
		struct group *pending = reallocarray(m->pending, room, sizeof(*pending));

		if (!pending)
			return -ENOMEM;
		m->pending = pending;
		m->pending_room = room;
	}
	m->pending[m->pending_count++] = *g;
	return 0;
}

/* Sorts @c, makes those of one node one. Returns how many there are then. */
static size_t merge(struct massif *m, struct cursor *c, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		c[i].label = profile_walk_label_of(&m->walk, c[i].node);
	qsort(c, count, sizeof(*c), by_label);
	for (size_t i = 0; i < count; i++) {
		if (kept && c[kept - 1].node == c[i].node)
			c[kept - 1].bytes += c[i].bytes;
		else
			c[kept++] = c[i];
	}
	return kept;
}

/* Pushes the groups that @count cursors at @start make, as children at @depth. Their number in
 * *@ret. 0 or -ENOMEM. */
static int push_groups(struct massif *m, size_t start, size_t count, uint32_t depth, uint32_t *ret)
{
	struct group small = { .label = INTERN_NONE, .depth = depth };
	size_t first = m->pending_count, end = start + merge(m, m->cursors + start, count), next;

	for (size_t i = start; i < end; i = next) {
		struct group g = { .start = i, .label = m->cursors[i].label, .depth = depth };

		for (next = i; next < end && m->cursors[next].label == g.label; next++)
			g.bytes += m->cursors[next].bytes;
		g.count = next - i;
		if (g.bytes < m->total / THRESHOLD + !!(m->total % THRESHOLD)) {
			small.bytes += g.bytes;
			small.places++;
		} else if (push(m, &g)) {
			return -ENOMEM;
		}
	}
	if (small.places && push(m, &small))
		return -ENOMEM;
	*ret = (uint32_t)(m->pending_count - first);
	if (*ret) /* else there may be no array */
		qsort(m->pending + first, *ret, sizeof(*m->pending), by_bytes);
	return 0;
}

static void write_line(struct massif *m, uint32_t depth, uint32_t kids, uint64_t bytes)
{
	fprintf(m->out, "%*sn%" PRIu32 ": %" PRIu64 " ", (int)depth, "", kids, bytes);
}

static int write_group(struct massif *m, const struct group *g)
{
	size_t count = 0;
	uint32_t kids;

	if (g->label == INTERN_NONE) {
		write_line(m, g->depth, 0, g->bytes);
		fprintf(m->out, "in %" PRIu32 " place%s, %sbelow massif's threshold (1.00%%)\n",
			g->places, g->places == 1 ? "" : "s", g->places == 1 ? "" : "all ");
		return 0;
	}
	for (size_t i = g->start; g->depth < MAX_DEPTH && i < g->start + g->count; i++) {
		struct cursor c = m->cursors[i];

		c.node = profile_walk_parent(&m->walk, c.node);
		if (c.node != INTERN_NONE)
			m->cursors[g->start + count++] = c;
	}
	if (push_groups(m, g->start, count, g->depth + 1, &kids))
		return -ENOMEM;
	write_line(m, g->depth, kids, g->bytes);
	fprintf(m->out, "%s\n", profile_walk_label(&m->walk, g->label));
	return 0;
}

static int write_tree(struct massif *m, size_t count, uint64_t remainder)
{
	uint32_t kids;

	if (push_groups(m, 0, count, 1, &kids))
		return -ENOMEM;
	write_line(m, 0, kids + !!remainder, m->total);
	fputs(allocations_facts(m->a)->resident
		  ? "(resident pages) first touched by\n"
		  : "(heap allocation functions) malloc/new/new[], --alloc-fns, etc.\n",
	      m->out);
	while (m->pending_count) {
		struct group g = m->pending[--m->pending_count];

		if (write_group(m, &g))
			return -ENOMEM;
	}
	if (remainder) {
		write_line(m, 1, 0, remainder);
		fputs(NOT_ATTRIBUTED "\n", m->out);
	}
	return 0;
}

/* ------------------------------------------------------------------ snapshots */

static void begin_snapshot(struct massif *m, uint64_t time_ns, uint64_t bytes, const char *tree)
{
	fprintf(m->out,
		"#-----------\nsnapshot=%u\n#-----------\ntime=%" PRIu64 "\nmem_heap_B=%" PRIu64
		"\nmem_heap_extra_B=0\nmem_stacks_B=0\nheap_tree=%s\n",
		m->snapshots++, time_ns / NS_PER_MS, bytes, tree);
}

/* Fills @cursors; *@ret: how many. */
static int take_entries(struct massif *m, size_t *ret)
{
	size_t count = 0;

	m->cursors = calloc(allocations_count(m->a) + 1, sizeof(*m->cursors));
	if (!m->cursors)
		return -ENOMEM;
	for (size_t i = 0; i < allocations_count(m->a); i++) {
		const struct allocation_entry *e = allocations_at(m->a, i);
		struct cursor c = { .bytes = e->peak.bytes };

		if (!c.bytes)
			continue;
		c.node = profile_walk_stack(&m->walk, e->stack);
		if (c.node == INTERN_NONE)
			return -ENOMEM;
		m->cursors[count++] = c;
	}
	*ret = count;
	return 0;
}

static int write_peak(struct massif *m)
{
	const struct allocations_facts *f = allocations_facts(m->a);
	uint64_t known = allocations_sum(m->a).peak.bytes;
	size_t count;
	int err = take_entries(m, &count);

	if (err)
		return err;
	/* the sum of estimates may be above what was measured; no node may be above its snapshot */
	m->total = known > f->peak_bytes ? known : f->peak_bytes;
	begin_snapshot(m, f->peak_ns, m->total, "peak");
	return write_tree(m, count, m->total - known);
}

/* Of the points [first, end) the one to show: where most was live, of the last ones the last. */
static const struct allocation_point *point_of(const struct allocations *a, size_t first,
					       size_t end)
{
	const struct allocation_point *best = allocations_point_at(a, end - 1);

	for (size_t i = first; i < end && end < allocations_point_count(a); i++)
		if (allocations_point_at(a, i)->live_bytes > best->live_bytes)
			best = allocations_point_at(a, i);
	return best;
}

static int write_snapshots(struct massif *m)
{
	size_t points = allocations_point_count(m->a);
	size_t shown = points < MAX_SNAPSHOTS - 1 ? points : MAX_SNAPSHOTS - 1;
	uint64_t peak_ns = allocations_facts(m->a)->peak_ns;
	bool peak = false;
	int err = 0;

	for (size_t i = 0; !err && i < shown; i++) {
		const struct allocation_point *p =
		    point_of(m->a, points * i / shown, points * (i + 1) / shown);

		if (!peak && p->time_ns >= peak_ns) {
			err = write_peak(m);
			peak = true;
		}
		if (!err)
			begin_snapshot(m, p->time_ns, p->live_bytes, "empty");
	}
	return err || peak ? err : write_peak(m);
}

static int write_head(struct massif *m)
{
	const struct allocations_facts *f = allocations_facts(m->a);
	_cleanup_free_ char *command = profile_safe_name(f->command ? f->command : "");

	if (!command)
		return -ENOMEM;
	fprintf(m->out, "desc: taskdiag-bpf %s, %s\ncmd: %s\ntime_unit: ms\n", TASKDIAG_VERSION,
		f->resident ? "resident pages" : "heap", command);
	return 0;
}

int allocations_write_massif(const struct allocations *a, const struct allocations_options *options,
			     FILE *out)
{
	struct massif m = { .a = a, .out = out };
	int err = profile_walk_init(&m.walk, allocations_names(a), show);

	(void)options;
	if (!err)
		err = write_head(&m);
	if (!err)
		err = write_snapshots(&m);
	profile_walk_clear(&m.walk);
	free(m.cursors);
	free(m.pending);
	return err ? err : ferror(out) ? -EIO : 0;
}
