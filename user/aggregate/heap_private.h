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
struct weight heap_block_weight(const struct heap *h, const struct block *b);
/** Blocks and mappings that came to @s, or went. */
void heap_live_changed(struct heap *h, const struct space *s, int64_t pieces);
bool heap_is_full(const struct heap *h, uint64_t more); /* no room for so many */
/** A piece is freed: it may be undone. */
void heap_note_taken(struct heap *h, const struct heap_piece *piece);
struct weight heap_mapping_weight(const struct heap *h, const struct mapping *m);
void heap_change(struct heap *h, struct space *s, uint32_t location, struct weight w,
		 uint64_t time_ns);

/** Everything about an allocation that can fail, but for the table of the space. */
int heap_prepare(struct heap *h, uint32_t space, uint64_t bytes, const struct call *c,
		 struct space **ret, struct weight *ret_weight);
/** It is in its table now. */
void heap_allocated(struct heap *h, struct space *s, uint64_t address, struct weight w,
		    const struct call *c);
/** Is it the last allocation of the thread that frees it? Then it is counted. */
bool heap_count_temporary(struct heap *h, const struct space *s, uint64_t address, uint32_t made_by,
			  uint32_t gap, struct weight w, const struct call *c);

#endif
