/* heap_undo.c - see heap.h: frees that did not happen (a realloc or munmap that failed) */
#include <errno.h>

#include "aggregate/heap_private.h"

const struct heap_taken *heap_taken(const struct heap *h)
{
	return &h->taken;
}

static int block_returns(struct space *s, const struct heap_piece *p)
{
	struct block *b;
	int err;

	if (blocks_find(&s->blocks, p->start))
		return -EEXIST;
	err = blocks_reserve(&s->blocks);
	if (err)
		return err;
	b = blocks_insert(&s->blocks, p->start);
	b->bytes = p->made_bytes;
	b->tag = p->gap;
	b->location = p->location;
	b->thread = p->thread & BLOCKS_NO_THREAD;
	return 0;
}

/* What was left of the mapping stays a piece of its own: the sums are the same. */
static int range_returns(struct space *s, const struct heap_piece *p)
{
	const struct mapping m = {
		.start = p->start,
		.end = p->end,
		.made_bytes = p->made_bytes,
		.location = p->location,
		.thread = p->thread,
		.gap = p->gap,
	};

	return maps_add(&s->maps, &m);
}

static int piece_returns(struct heap *h, struct space *s, bool range, const struct heap_piece *p,
			 uint64_t time_ns)
{
	struct weight w = ledger_weight(&h->ledger, p->gap, p->end - p->start, p->made_bytes);
	int err;

	if (heap_is_full(h, 1))
		return -ENOMEM;
	if (weight_overflows(&h->ledger.live, w))
		return -EOVERFLOW;
	err = range ? range_returns(s, p) : block_returns(s, p);
	if (err)
		return err;
	heap_change(h, s, p->location, w, time_ns);
	heap_live_changed(h, s, 1);
	if (p->temporary && !s->quiet)
		ledger_temporary(&h->ledger, p->location, weight_minus(w));
	return 0;
}

int heap_undo(struct heap *h, const struct heap_taken *t, uint64_t time_ns)
{
	struct space *s = t->count ? heap_space_get(h, t->space) : NULL;
	int err = t->count && !s ? -ENOMEM : 0;

	for (uint32_t i = 0; s && !err && i < t->count; i++)
		err = piece_returns(h, s, t->range, &t->pieces[i], time_ns);
	if (t->count && s && !s->quiet) {
		ledger_reached(&h->ledger, time_ns);
		h->counts.frees -= !err;
	}
	if (!err && t->more)
		err = -ENOMEM;
	h->counts.undos_refused += err != 0;
	return err;
}
