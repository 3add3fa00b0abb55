/* heap_maps.c - see heap_maps.h; a search tree in which ranges that overlap count as equal, so that
 * a search for a range finds one that it touches */
#include "aggregate/heap_maps.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

static int by_address(const void *a, const void *b)
{
	const struct mapping *p = a, *q = b;

	if (p->end <= q->start)
		return -1;
	return p->start >= q->end;
}

static void unlink_and_free(struct maps *m, struct mapping *mapping)
{
	*mapping->link = mapping->next;
	if (mapping->next)
		mapping->next->link = mapping->link;
	free(mapping);
	m->count--;
}

static void keep(void *mapping)
{
	(void)mapping;
}

void maps_clear(struct maps *m)
{
	tdestroy(m->tree, keep);
	m->tree = NULL;
	while (m->first)
		unlink_and_free(m, m->first);
}

int maps_add(struct maps *m, const struct mapping *mapping)
{
	struct mapping *own = malloc(sizeof(*own));
	void *node;

	if (!own)
		return -ENOMEM;
	*own = *mapping;
	node = tsearch(own, &m->tree, by_address);
	if (!node || *(struct mapping **)node != own) {
		free(own);
		return node ? -EEXIST : -ENOMEM;
	}
	own->next = m->first;
	own->link = &m->first;
	if (own->next)
		own->next->link = &own->next;
	m->first = own;
	m->count++;
	return 0;
}

struct mapping *maps_find(const struct maps *m, uint64_t start, uint64_t end)
{
	const struct mapping range = { .start = start, .end = end };
	struct mapping **node = start < end ? tfind(&range, &m->tree, by_address) : NULL;

	return node ? *node : NULL;
}

/* One that becomes smaller keeps its place among the others: the tree need not know. */
int maps_cut(struct maps *m, struct mapping *mapping, uint64_t start, uint64_t end)
{
	struct mapping behind = *mapping;
	int err;

	if (start <= mapping->start && end >= mapping->end) {
		tdelete(mapping, &m->tree, by_address);
		unlink_and_free(m, mapping);
		return 1;
	}
	if (start <= mapping->start) {
		mapping->start = end;
		return 0;
	}
	mapping->end = start;
	if (end >= behind.end)
		return 0;
	behind.start = end;
	err = maps_add(m, &behind);
	if (err)
		mapping->end = behind.end;
	return err;
}

int maps_copy(struct maps *to, const struct maps *from)
{
	for (const struct mapping *mapping = from->first; mapping; mapping = mapping->next) {
		if (!maps_add(to, mapping))
			continue;
		maps_clear(to);
		return -ENOMEM;
	}
	return 0;
}
