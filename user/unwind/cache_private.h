/* cache_private.h - what the files of cache share: the directory, and reading and writing in it.
 *
 *   cache.c: rows of a file │ cache_companions.c: which files a program maps
 */
#ifndef TASKDIAG_UNWIND_CACHE_PRIVATE_H
#define TASKDIAG_UNWIND_CACHE_PRIVATE_H

#include "unwind/cache.h"

#define CACHE_ROWS ".rows"
#define CACHE_COMPANIONS ".companions"
#define CACHE_NAME_BYTES 128

struct cache {
	int dir;
	uint64_t limit, used;
};

void cache_name(const struct pin_identity *id, const char *suffix, char name[CACHE_NAME_BYTES]);

/** Removes the least recently used until @more bytes have room. 0; -ENOSPC; else -errno. */
int cache_make_room(struct cache *c, uint64_t more);

/** Begins at the start of the file. -EBADMSG: it is shorter. */
int cache_read(int fd, void *to, size_t size);
int cache_write(int fd, const void *from, size_t size);

/** A new file without a name; or -errno. */
int cache_create(const struct cache *c);
/** Names it. -EEXIST: the name is taken. */
int cache_link(const struct cache *c, int fd, const char *name);

#endif
