/* image.h - an address space as it is shown to walks; shared by the processes that forked from one
 * another until one of them changes. */
#ifndef TASKDIAG_UNWIND_IMAGE_H
#define TASKDIAG_UNWIND_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "unwind/areas.h"
#include "unwind/files.h"
#include "unwind/mappings.h"

struct image {
	struct areas areas;
	uint32_t refs;
	bool dirty;	       /* what is shown is not what is known */
	uint32_t first, count; /* its range of mappings */
	uint64_t next_ns;      /* not written anew before */
	uint32_t refused;      /* areas that found no room, last time */
	uint32_t python;       /* number of its interpreter's layout; 0: none */
};

struct image *image_new(const struct areas_watch *watch); /* with one reference; NULL: no memory */
void image_put(struct image *image, struct mappings *mappings, uint64_t now_ns); /* NULL is fine */

/** For a change: *@image becomes one that nobody else uses. 0 or -ENOMEM. */
int image_own(struct image **image, struct mappings *mappings, uint64_t now_ns);

/** Some area's file is not what it was when the image was written. */
bool image_is_stale(const struct image *image, const struct files *files);

/** Writes a new range if it is dirty and due. 0; -EAGAIN: later; -ENOSPC. */
int image_write(struct image *image, const struct files *files, struct mappings *mappings,
		uint64_t now_ns);

#endif
