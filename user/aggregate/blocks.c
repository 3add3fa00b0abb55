/* blocks.c - see blocks.h */
#include "aggregate/blocks.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_ROOM 16
#define CACHE_LINE 64
/* Free slots behind the last home: at four fifths full more than 64 blocks are pushed out with
 * probability below 10^-12, and then the table only grows before its time. */
#define TAIL 64

void blocks_init(struct blocks *b)
{
	uint64_t seed[2];

	/* without randomness (early boot) only the guard against chosen addresses is gone */
	if (getrandom(seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		memset(seed, 0, sizeof(seed));
	*b = (struct blocks){ .seed = { seed[0], (seed[1] ^ 0xbf58476d1ce4e5b9) | 1 } };
}

void blocks_clear(struct blocks *b)
{
	free(b->slots);
	blocks_init(b);
}

/* One to one: two keys never have the same hash, so that their order is a full one. */
static uint64_t hash(const struct blocks *b, uint64_t key)
{
	uint64_t h = (key ^ b->seed[0]) * 0x9e3779b97f4a7c15;

	return (h ^ h >> 32) * b->seed[1];
}

/* Of a larger hash never below that of a smaller one. */
static size_t spread_over(uint64_t h, size_t room)
{
	return (unsigned __int128)h * room >> 64;
}

static size_t home(const struct blocks *b, uint64_t key, size_t room)
{
	return spread_over(hash(b, key), room);
}

void blocks_soon(const struct blocks *b, uint64_t key)
{
	const char *slot;

	if (!b->count)
		return;
	slot = (const char *)&b->slots[home(b, key, b->room)];
	__builtin_prefetch(slot, 1);
	__builtin_prefetch(slot + CACHE_LINE, 1);
}

struct block *blocks_find(const struct blocks *b, uint64_t key)
{
	uint64_t h = hash(b, key);

	if (!b->count)
		return NULL;
	for (size_t at = spread_over(h, b->room); at < b->slot_count && b->slots[at].used; at++) {
		if (b->slots[at].key == key)
			return &b->slots[at];
		if (hash(b, b->slots[at].key) > h)
			return NULL; /* it would stand before this one */
	}
	return NULL;
}

/* Slots needed for the blocks of @b when they are spread over @room homes. */
static size_t slots_for(const struct blocks *b, size_t room)
{
	size_t end = 0;

	for (struct block *i = NULL; (i = blocks_next(b, i));) {
		size_t at = home(b, i->key, room);

		end = (at > end ? at : end) + 1;
	}
	return (end > room ? end : room) + (room < TAIL ? room : TAIL);
}

/* The blocks, in the order of their hashes and all at the end of the slots from @from on, each to
 * its home or the first free slot behind. None meets one that is still to come: these lie as far up
 * as they can. */
static void spread(struct blocks *b, struct block *from)
{
	size_t next = 0;

	for (; from < b->slots + b->slot_count; from++) {
		struct block block = *from;
		size_t at = home(b, block.key, b->room);

		if (at < next)
			at = next;
		from->used = 0;
		b->slots[at] = block;
		next = at + 1;
	}
}

/* All blocks to the end of the slots, in their order. Returns the first. */
static struct block *push_up(struct blocks *b, size_t slot_count)
{
	struct block *top = b->slots + b->slot_count;

	for (size_t i = slot_count; i-- > 0;) {
		struct block block = b->slots[i];

		if (!block.used)
			continue;
		b->slots[i].used = 0;
		*--top = block;
	}
	return top;
}

static int grow(struct blocks *b)
{
	size_t room = b->room ? b->room / 4 * 5 : FIRST_ROOM, before = b->slot_count;
	size_t slot_count = slots_for(b, room);
	struct block *slots;

	if (slot_count < before)
		slot_count = before;
	slots = reallocarray(b->slots, slot_count, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	memset(slots + before, 0, (slot_count - before) * sizeof(*slots));
	b->slots = slots;
	b->slot_count = slot_count;
	b->room = room;
	b->steps += slot_count;
	spread(b, push_up(b, before));
	return 0;
}

/* A small table is sparse, since that is faster; a large one is where the memory is. */
static size_t most_of(size_t room)
{
	return room < BLOCKS_MANY ? room / 3 * 2 : room / 5 * 4;
}

int blocks_reserve(struct blocks *b)
{
	if (b->count < most_of(b->room) && !b->slots[b->slot_count - 1].used)
		return 0;
	return grow(b);
}

struct block *blocks_insert(struct blocks *b, uint64_t key)
{
	uint64_t h = hash(b, key);
	size_t at = spread_over(h, b->room), first = at, end;

	while (b->slots[at].used && hash(b, b->slots[at].key) < h)
		at++;
	for (end = at; b->slots[end].used;)
		end++;
	if (end > at)
		memmove(&b->slots[at + 1], &b->slots[at], (end - at) * sizeof(*b->slots));
	b->slots[at] = (struct block){ .key = key, .used = 1 };
	b->steps += end - first + 1;
	b->count++;
	return &b->slots[at];
}

static bool away_from_home(const struct blocks *b, size_t at)
{
	return at < b->slot_count && b->slots[at].used && home(b, b->slots[at].key, b->room) < at;
}

void blocks_remove(struct blocks *b, struct block *block)
{
	size_t at = (size_t)(block - b->slots), end = at + 1;

	for (; away_from_home(b, end); end++)
		b->slots[end - 1] = b->slots[end];
	b->slots[end - 1].used = 0;
	b->steps += end - at;
	b->count--;
}

int blocks_copy(struct blocks *to, const struct blocks *from)
{
	size_t room = (from->count < BLOCKS_MANY ? from->count / 2 * 3 : from->count / 4 * 5) +
		      FIRST_ROOM,
	       slot_count = slots_for(from, room);
	struct block *top;

	*to = (struct blocks){ .seed = { from->seed[0], from->seed[1] } };
	if (!from->count)
		return 0;
	to->slots = calloc(slot_count, sizeof(*to->slots));
	if (!to->slots)
		return -ENOMEM;
	to->slot_count = slot_count;
	to->room = room;
	to->count = from->count;
	to->steps = slot_count;
	top = to->slots + slot_count - from->count;
	for (struct block *i = NULL; (i = blocks_next(from, i));)
		*top++ = *i;
	spread(to, to->slots + slot_count - from->count);
	return 0;
}
