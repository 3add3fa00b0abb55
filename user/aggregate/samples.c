/* samples.c - see samples.h */
#include "aggregate/samples.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/stacks.h"

#define NONE UINT32_MAX
#define ROOM_FIRST 256

struct entry {
	uint64_t detail;
	uint32_t node, thread, cause;
};

struct cell {
	uint32_t entry, slice;
	uint64_t marks;
};

/* Open addressing: numbers of the things in an array, found by a hash that the caller computes. */
struct index {
	uint32_t *slots; /* NONE: free */
	size_t size;	 /* power of two, at least twice as many as are in it */
};

struct samples {
	uint64_t start_ns, slice_ns, overflowed, marks;
	struct entry *entries;
	struct cell *cells;
	size_t entry_count, cell_count;
	size_t entry_room, cell_room;
	struct index by_entry, by_cell;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t h = (a ^ (b * 0x9e3779b97f4a7c15ULL)) * 0xff51afd7ed558ccdULL;

	return h ^ h >> 32;
}

static uint64_t entry_hash(const struct entry *e)
{
	return mix(mix(e->detail, e->node), (uint64_t)e->thread << 8 | e->cause);
}

static uint64_t cell_hash(uint32_t entry, uint32_t slice)
{
	return mix(entry, slice);
}

static void index_put(struct index *x, uint64_t hash, uint32_t number)
{
	size_t at = hash & (x->size - 1);

	while (x->slots[at] != NONE)
		at = (at + 1) & (x->size - 1);
	x->slots[at] = number;
}

/* Room for one more of @count things. False: no memory, and nothing has changed. */
static bool index_grow(struct index *x, size_t count,
		       uint64_t (*hash)(const struct samples *, uint32_t), const struct samples *s)
{
	struct index grown = { .size = x->size ? x->size * 2 : ROOM_FIRST * 2 };

	if (2 * (count + 1) <= x->size)
		return true;
	grown.slots = malloc(grown.size * sizeof(*grown.slots));
	if (!grown.slots)
		return false;
	memset(grown.slots, 0xff, grown.size * sizeof(*grown.slots));
	for (size_t i = 0; i < count; i++)
		index_put(&grown, hash(s, i), i);
	free(x->slots);
	*x = grown;
	return true;
}

static uint64_t hash_of_entry(const struct samples *s, uint32_t i)
{
	return entry_hash(&s->entries[i]);
}

static uint64_t hash_of_cell(const struct samples *s, uint32_t i)
{
	return cell_hash(s->cells[i].entry, s->cells[i].slice);
}

static bool room(void **array, size_t *room, size_t count, size_t bytes)
{
	size_t more = *room ? *room * 2 : ROOM_FIRST;
	void *grown;

	if (count < *room)
		return true;
	grown = reallocarray(*array, more, bytes);
	if (!grown)
		return false;
	*array = grown;
	*room = more;
	return true;
}

struct samples *samples_new(uint64_t start_ns, uint64_t slice_ns)
{
	struct samples *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->start_ns = start_ns;
	s->slice_ns = slice_ns;
	return s;
}

void samples_free(struct samples *s)
{
	if (!s)
		return;
	free(s->entries);
	free(s->cells);
	free(s->by_entry.slots);
	free(s->by_cell.slots);
	free(s);
}

void samples_start(struct samples *s, uint64_t start_ns)
{
	if (!s->cell_count)
		s->start_ns = start_ns;
}

static uint32_t find_entry(const struct samples *s, const struct entry *wanted)
{
	size_t at = entry_hash(wanted) & (s->by_entry.size - 1);

	for (; s->by_entry.slots[at] != NONE; at = (at + 1) & (s->by_entry.size - 1)) {
		const struct entry *e = &s->entries[s->by_entry.slots[at]];

		if (e->detail == wanted->detail && e->node == wanted->node &&
		    e->thread == wanted->thread && e->cause == wanted->cause)
			return s->by_entry.slots[at];
	}
	return NONE;
}

/* Beyond the bound the stack is given up, then the detail: thread and cause always stay right. */
static int add_entry(struct samples *s, struct entry wanted, uint32_t *ret)
{
	uint32_t known = s->by_entry.size ? find_entry(s, &wanted) : NONE;

	if (known == NONE && s->entry_count >= SAMPLES_ENTRIES_MAX &&
	    wanted.node != STACKS_OVERFLOW) {
		s->overflowed++;
		wanted.node = STACKS_OVERFLOW;
		wanted.detail = 0;
		known = find_entry(s, &wanted);
	}
	*ret = known;
	if (known != NONE)
		return 0;
	if (!room((void **)&s->entries, &s->entry_room, s->entry_count, sizeof(*s->entries)) ||
	    !index_grow(&s->by_entry, s->entry_count, hash_of_entry, s))
		return -ENOMEM;
	s->entries[s->entry_count] = wanted;
	index_put(&s->by_entry, entry_hash(&wanted), s->entry_count);
	*ret = s->entry_count++;
	return 0;
}

static struct cell *find_cell(const struct samples *s, uint32_t entry, uint32_t slice)
{
	size_t at = cell_hash(entry, slice) & (s->by_cell.size - 1);

	if (!s->by_cell.size)
		return NULL;
	for (; s->by_cell.slots[at] != NONE; at = (at + 1) & (s->by_cell.size - 1)) {
		struct cell *c = &s->cells[s->by_cell.slots[at]];

		if (c->entry == entry && c->slice == slice)
			return c;
	}
	return NULL;
}

/* Twice as long slices, half as many: in place, as cells only become fewer. */
static void merge_slices(struct samples *s)
{
	size_t count = s->cell_count;

	s->slice_ns *= 2;
	if (!count)
		return;
	memset(s->by_cell.slots, 0xff, s->by_cell.size * sizeof(*s->by_cell.slots));
	s->cell_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct cell moved = s->cells[i], *known;

		moved.slice /= 2;
		known = find_cell(s, moved.entry, moved.slice);
		if (known) {
			known->marks += moved.marks;
			continue;
		}
		s->cells[s->cell_count] = moved;
		index_put(&s->by_cell, hash_of_cell(s, s->cell_count), s->cell_count);
		s->cell_count++;
	}
}

static int add_cell(struct samples *s, uint32_t entry, uint64_t time_ns, uint64_t marks)
{
	uint64_t slice = time_ns > s->start_ns ? (time_ns - s->start_ns) / s->slice_ns : 0;
	struct cell *cell;

	while (slice >= SAMPLES_SLICES_MAX) {
		merge_slices(s);
		slice /= 2;
	}
	cell = find_cell(s, entry, slice);
	if (!cell && s->cell_count >= SAMPLES_CELLS_MAX && slice) {
		merge_slices(s);
		return add_cell(s, entry, time_ns, marks);
	}
	if (!cell) {
		if (!room((void **)&s->cells, &s->cell_room, s->cell_count, sizeof(*s->cells)) ||
		    !index_grow(&s->by_cell, s->cell_count, hash_of_cell, s))
			return -ENOMEM;
		cell = &s->cells[s->cell_count];
		*cell = (struct cell){ .entry = entry, .slice = slice };
		index_put(&s->by_cell, hash_of_cell(s, s->cell_count), s->cell_count);
		s->cell_count++;
	}
	cell->marks += marks;
	s->marks += marks;
	return 0;
}

/* Marks from @first_ns on that fall before @end_ns, @marks at most. */
static uint64_t marks_before(uint64_t first_ns, uint64_t end_ns, uint64_t period_ns, uint64_t marks)
{
	uint64_t n = end_ns > first_ns ? (end_ns - first_ns + period_ns - 1) / period_ns : 0;

	return n < marks ? n : marks;
}

int samples_add(struct samples *s, uint32_t node, uint32_t thread, uint32_t cause, uint64_t detail,
		uint64_t first_ns, uint64_t period_ns, uint64_t marks)
{
	struct entry wanted = { .detail = detail, .node = node, .thread = thread, .cause = cause };
	uint32_t entry;
	int err = add_entry(s, wanted, &entry);

	while (!err && marks) { /* slice by slice; merging makes them longer meanwhile */
		uint64_t slice, part;

		if (marks > 1 && period_ns) /* the last one decides how long slices are */
			while ((first_ns + (marks - 1) * period_ns - s->start_ns) / s->slice_ns >=
				   SAMPLES_SLICES_MAX &&
			       first_ns >= s->start_ns)
				merge_slices(s);
		slice = first_ns > s->start_ns ? (first_ns - s->start_ns) / s->slice_ns : 0;
		part = period_ns ? marks_before(first_ns, s->start_ns + (slice + 1) * s->slice_ns,
						period_ns, marks)
				 : marks;
		part = part ? part : 1;
		err = add_cell(s, entry, first_ns, part);
		marks -= part;
		first_ns += part * period_ns;
	}
	return err;
}

int samples_each(const struct samples *s, samples_fn fn, void *context)
{
	for (size_t i = 0; i < s->cell_count; i++) {
		const struct entry *e = &s->entries[s->cells[i].entry];
		struct samples_cell cell = {
			.node = e->node,
			.thread = e->thread,
			.cause = e->cause,
			.slice = s->cells[i].slice,
			.detail = e->detail,
			.marks = s->cells[i].marks,
		};
		int err = fn(context, &cell);

		if (err)
			return err;
	}
	return 0;
}

uint64_t samples_slice_ns(const struct samples *s)
{
	return s->slice_ns;
}

uint64_t samples_overflowed(const struct samples *s)
{
	return s->overflowed;
}

uint64_t samples_marks(const struct samples *s)
{
	return s->marks;
}
