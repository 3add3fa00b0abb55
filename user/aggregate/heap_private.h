/* heap_private.h - what heap.c (blocks, forks) and heap_ranges.c (mappings) share. */
#ifndef TASKDIAG_HEAP_PRIVATE_H
#define TASKDIAG_HEAP_PRIVATE_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "aggregate/blocks.h"
#include "aggregate/heap.h"
#include "aggregate/heap_ledger.h"
#include "aggregate/heap_maps.h"

#define HEAP_LIVE_MAX (32ULL << 20) /* blocks and mappings: 1.3 GB */
#define HEAP_ADDRESS_END (1ULL << 56)

struct space {
	uint32_t id;
	uint32_t serial; /* the same id may come again */
	struct blocks blocks;
	struct maps maps;
	struct weight live;
	bool quiet; /* in no sum: see heap_fork_quiet() */
	UT_hash_handle hh;
};

struct heap {
	struct space *spaces;
	struct space *recent;
	struct ledger ledger;
	struct cells threads;
	uint32_t space_serial;
	uint32_t era; /* counts the changes of the gap: what went before is not a thread's last */
	struct heap_counts counts;
	uint64_t quiet_live; /* blocks and mappings of quiet spaces */
	struct heap_taken taken;
};

/* One event: whose it is, and when. */
struct call {
	uint32_t location, thread;
	uint64_t time_ns;
};

struct space *heap_space(struct heap *h, uint32_t id); /* NULL: unknown */
struct space *heap_space_get(struct heap *h,
			     uint32_t id); /* made when it is new; NULL: no memory */
void heap_space_free(struct heap *h, struct space *s);

static inline struct weight heap_block_weight(const struct heap *h, const struct block *b)
{
	return ledger_weight(&h->ledger, b->tag, b->bytes, b->bytes);
}

static inline struct weight heap_mapping_weight(const struct heap *h, const struct mapping *m)
{
	return ledger_weight(&h->ledger, m->gap, m->end - m->start, m->made_bytes);
}

/** Blocks and mappings that came to @s, or went. */
static inline void heap_live_changed(struct heap *h, const struct space *s, int64_t pieces)
{
	if (s->quiet)
		h->quiet_live += (uint64_t)pieces;
	else
		h->counts.live += (uint64_t)pieces;
}

static inline bool heap_is_full(const struct heap *h, uint64_t more) /* no room for so many */
{
	return h->counts.live + h->quiet_live + more > HEAP_LIVE_MAX;
}

static inline void heap_change(struct heap *h, struct space *s, uint32_t location, struct weight w,
			       uint64_t time_ns)
{
	if (!s->quiet)
		ledger_change(&h->ledger, location, w, time_ns);
	weight_add(&s->live, w);
}

/** A free begins: nothing is taken yet. The pieces behind the count stay as they are. */
static inline void heap_taken_begin(struct heap *h, uint32_t space, bool range)
{
	h->taken.space = space;
	h->taken.count = 0;
	h->taken.range = range;
	h->taken.more = false;
	h->taken.bytes = 0;
}
/** A piece of @bytes is freed: what is known of it goes here. NULL: there is no room. */
static inline struct heap_piece *heap_piece_add(struct heap *h, uint64_t bytes)
{
	struct heap_taken *t = &h->taken;

	t->bytes += bytes;
	if (t->count < HEAP_TAKEN_PIECES)
		return &t->pieces[t->count++];
	t->more = true;
	return NULL;
}
/** Everything about an allocation that can fail, but for the table of the space. */
int heap_prepare(struct heap *h, uint32_t space, uint64_t bytes, const struct call *c,
		 struct space **ret, struct weight *ret_weight);
/** It is in its table now. */
void heap_allocated(struct heap *h, struct space *s, uint64_t address, struct weight w,
		    const struct call *c);
/** Is it the last allocation of the thread that frees it? Then it is counted. */
bool heap_count_temporary(struct heap *h, const struct space *s, uint64_t address, uint32_t made_by,
			  uint32_t gap, const struct weight *w, const struct call *c);

#endif
