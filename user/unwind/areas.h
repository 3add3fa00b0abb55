/* areas.h - the executable mappings of one address space: a sorted list without overlaps. */
#ifndef TASKDIAG_AREAS_H
#define TASKDIAG_AREAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct area {
	uint64_t start, end;
	uint64_t offset; /* of start within the file */
	uint32_t file;	 /* its number; 0: none */
};

/* Is told of every area with a file that comes into a list or leaves it. */
struct areas_watch {
	void (*came)(void *context, uint32_t file);
	void (*left)(void *context, uint32_t file);
	void *context;
};

/* Zero it before use, but for @watch, which may be NULL. */
struct areas {
	const struct areas_watch *watch;
	struct area *list;
	size_t count, capacity;
};

/** A new mapping takes the place of what it overlaps, as mmap() does. Joins neighbours that go on
 * in the same file, and those without a file. -ENOSPC: PROCESS_MAPPINGS_MAX are there; -ENOMEM.
 * Then nothing is changed. */
int areas_put(struct areas *a, const struct area *fresh);

int areas_copy(const struct areas *from, struct areas *to); /* @to is empty */
void areas_clear(struct areas *a);			    /* and frees the list */
bool areas_equal(const struct areas *a, const struct areas *b);
const struct area *areas_find(const struct areas *a, uint64_t address); /* NULL: none */

#endif
