/* blocks.h - an open-addressed table of blocks by address (or pages by number): half of what
 * heap.c and pages.c remember of an address space. Private to aggregate/.
 *
 * Linear probing, kept in the order of the hashes and without wrapping around: so the table grows
 * in place, and a second one never exists. At most two thirds full, a large one four fifths, a
 * quarter more room each time. Not found and removed blocks leave no marks (backward shift).
 * Seeded: a task cannot choose addresses that collide.
 */
#ifndef TASKDIAG_BLOCKS_H
#define TASKDIAG_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#define BLOCKS_MANY (1U << 18) /* from here on with little room to spare */
#define BLOCKS_KEY_MASK ((1ULL << 56) - 1)
#define BLOCKS_NO_THREAD 0x7fffffffU

struct block {
	uint64_t key : 56; /* address, or number of a page */
	uint64_t tag : 8;  /* the caller's */
	uint64_t bytes;
	uint32_t location;
	uint32_t thread : 31;
	uint32_t used : 1;
};
_Static_assert(sizeof(struct block) == 24, "a million of them take 38 MB");

struct blocks {
	struct block *slots;
	size_t slot_count; /* more than room: what the last homes cannot take goes behind them */
	size_t room;	   /* homes: what the hashes are spread over */
	size_t count;
	uint64_t seed[2];
	uint64_t steps; /* slots passed or moved by changes so far: what the work was */
};

void blocks_init(struct blocks *b);
void blocks_clear(struct blocks *b);

/** The one behind @block in the table; NULL: the first. NULL: none. */
static inline struct block *blocks_next(const struct blocks *b, const struct block *block)
{
	size_t at = block ? (size_t)(block - b->slots) + 1 : 0;

	while (at < b->slot_count && !b->slots[at].used)
		at++;
	return at < b->slot_count ? &b->slots[at] : NULL;
}

/** @key will be looked for soon: a cache miss that is waited for is most of what that takes. */
void blocks_soon(const struct blocks *b, uint64_t key);
struct block *blocks_find(const struct blocks *b, uint64_t key); /* NULL: none */
/** Makes sure that blocks_insert() has room. 0, -ENOMEM. Moves blocks. */
int blocks_reserve(struct blocks *b);
/** After blocks_reserve(), of a key that is not there. Zeroed but for its key. Moves blocks. */
struct block *blocks_insert(struct blocks *b, uint64_t key);
/** Those behind it may move one down, none else: a loop upwards looks at the same slot again. */
void blocks_remove(struct blocks *b, struct block *block);
/** @to: as of blocks_init(), or blocks_clear(). 0, -ENOMEM. */
int blocks_copy(struct blocks *to, const struct blocks *from);

#endif
