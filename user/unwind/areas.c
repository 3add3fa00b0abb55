/* areas.c - see areas.h */
#include "unwind/areas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/unwind.h"

static void came(const struct areas *a, const struct area *x)
{
	if (a->watch && x->file)
		a->watch->came(a->watch->context, x->file);
}

static void left(const struct areas *a, const struct area *x)
{
	if (a->watch && x->file)
		a->watch->left(a->watch->context, x->file);
}

/* Index of the first area that ends after @address. */
static size_t ends_after(const struct areas *a, uint64_t address)
{
	size_t low = 0, high = a->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (a->list[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static bool goes_on(const struct area *x, const struct area *y)
{
	return x->end == y->start && x->file == y->file &&
	       (!x->file || x->offset + (x->end - x->start) == y->offset);
}

static struct area rest(const struct area *x, uint64_t start, uint64_t end)
{
	struct area part = *x;

	part.offset += start - x->start;
	part.start = start;
	part.end = end;
	return part;
}

/* Adds @x to the @count of @to, or makes the last of them longer. */
static size_t join(struct area *to, size_t count, const struct area *x)
{
	if (count && goes_on(&to[count - 1], x)) {
		to[count - 1].end = x->end;
		return count;
	}
	to[count] = *x;
	return count + 1;
}

static int splice(struct areas *a, size_t from, size_t to, const struct area *with, size_t count)
{
	size_t total = a->count - (to - from) + count;

	if (total > PROCESS_MAPPINGS_MAX)
		return -ENOSPC;
	if (total > a->capacity) {
		size_t capacity = total + total / 2 + 8;
		struct area *list = reallocarray(a->list, capacity, sizeof(*list));

		if (!list)
			return -ENOMEM;
		a->list = list;
		a->capacity = capacity;
	}
	for (size_t i = 0; i < count; i++)
		came(a, &with[i]);
	for (size_t i = from; i < to; i++)
		left(a, &a->list[i]);
	if (to < a->count)
		memmove(&a->list[from + count], &a->list[to], (a->count - to) * sizeof(*a->list));
	memcpy(&a->list[from], with, count * sizeof(*with));
	a->count = total;
	return 0;
}

int areas_put(struct areas *a, const struct area *fresh)
{
	size_t from = ends_after(a, fresh->start), to = from, count = 0;
	struct area with[5]; /* neighbour, rest, fresh, rest, neighbour */

	while (to < a->count && a->list[to].start < fresh->end)
		to++;
	if (from && a->list[from - 1].end == fresh->start) {
		from--;
		count = join(with, count, &a->list[from]);
	} else if (from < to && a->list[from].start < fresh->start) {
		struct area before = rest(&a->list[from], a->list[from].start, fresh->start);

		count = join(with, count, &before);
	}
	count = join(with, count, fresh);
	if (from < to && a->list[to - 1].end > fresh->end) {
		struct area after = rest(&a->list[to - 1], fresh->end, a->list[to - 1].end);

		count = join(with, count, &after);
	} else if (to < a->count && a->list[to].start == fresh->end) {
		count = join(with, count, &a->list[to]);
		to++;
	}
	return splice(a, from, to, with, count);
}

int areas_copy(const struct areas *from, struct areas *to)
{
	return from->count ? splice(to, 0, 0, from->list, from->count) : 0;
}

void areas_clear(struct areas *a)
{
	for (size_t i = 0; i < a->count; i++)
		left(a, &a->list[i]);
	free(a->list);
	a->list = NULL;
	a->count = a->capacity = 0;
}

bool areas_equal(const struct areas *a, const struct areas *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct area *x = &a->list[i], *y = &b->list[i];

		if (x->start != y->start || x->end != y->end || x->file != y->file ||
		    (x->file && x->offset != y->offset))
			return false;
	}
	return true;
}

const struct area *areas_find(const struct areas *a, uint64_t address)
{
	size_t i = ends_after(a, address);

	return i < a->count && a->list[i].start <= address ? &a->list[i] : NULL;
}
