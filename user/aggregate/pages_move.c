/* pages_move.c - see pages.h: mremap */
#include <errno.h>
#include <stdlib.h>

#include "aggregate/pages_private.h"

/* A sample of the new place. */
struct moved {
	uint64_t page;
	uint32_t location;
	unsigned kind;
};

struct move {
	const struct range *from, *to;
	struct moved *list;
	size_t count, room;
	int err;
};

/* The sample whose owner page number @page of the range takes along. */
static uint64_t source_of(const struct pages *p, const struct range *e, uint64_t page)
{
	uint64_t group = page >> p->shift, sample = group_sample(group, p->shift);
	uint64_t near;

	if (within(e, sample))
		return sample;
	near = group_sample(sample < e->first ? group + 1 : group - 1, p->shift);
	return within(e, near) ? near : sample;
}

static void move_one(struct pages *p, struct move *m, uint64_t page)
{
	uint64_t source = source_of(p, m->from, page - m->to->first + m->from->first);
	const struct block *owner = blocks_find(&m->from->space->owners, source);

	p->steps++;
	if (!owner)
		return;
	if (m->count == m->room) {
		size_t room = m->room ? m->room * 2 : 64;
		struct moved *list = reallocarray(m->list, room, sizeof(*list));

		if (!list) {
			m->err = -ENOMEM;
			return;
		}
		m->list = list;
		m->room = room;
	}
	m->list[m->count++] = (struct moved){ page, owner->location, owner->tag };
}

/* The samples of the new place that take their owner from this one: in one of the groups that its
 * own group and its neighbours have become. */
static void move_owned(struct pages *p, struct block *owner, const struct range *e, void *context)
{
	struct move *m = context;
	uint64_t source = owner->key, size = 1ULL << p->shift,
		 base = source >> p->shift << p->shift;
	uint64_t low = base > e->first + size ? base - size : e->first;
	uint64_t high = base + 2 * size < e->end ? base + 2 * size : e->end;

	/* [low, high) of the old place, from the beginning of the range */
	low = m->to->first + (low - e->first);
	high = m->to->first + (high - e->first);
	for (uint64_t group = low >> p->shift; group <= (high - 1) >> p->shift; group++) {
		uint64_t page = group_sample(group, p->shift);

		if (within(m->to, page) &&
		    source_of(p, e, page - m->to->first + e->first) == source)
			move_one(p, m, page);
	}
}

static void collect_moved(struct pages *p, struct move *m)
{
	uint64_t group = group_first(p, m->to), end = group_end(p, m->to);

	/* of a few groups none may have its sample in the range, and those outside count */
	if (end - group > m->from->space->owners.slot_count + 4) {
		pages_each_owned(p, m->from, move_owned, m);
		return;
	}
	for (; group < end; group++) {
		uint64_t page = group_sample(group, p->shift);

		if (within(m->to, page))
			move_one(p, m, page);
	}
}

int pages_moved(struct pages *p, uint64_t space, uint64_t first, uint64_t count, uint64_t to,
		uint64_t rss_before, uint64_t time_ns)
{
	struct range from = pages_range(pages_space(p, space), first, count, rss_before, time_ns);
	struct range there =
	    pages_range(from.space, to, from.end - from.first, rss_before, time_ns);
	struct move m = { .from = &from, .to = &there };

	highwater_reached(p->sums, rss_before, time_ns);
	if (!from.space || first == to)
		return 0;
	collect_moved(p, &m);
	pages_die_within(p, &from);
	pages_die_within(p, &there);
	for (size_t i = 0; i < m.count; i++) {
		int err =
		    pages_own(p, m.list[i].page, m.list[i].location, m.list[i].kind, true, &there);

		if (err)
			m.err = err;
	}
	free(m.list);
	return m.err;
}
