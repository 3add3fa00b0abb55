/* intern.h - a growing array of items of one size, each of them only once; and the same for
 * strings.
 *
 *   key ──► number, counted from 0 in the order of coming ──► item (the key, then what belongs to
 * it)
 *
 * Items never move. The hash is seeded at random: a task cannot choose names that collide. Numbers
 * do not depend on the seed. Bounded only by memory.
 */
#ifndef TASKDIAG_INTERN_H
#define TASKDIAG_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INTERN_NONE UINT32_MAX

struct intern {
	size_t item_bytes, key_bytes; /* the key is the first part of an item */
	uint64_t seed;
	uint32_t count;
	char **chunks;
	size_t chunks_room;
	uint32_t *slots;   /* number + 1; 0: free */
	size_t slots_room; /* a power of two, or 0 */
};

/** Keys are compared byte by byte: a key with padding is zeroed first. @key_bytes 0: for
 * intern_append() only. */
void intern_init(struct intern *t, size_t item_bytes, size_t key_bytes);
void intern_clear(struct intern *t); /* frees what it holds; may be used again */

/** The number of the item with @key, made (the rest zeroed) when it is new. INTERN_NONE: no memory.
 * @key: @key_bytes long. */
uint32_t intern_add(struct intern *t, const void *key);
/** A new item in any case, copied from @item; not found by intern_add(). INTERN_NONE: no memory. */
uint32_t intern_append(struct intern *t, const void *item);
/** @i below @count. */
void *intern_at(const struct intern *t, uint32_t i);

struct strings {
	struct intern table;
};

void strings_init(struct strings *t);
void strings_clear(struct strings *t);
uint32_t strings_add(struct strings *t, const char *s); /* INTERN_NONE: no memory */
const char *strings_at(const struct strings *t, uint32_t i);
uint32_t strings_count(const struct strings *t);

#endif
