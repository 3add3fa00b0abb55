/* heap_fork.c - see heap.h: copies of whole spaces, and their ends */
#include <errno.h>

#include "aggregate/heap_private.h"

/* All of @s comes to be, or is gone. */
static void change_all(struct heap *h, struct space *s, bool dies, uint64_t time_ns)
{
	int64_t count = (int64_t)(s->blocks.count + s->maps.count);

	for (struct block *b = NULL; (b = blocks_next(&s->blocks, b));) {
		struct weight w = heap_block_weight(h, b);

		heap_change(h, s, b->location, dies ? weight_minus(w) : w, time_ns);
	}
	for (const struct mapping *m = s->maps.first; m; m = m->next) {
		struct weight w = heap_mapping_weight(h, m);

		heap_change(h, s, m->location, dies ? weight_minus(w) : w, time_ns);
	}
	heap_live_changed(h, s, dies ? -count : count);
}

int heap_fork_quiet(struct heap *h, uint32_t parent, uint32_t child)
{
	struct space *from = heap_space(h, parent), *to;
	int err;

	if (parent == child)
		return 0;
	heap_drop(h, child, 0);
	if (!from)
		return 0;
	if (heap_is_full(h, from->blocks.count + from->maps.count))
		return -ENOMEM;
	to = heap_space_get(h, child);
	if (!to)
		return -ENOMEM;
	err = blocks_copy(&to->blocks, &from->blocks);
	if (!err)
		err = maps_copy(&to->maps, &from->maps);
	if (err) {
		heap_space_free(h, to);
		return err;
	}
	to->quiet = true;
	to->live = from->live;
	heap_live_changed(h, to, (int64_t)(to->blocks.count + to->maps.count));
	return 0;
}

int heap_fork_count(struct heap *h, uint32_t child, uint64_t time_ns)
{
	struct space *s = heap_space(h, child);

	if (!s || !s->quiet)
		return 0;
	if (weight_overflows(&h->ledger.live, s->live)) {
		heap_drop(h, child, time_ns);
		return -EOVERFLOW;
	}
	heap_live_changed(h, s, -(int64_t)(s->blocks.count + s->maps.count));
	s->quiet = false;
	s->live = (struct weight){ 0 };
	change_all(h, s, false, time_ns);
	ledger_reached(&h->ledger, time_ns);
	return 0;
}

int heap_fork(struct heap *h, uint32_t parent, uint32_t child, uint64_t time_ns)
{
	int err;

	if (parent == child)
		return 0;
	heap_drop(h, child, time_ns); /* before the copy: a peak that has both never was */
	err = heap_fork_quiet(h, parent, child);
	return err ? err : heap_fork_count(h, child, time_ns);
}

void heap_drop(struct heap *h, uint32_t space, uint64_t time_ns)
{
	struct space *s = heap_space(h, space);

	if (!s)
		return;
	change_all(h, s, true, time_ns);
	heap_space_free(h, s);
}

void heap_leave(struct heap *h, uint32_t space, uint64_t time_ns)
{
	struct space *s = heap_space(h, space);

	if (!s || s->quiet) {
		heap_drop(h, space, time_ns);
		return;
	}
	for (struct block *b = NULL; (b = blocks_next(&s->blocks, b));)
		ledger_leaked(&h->ledger, b->location, heap_block_weight(h, b));
	for (const struct mapping *m = s->maps.first; m; m = m->next)
		ledger_leaked(&h->ledger, m->location, heap_mapping_weight(h, m));
	heap_drop(h, space, time_ns);
}
