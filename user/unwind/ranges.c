/* ranges.c - see ranges.h */
#include "unwind/ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct extent {
	uint32_t first, count;
	uint64_t due_ns;
};

struct extents {
	struct extent *list;
	size_t count, capacity;
};

struct ranges {
	struct extents free;	/* sorted, never adjacent */
	struct extents resting; /* oldest first */
	uint32_t used, rests;
};

static int extents_insert(struct extents *e, size_t at, const struct extent *x)
{
	if (e->count == e->capacity) {
		size_t capacity = e->capacity ? e->capacity * 2 : 16;
		struct extent *list = reallocarray(e->list, capacity, sizeof(*list));

		if (!list)
			return -ENOMEM;
		e->list = list;
		e->capacity = capacity;
	}
	memmove(&e->list[at + 1], &e->list[at], (e->count - at) * sizeof(*x));
	e->list[at] = *x;
	e->count++;
	return 0;
}

static void extents_remove(struct extents *e, size_t at, size_t count)
{
	if (!count)
		return;
	e->count -= count;
	memmove(&e->list[at], &e->list[at + count], (e->count - at) * sizeof(*e->list));
}

struct ranges *ranges_new(uint32_t limit)
{
	struct ranges *r = calloc(1, sizeof(*r));
	struct extent all = { .count = limit };

	if (r && extents_insert(&r->free, 0, &all)) {
		free(r);
		return NULL;
	}
	return r;
}

void ranges_free(struct ranges *r)
{
	if (!r)
		return;
	free(r->free.list);
	free(r->resting.list);
	free(r);
}

int ranges_take(struct ranges *r, uint32_t count, uint32_t *ret_first)
{
	for (size_t i = 0; i < r->free.count; i++) {
		struct extent *x = &r->free.list[i];

		if (x->count < count)
			continue;
		*ret_first = x->first;
		x->first += count;
		x->count -= count;
		if (!x->count)
			extents_remove(&r->free, i, 1);
		r->used += count;
		return 0;
	}
	return -ENOSPC;
}

static size_t free_after(const struct extents *e, uint32_t first)
{
	size_t low = 0, high = e->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (e->list[middle].first < first)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int free_again(struct ranges *r, const struct extent *x)
{
	size_t at = free_after(&r->free, x->first);
	struct extent *before = at ? &r->free.list[at - 1] : NULL;
	struct extent *after = at < r->free.count ? &r->free.list[at] : NULL;

	if (before && before->first + before->count != x->first)
		before = NULL;
	if (after && x->first + x->count != after->first)
		after = NULL;
	if (!before && !after && extents_insert(&r->free, at, x))
		return -ENOMEM;
	if (before) {
		before->count += x->count + (after ? after->count : 0);
		if (after)
			extents_remove(&r->free, at, 1);
	} else if (after) {
		after->first = x->first;
		after->count += x->count;
	}
	r->used -= x->count;
	return 0;
}

int ranges_give(struct ranges *r, uint32_t first, uint32_t count, uint64_t due_ns)
{
	struct extent x = { .first = first, .count = count, .due_ns = due_ns };

	if (!count)
		return 0;
	if (!due_ns)
		return free_again(r, &x);
	if (extents_insert(&r->resting, r->resting.count, &x))
		return -ENOMEM;
	r->rests += count;
	return 0;
}

void ranges_expire(struct ranges *r, uint64_t now_ns)
{
	size_t n = 0;

	while (n < r->resting.count && r->resting.list[n].due_ns <= now_ns &&
	       !free_again(r, &r->resting.list[n]))
		r->rests -= r->resting.list[n++].count;
	extents_remove(&r->resting, 0, n);
}

uint32_t ranges_used(const struct ranges *r)
{
	return r->used;
}

uint32_t ranges_resting(const struct ranges *r)
{
	return r->rests;
}
