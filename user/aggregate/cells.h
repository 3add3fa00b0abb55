/* cells.h - items by the caller's number from 0, zeroed, made in chunks when they are first asked
 * for: a number far out costs one chunk, not all below it. Private to aggregate/.
 */
#ifndef TASKDIAG_CELLS_H
#define TASKDIAG_CELLS_H

#include <stddef.h>
#include <stdint.h>

#define CELLS_MAX (1U << 24) /* numbers from here on are refused */
#define CELLS_CHUNK 1024

struct cells {
	char **chunks;
	uint32_t chunks_room;
	size_t item_bytes;
};

void cells_init(struct cells *c, size_t item_bytes);
void cells_clear(struct cells *c);
void *cells_make(struct cells *c, uint32_t number); /* see cells_get() */

/** NULL: never asked for. Inline: some are looked up several times for each event of a task. */
static inline void *cells_find(const struct cells *c, uint32_t number)
{
	uint32_t chunk = number / CELLS_CHUNK;

	if (chunk >= c->chunks_room || !c->chunks[chunk])
		return NULL;
	return c->chunks[chunk] + number % CELLS_CHUNK * c->item_bytes;
}

/** Stays where it is until cells_clear(). NULL: no memory, or @number is too large. */
static inline void *cells_get(struct cells *c, uint32_t number)
{
	void *item = cells_find(c, number);

	return item ? item : cells_make(c, number);
}

#endif
