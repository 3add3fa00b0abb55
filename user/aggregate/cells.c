/* cells.c - see cells.h */
#include "aggregate/cells.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CHUNKS 16

void cells_init(struct cells *c, size_t item_bytes)
{
	*c = (struct cells){ .item_bytes = item_bytes };
}

void cells_clear(struct cells *c)
{
	for (uint32_t i = 0; i < c->chunks_room; i++)
		free(c->chunks[i]);
	free(c->chunks);
	cells_init(c, c->item_bytes);
}

static int grow(struct cells *c, uint32_t chunk)
{
	uint32_t room = c->chunks_room ? c->chunks_room : FIRST_CHUNKS;
	char **chunks;

	if (chunk < c->chunks_room)
		return 0;
	while (room <= chunk)
		room *= 2;
	chunks = reallocarray(c->chunks, room, sizeof(*chunks));
	if (!chunks)
		return -1;
	memset(chunks + c->chunks_room, 0, (room - c->chunks_room) * sizeof(*chunks));
	c->chunks = chunks;
	c->chunks_room = room;
	return 0;
}

void *cells_make(struct cells *c, uint32_t number)
{
	uint32_t chunk = number / CELLS_CHUNK;

	if (number >= CELLS_MAX || grow(c, chunk))
		return NULL;
	if (!c->chunks[chunk])
		c->chunks[chunk] = calloc(CELLS_CHUNK, c->item_bytes);
	return cells_find(c, number);
}
