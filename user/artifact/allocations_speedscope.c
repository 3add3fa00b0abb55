/* allocations_speedscope.c - allocations.speedscope.json: one profile of the peak, and one of what
 * is left at the end when there is any (see allocations_files.h) */
#include <errno.h>
#include <stdlib.h>

#include "artifact/allocations_files.h"
#include "artifact/speedscope.h"
#include "lib/cleanup.h"

/* The smallest stacks of a file that would be too large are one, of this frame. */
#define SMALLER "[smaller stacks]"

static const struct {
	const char *name;
	size_t sum; /* of an entry */
} profiles[] = {
	{ "held at the peak", offsetof(struct allocation_entry, peak) },
	{ "left at the end", offsetof(struct allocation_entry, leaked) },
};
#define PROFILES (sizeof(profiles) / sizeof(profiles[0]))

/* The lines of a profile that are written on their own. */
struct chosen {
	const struct profile_line **lines;
	size_t count;
	uint64_t smaller, sum; /* bytes of the others, and of all */
};

static int add_entries(struct profile_walk *w, const struct allocations *a, size_t sum)
{
	profile_walk_restart(w);
	for (size_t i = 0; i < allocations_count(a); i++) {
		const struct allocation_entry *e = allocations_at(a, i);
		const struct allocation_sum *s = (const void *)((const char *)e + sum);
		uint32_t node;

		if (!s->bytes)
			continue;
		node = profile_walk_stack(w, e->stack);
		if (node == INTERN_NONE || profile_walk_add(w, e->thread, node, s->bytes))
			return -ENOMEM;
	}
	return 0;
}

static int largest_first(const void *a, const void *b)
{
	const struct profile_line *x = *(const struct profile_line *const *)a;
	const struct profile_line *y = *(const struct profile_line *const *)b;

	return (x->marks < y->marks) - (x->marks > y->marks);
}

/* Bytes that a line has to have more than, so that all of them together are not too many frames.
 * 0 or -ENOMEM. */
static int limit_of(const struct profile_walk *w, const struct chosen *c, uint64_t *ret)
{
	_cleanup_free_ const struct profile_line **sorted = calloc(c->count + 1, sizeof(*sorted));
	size_t frames = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < c->count; i++)
		sorted[i] = c->lines[i];
	qsort(sorted, c->count, sizeof(struct profile_line *), largest_first);
	*ret = 0;
	for (size_t i = 0; i < c->count && !*ret; i++) {
		frames += profile_walk_depth(w, sorted[i]->node) + 2;
		if (frames > SPEEDSCOPE_MAX_FRAMES)
			*ret = sorted[i]->marks;
	}
	return 0;
}

static int choose(struct profile_walk *w, struct chosen *c)
{
	size_t count = 0;
	uint64_t limit;
	int err;

	err = profile_walk_sorted(w, &c->lines);
	if (err)
		return err;
	c->count = w->lines.count;
	err = limit_of(w, c, &limit);
	for (size_t i = 0; !err && i < c->count; i++) {
		c->sum += c->lines[i]->marks;
		if (c->lines[i]->marks > limit)
			c->lines[count++] = c->lines[i];
		else
			c->smaller += c->lines[i]->marks;
	}
	c->count = count;
	return err;
}

static int write_chosen(struct profile_walk *w, const char *name, const struct chosen *c,
			uint32_t smaller, FILE *out)
{
	size_t i;

	speedscope_begin(name, "bytes", c->sum, out);
	for (i = 0; i < c->count; i++)
		if (speedscope_sample(w, i, c->lines[i]->root, c->lines[i]->node, out))
			return -ENOMEM;
	if (c->smaller && speedscope_sample(w, i, INTERN_NONE, smaller, out))
		return -ENOMEM;
	speedscope_weights(out);
	for (i = 0; i < c->count; i++)
		speedscope_weight(i, c->lines[i]->marks, out);
	if (c->smaller)
		speedscope_weight(i, c->smaller, out);
	speedscope_end(out);
	return 0;
}

static int write_profiles(struct profile_walk *w, const struct allocations *a, FILE *out)
{
	uint32_t smaller = profile_walk_root(w, SMALLER);
	int err = smaller == INTERN_NONE ? -ENOMEM : profile_walk_threads(w);

	if (!err) /* all labels are there */
		err = speedscope_head(w, allocations_facts(a)->command, out);
	for (size_t i = 0; !err && i < PROFILES; i++) {
		struct chosen c = { 0 };

		err = add_entries(w, a, profiles[i].sum);
		if (!err)
			err = choose(w, &c);
		if (!err && i && c.sum)
			fputs(",\n", out);
		if (!err && (!i || c.sum))
			err = write_chosen(w, profiles[i].name, &c, smaller, out);
		free(c.lines);
	}
	speedscope_tail(out);
	return err;
}

int allocations_write_speedscope(const struct allocations *a,
				 const struct allocations_options *options, FILE *out)
{
	struct profile_walk w;
	int err = profile_walk_init(&w, allocations_names(a), speedscope_show);

	(void)options;
	if (!err)
		err = write_profiles(&w, a, out);
	profile_walk_clear(&w);
	return err ? err : ferror(out) ? -EIO : 0;
}
