/* pages.c - see pages.h */
#include "aggregate/pages.h"

#include <errno.h>
#include <stdlib.h>

#include "aggregate/pages_private.h"

#define SAMPLES_MAX (4ULL << 20)

struct pages *pages_new(unsigned shift)
{
	struct pages *p;

	if (shift > SAMPLING_SHIFT_MAX) {
		errno = EINVAL;
		return NULL;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->shift = shift;
	p->sums = highwater_new();
	if (!p->sums) {
		free(p);
		return NULL;
	}
	return p;
}

static void space_free(struct pages *p, struct space *s)
{
	p->steps += s->owners.steps; /* of what is gone, too */
	HASH_DEL(p->spaces, s);
	blocks_clear(&s->owners);
	free(s);
}

void pages_free(struct pages *p)
{
	struct space *s, *next;

	if (!p)
		return;
	HASH_ITER (hh, p->spaces, s, next)
		space_free(p, s);
	highwater_free(p->sums);
	free(p);
}

struct space *pages_space(const struct pages *p, uint64_t id)
{
	struct space *s;

	HASH_FIND(hh, p->spaces, &id, sizeof(id), s);
	return s;
}

static struct space *space_get(struct pages *p, uint64_t id)
{
	struct space *s = pages_space(p, id);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->id = id;
	blocks_init(&s->owners);
	HASH_ADD(hh, p->spaces, id, sizeof(s->id), s);
	if (!s->hh.tbl) {
		free(s);
		return NULL;
	}
	return s;
}

struct range pages_range(struct space *s, uint64_t first, uint64_t count, uint64_t rss,
			 uint64_t time_ns)
{
	struct range e = { .space = s, .first = first, .end = PAGE_END };

	if (first > PAGE_END)
		e.first = PAGE_END;
	if (count < PAGE_END - e.first)
		e.end = e.first + count;
	e.rss = rss;
	e.time_ns = time_ns;
	return e;
}

static int change(struct pages *p, uint32_t location, int64_t samples, const struct range *e)
{
	return highwater_change(p->sums, location, samples * (1LL << p->shift), samples, e->rss,
				e->time_ns);
}

static void lose(struct pages *p, struct block *owner, const struct range *e)
{
	change(p, owner->location, -1, e);
	blocks_remove(&e->space->owners, owner);
	p->samples--;
}

int pages_own(struct pages *p, uint64_t page, uint32_t location, unsigned kind, bool replace,
	      const struct range *e)
{
	struct block *owner = blocks_find(&e->space->owners, page);

	if (owner && !replace)
		return 0;
	if (!owner) {
		if (p->samples >= SAMPLES_MAX)
			return -ENOSPC;
		if (blocks_reserve(&e->space->owners))
			return -ENOMEM;
		owner = blocks_insert(&e->space->owners, page);
		p->samples++;
	} else {
		change(p, owner->location, -1, e);
	}
	owner->location = location;
	owner->tag = kind;
	return change(p, location, 1, e);
}

static int give(struct pages *p, uint64_t space, struct range e, uint32_t location,
		enum page_kind kind, bool replace)
{
	uint64_t group, end;
	int err;

	highwater_reached(p->sums, e.rss, e.time_ns);
	group = group_first(p, &e);
	end = group_end(p, &e);
	if (group == end)
		return 0;
	e.space = space_get(p, space);
	if (!e.space)
		return -ENOMEM;
	err = change(p, location, 0, &e);
	for (uint64_t looked = 0; !err && group < end; group++, looked++) {
		uint64_t page = group_sample(group, p->shift);

		if (looked == SAMPLES_MAX)
			return -ENOSPC;
		p->steps++;
		if (within(&e, page))
			err = pages_own(p, page, location, kind, replace, &e);
	}
	return err;
}

int pages_born(struct pages *p, uint64_t space, uint64_t first, uint64_t count, uint32_t location,
	       enum page_kind kind, uint64_t rss_before, uint64_t time_ns)
{
	return give(p, space, pages_range(NULL, first, count, rss_before, time_ns), location, kind,
		    true);
}

int pages_found(struct pages *p, uint64_t space, uint64_t first, uint64_t count, uint32_t location,
		enum page_kind kind, uint64_t rss_before, uint64_t time_ns)
{
	return give(p, space, pages_range(NULL, first, count, rss_before, time_ns), location, kind,
		    false);
}

void pages_each_owned(struct pages *p, const struct range *e, pages_owned_fn *fn, void *context)
{
	struct blocks *owners = &e->space->owners;
	uint64_t group = group_first(p, e), end = group_end(p, e);

	if (end - group <= owners->slot_count) {
		for (; group < end; group++) {
			uint64_t page = group_sample(group, p->shift);
			struct block *owner = within(e, page) ? blocks_find(owners, page) : NULL;

			p->steps++;
			if (owner)
				fn(p, owner, e, context);
		}
		return;
	}
	for (size_t i = 0; i < owners->slot_count; p->steps++) {
		struct block *owner = &owners->slots[i];
		size_t count = owners->count;

		if (owner->used && within(e, owner->key))
			fn(p, owner, e, context);
		i += owners->count == count; /* else another one may have taken its slot */
	}
}

static void die(struct pages *p, struct block *owner, const struct range *e, void *context)
{
	(void)context;
	lose(p, owner, e);
}

void pages_die_within(struct pages *p, const struct range *e)
{
	pages_each_owned(p, e, die, NULL);
}

int pages_died(struct pages *p, uint64_t space, uint64_t first, uint64_t count, uint64_t rss_before,
	       uint64_t time_ns)
{
	struct range e = pages_range(pages_space(p, space), first, count, rss_before, time_ns);

	highwater_reached(p->sums, rss_before, time_ns);
	if (e.space)
		pages_die_within(p, &e);
	return 0;
}

/* Removes those that a fork does not copy. */
static void keep_anon(struct blocks *owners)
{
	for (size_t i = 0; i < owners->slot_count;) {
		struct block *owner = &owners->slots[i];

		if (owner->used && owner->tag != PAGE_ANON)
			blocks_remove(owners, owner);
		else
			i++;
	}
}

int pages_forked(struct pages *p, uint64_t parent, uint64_t child, uint64_t rss_before,
		 uint64_t time_ns)
{
	const struct space *from = pages_space(p, parent);
	struct range e = pages_range(NULL, 0, 0, rss_before, time_ns);

	highwater_reached(p->sums, rss_before, time_ns);
	if (parent == child)
		return 0;
	pages_dropped(p, child, rss_before, time_ns);
	if (!from)
		return 0;
	e.space = space_get(p, child);
	if (!e.space || blocks_copy(&e.space->owners, &from->owners))
		return -ENOMEM;
	keep_anon(&e.space->owners);
	p->steps += e.space->owners.slot_count;
	if (p->samples + e.space->owners.count > SAMPLES_MAX) {
		space_free(p, e.space);
		return -ENOSPC;
	}
	p->samples += e.space->owners.count;
	for (struct block *owner = NULL; (owner = blocks_next(&e.space->owners, owner));)
		change(p, owner->location, 1, &e);
	return 0;
}

void pages_dropped(struct pages *p, uint64_t space, uint64_t rss_before, uint64_t time_ns)
{
	struct range e = pages_range(pages_space(p, space), 0, 0, rss_before, time_ns);

	highwater_reached(p->sums, rss_before, time_ns);
	if (!e.space)
		return;
	for (struct block *owner = NULL; (owner = blocks_next(&e.space->owners, owner));)
		change(p, owner->location, -1, &e);
	p->steps += e.space->owners.slot_count;
	p->samples -= e.space->owners.count;
	space_free(p, e.space);
}

static void scale(struct pages *p, uint32_t location, int64_t samples)
{
	highwater_rescale(p->sums, location,
			  (struct highwater_amount){ samples * (1LL << p->shift), samples });
}

int pages_coarsen(struct pages *p, unsigned shift)
{
	if (shift < p->shift || shift > SAMPLING_SHIFT_MAX)
		return -EINVAL;
	p->shift = shift;
	for (struct space *s = p->spaces; s; s = s->hh.next) {
		for (size_t i = 0; i < s->owners.slot_count; p->steps++) {
			struct block *owner = &s->owners.slots[i];
			uint32_t location = owner->location;

			if (!owner->used || page_sampled(owner->key, shift)) {
				i++;
				continue;
			}
			scale(p, location, highwater_live(p->sums, location).count - 1);
			blocks_remove(&s->owners, owner);
			p->samples--;
		}
	}
	for (size_t i = 0; i < highwater_locations(p->sums); i++)
		scale(p, (uint32_t)i, highwater_live(p->sums, (uint32_t)i).count);
	return 0;
}

unsigned pages_shift(const struct pages *p)
{
	return p->shift;
}

uint32_t pages_owner(const struct pages *p, uint64_t space, uint64_t page)
{
	const struct space *s = pages_space(p, space);
	const struct block *owner = s && page < PAGE_END ? blocks_find(&s->owners, page) : NULL;

	return owner ? owner->location : UINT32_MAX;
}

void pages_each(const struct pages *p, uint64_t space,
		void (*fn)(void *context, uint64_t page, uint32_t location), void *context)
{
	const struct space *s = pages_space(p, space);

	if (!s)
		return;
	for (struct block *owner = NULL; (owner = blocks_next(&s->owners, owner));)
		fn(context, owner->key, owner->location);
}

size_t pages_samples(const struct pages *p)
{
	return p->samples;
}

uint64_t pages_steps(const struct pages *p)
{
	uint64_t steps = p->steps;

	for (const struct space *s = p->spaces; s; s = s->hh.next)
		steps += s->owners.steps;
	return steps;
}

uint64_t pages_peak(const struct pages *p, uint64_t *ret_time_ns)
{
	if (ret_time_ns)
		*ret_time_ns = highwater_peak_ns(p->sums);
	return highwater_peak(p->sums);
}

void pages_reached(struct pages *p, uint64_t rss, uint64_t time_ns)
{
	highwater_reached(p->sums, rss, time_ns);
}

size_t pages_locations(const struct pages *p)
{
	return highwater_locations(p->sums);
}

struct highwater_amount pages_held(const struct pages *p, uint32_t location)
{
	return highwater_held(p->sums, location);
}

struct highwater_amount pages_live(const struct pages *p, uint32_t location)
{
	return highwater_live(p->sums, location);
}

void pages_mark(struct pages *p)
{
	highwater_mark(p->sums);
}

int64_t pages_marked(const struct pages *p, uint32_t location)
{
	return highwater_marked(p->sums, location);
}
