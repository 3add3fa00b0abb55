/* heap_ranges.c - see heap.h: mappings, freed by range */
#include <errno.h>

#include "aggregate/heap_private.h"

/* What [start, end) takes from @m. */
static int mapping_dies(struct heap *h, struct space *s, struct mapping *m, uint64_t start,
			uint64_t end, const struct call *by)
{
	const struct mapping before = *m;
	const struct weight all = heap_mapping_weight(h, m);
	struct weight w = weight_minus(all);
	struct heap_piece piece = { before.start > start ? before.start : start,
				    before.end < end ? before.end : end,
				    before.made_bytes,
				    before.location,
				    before.thread,
				    before.gap,
				    false },
			  *taken;
	size_t count = s->maps.count;
	int gone;

	if (heap_is_full(h, 1) && start > m->start && end < m->end)
		return -ENOMEM; /* it would become two */
	gone = maps_cut(&s->maps, m, start, end);
	if (gone < 0)
		return gone;
	if (gone && before.end - before.start == before.made_bytes)
		piece.temporary = heap_count_temporary(
		    h, s, before.start, before.thread, before.gap, &all,
		    &(struct call){ before.location, by->thread, by->time_ns });
	taken = heap_piece_add(h, piece.end - piece.start);
	if (taken)
		*taken = piece;
	if (!gone)
		weight_add(&w, heap_mapping_weight(h, m));
	if (s->maps.count > count)
		weight_add(&w, heap_mapping_weight(h, s->maps.first));
	heap_change(h, s, before.location, w, by->time_ns);
	heap_live_changed(h, s, (int64_t)s->maps.count - (int64_t)count);
	return 0;
}

/* 1: there was something; 0; -ENOMEM. */
static int free_range(struct heap *h, struct space *s, uint64_t start, uint64_t end,
		      const struct call *by)
{
	struct mapping *m;
	int touched = 0;

	/* each turn takes all of the range out of one mapping */
	while ((m = maps_find(&s->maps, start, end))) {
		int err = mapping_dies(h, s, m, start, end, by);

		if (err)
			return err;
		touched = 1;
	}
	return touched;
}

static uint64_t range_end(uint64_t address, uint64_t bytes)
{
	return bytes > HEAP_ADDRESS_END - address ? HEAP_ADDRESS_END : address + bytes;
}

int heap_free_range(struct heap *h, uint32_t space, uint64_t address, uint64_t bytes,
		    uint32_t thread, uint64_t time_ns)
{
	const struct call by = { .thread = thread, .time_ns = time_ns };
	struct space *s = heap_space(h, space);
	int touched;

	heap_taken_begin(h, space, true);
	if (!s)
		return 0;
	address &= HEAP_ADDRESS_END - 1;
	touched = free_range(h, s, address, range_end(address, bytes), &by);
	if (touched < 0)
		return touched;
	h->counts.frees += touched && !s->quiet;
	return 0;
}

static int add_mapping(struct heap *h, uint32_t space, const struct mapping *m,
		       const struct call *c)
{
	const struct call nobody = { .thread = UINT32_MAX, .time_ns = c->time_ns };
	struct weight w;
	struct space *s;
	int err = heap_prepare(h, space, m->made_bytes, c, &s, &w);

	if (err)
		return err;
	err = free_range(h, s, m->start, m->end, &nobody);
	if (err < 0)
		return err;
	err = maps_add(&s->maps, m);
	if (!err)
		heap_allocated(h, s, m->start, w, c);
	return err;
}

int heap_map(struct heap *h, uint32_t space, uint64_t address, uint64_t bytes, uint32_t location,
	     uint32_t thread, uint64_t time_ns)
{
	const struct call c = { .location = location, .thread = thread, .time_ns = time_ns };
	uint64_t start = address & (HEAP_ADDRESS_END - 1);
	const struct mapping m = {
		.start = start,
		.end = range_end(start, bytes),
		.made_bytes = bytes,
		.location = location,
		.thread = thread < CELLS_MAX ? thread : BLOCKS_NO_THREAD,
		.gap = h->ledger.gap,
	};
	int err = !bytes || m.end - start != bytes ? -EOVERFLOW : add_mapping(h, space, &m, &c);

	if (err)
		h->counts.refused++;
	return err;
}
