/* cells.h - items by the caller's number from 0, zeroed, made in chunks when they are first asked
 * for: a number far out costs one chunk, not all below it. Private to aggregate/.
 */
#ifndef TASKDIAG_CELLS_H
#define TASKDIAG_CELLS_H

#include <stddef.h>
#include <stdint.h>

#define CELLS_MAX (1U << 24) /* numbers from here on are refused */

struct cells {
	char **chunks;
	uint32_t chunks_room;
	size_t item_bytes;
};

void cells_init(struct cells *c, size_t item_bytes);
void cells_clear(struct cells *c);
/** Stays where it is until cells_clear(). NULL: no memory, or @number is too large. */
void *cells_get(struct cells *c, uint32_t number);
void *cells_find(const struct cells *c, uint32_t number); /* NULL: never asked for */

#endif
