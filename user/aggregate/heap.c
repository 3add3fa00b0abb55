/* heap.c - see heap.h: blocks */
#include "aggregate/heap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "aggregate/heap_private.h"

/* What a thread has allocated last. */
struct last {
	uint64_t address;
	uint32_t space; /* its serial */
	uint32_t era;	/* 0: it is freed */
};

struct heap *heap_new(void)
{
	struct heap *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	cells_init(&h->threads, sizeof(struct last));
	h->era = 1;
	if (ledger_init(&h->ledger)) {
		heap_free(h);
		errno = ENOMEM;
		return NULL;
	}
	return h;
}

void heap_space_free(struct heap *h, struct space *s)
{
	if (h->recent == s)
		h->recent = NULL;
	HASH_DEL(h->spaces, s);
	blocks_clear(&s->blocks);
	maps_clear(&s->maps);
	free(s);
}

void heap_free(struct heap *h)
{
	struct space *s, *next;

	if (!h)
		return;
	HASH_ITER (hh, h->spaces, s, next)
		heap_space_free(h, s);
	ledger_clear(&h->ledger);
	cells_clear(&h->threads);
	free(h);
}

int heap_sampled(struct heap *h, uint64_t gap_bytes)
{
	uint32_t gap = h->ledger.gap;
	int err = ledger_sampled(&h->ledger, gap_bytes);

	h->era += gap != h->ledger.gap;
	return err;
}

struct space *heap_space(struct heap *h, uint32_t id)
{
	struct space *s = h->recent;

	if (s && s->id == id)
		return s;
	HASH_FIND(hh, h->spaces, &id, sizeof(id), s);
	if (s)
		h->recent = s;
	return s;
}

struct space *heap_space_get(struct heap *h, uint32_t id)
{
	struct space *s = heap_space(h, id);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->id = id;
	s->serial = ++h->space_serial;
	blocks_init(&s->blocks);
	HASH_ADD(hh, h->spaces, id, sizeof(s->id), s);
	if (!s->hh.tbl) {
		free(s);
		return NULL;
	}
	h->recent = s;
	return s;
}

int heap_prepare(struct heap *h, uint32_t space, uint64_t bytes, const struct call *c,
		 struct space **ret, struct weight *ret_weight)
{
	if (bytes >= HEAP_ADDRESS_END)
		return -EOVERFLOW;
	*ret = heap_space_get(h, space);
	if (!*ret || heap_is_full(h, 1))
		return -ENOMEM;
	if (c->thread < CELLS_MAX && !cells_get(&h->threads, c->thread))
		return -ENOMEM;
	*ret_weight = ledger_weight(&h->ledger, h->ledger.gap, bytes, bytes);
	return ledger_reserve(&h->ledger, c->location, *ret_weight, c->time_ns);
}

void heap_allocated(struct heap *h, struct space *s, uint64_t address, struct weight w,
		    const struct call *c)
{
	struct last *last = cells_find(&h->threads, c->thread);

	heap_change(h, s, c->location, w, c->time_ns);
	heap_live_changed(h, s, 1);
	if (s->quiet)
		return; /* its parent has told it */
	ledger_reached(&h->ledger, c->time_ns);
	ledger_allocated(&h->ledger, c->location, w);
	if (last)
		*last = (struct last){ .address = address, .space = s->serial, .era = h->era };
	h->counts.allocations++;
}

bool heap_count_temporary(struct heap *h, const struct space *s, uint64_t address, uint32_t made_by,
			  uint32_t gap, const struct weight *w, const struct call *c)
{
	struct last *last = cells_find(&h->threads, c->thread);

	if (!last || made_by != c->thread || gap || h->ledger.gap || s->quiet)
		return false;
	if (last->era != h->era || last->space != s->serial || last->address != address)
		return false;
	ledger_temporary(&h->ledger, c->location, *w);
	return true;
}

static void block_dies(struct heap *h, struct space *s, struct block *b, uint64_t time_ns)
{
	const struct weight w = heap_block_weight(h, b);

	heap_change(h, s, b->location, weight_minus(w), time_ns);
	blocks_remove(&s->blocks, b);
	heap_live_changed(h, s, -1);
}

static void drop_duplicate(struct heap *h, uint32_t space, uint64_t address, uint64_t time_ns)
{
	struct space *s = heap_space(h, space);
	struct block *b = s ? blocks_find(&s->blocks, address) : NULL;

	if (!b)
		return;
	block_dies(h, s, b, time_ns);
	h->counts.duplicates += !s->quiet;
}

int heap_alloc(struct heap *h, uint32_t space, uint64_t address, uint64_t bytes, uint32_t location,
	       uint32_t thread, uint64_t time_ns)
{
	const struct call c = { .location = location, .thread = thread, .time_ns = time_ns };
	struct weight w;
	struct space *s;
	struct block *b;
	int err;

	address &= HEAP_ADDRESS_END - 1;
	drop_duplicate(h, space, address, time_ns);
	err = heap_prepare(h, space, bytes, &c, &s, &w);
	if (!err)
		err = blocks_reserve(&s->blocks);
	if (err) {
		h->counts.refused++;
		return err;
	}
	b = blocks_insert(&s->blocks, address);
	/* as a whole: a read of what was half written a moment ago would wait for it */
	*b = (struct block){ .key = address,
			     .tag = (uint8_t)h->ledger.gap,
			     .bytes = bytes,
			     .location = location,
			     .thread = thread < CELLS_MAX ? thread : BLOCKS_NO_THREAD,
			     .used = 1 };
	heap_allocated(h, s, address, w, &c);
	return 0;
}

int heap_free_block(struct heap *h, uint32_t space, uint64_t address, uint32_t thread,
		    uint64_t time_ns)
{
	struct space *s = heap_space(h, space);
	struct heap_piece *piece;
	struct weight w;
	struct block *b;

	address &= HEAP_ADDRESS_END - 1;
	heap_taken_begin(h, space, false);
	b = s ? blocks_find(&s->blocks, address) : NULL;
	if (!b) {
		h->counts.unknown_frees += !s || !s->quiet;
		return -ENOENT;
	}
	piece = heap_piece_add(h, b->bytes);
	*piece = (struct heap_piece){ .start = address,
				      .end = address + b->bytes,
				      .made_bytes = b->bytes,
				      .location = b->location,
				      .thread = b->thread,
				      .gap = b->tag };
	w = heap_block_weight(h, b);
	piece->temporary =
	    heap_count_temporary(h, s, address, b->thread, b->tag, &w,
				 &(struct call){ .location = b->location, .thread = thread });
	block_dies(h, s, b, time_ns);
	h->counts.frees += !s->quiet;
	return 0;
}

void heap_soon(struct heap *h, uint32_t space, uint64_t address)
{
	const struct space *s = heap_space(h, space);

	if (s)
		blocks_soon(&s->blocks, address & (HEAP_ADDRESS_END - 1));
}

uint64_t heap_live_bytes(const struct heap *h)
{
	return (uint64_t)h->ledger.live.bytes;
}

uint64_t heap_peak_bytes(const struct heap *h, uint64_t *ret_time_ns)
{
	if (ret_time_ns)
		*ret_time_ns = highwater_peak_ns(h->ledger.sums);
	return highwater_peak(h->ledger.sums);
}

size_t heap_locations(const struct heap *h)
{
	return highwater_locations(h->ledger.sums);
}

struct heap_totals heap_location(const struct heap *h, uint32_t location)
{
	return ledger_location(&h->ledger, location);
}

struct heap_counts heap_count(const struct heap *h)
{
	return h->counts;
}

uint64_t heap_error_95(const struct heap *h, uint32_t location)
{
	return ledger_error_95(&h->ledger, location);
}

uint64_t heap_error_95_sum(const struct heap *h)
{
	return ledger_error_95_sum(&h->ledger);
}
