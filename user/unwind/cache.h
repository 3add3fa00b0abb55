/* cache.h - tables of files made in earlier runs, on disk.
 *
 *   DEVICE-INODE-CHANGED-SIZE-FILESYSTEM.rows:  header │ segments, build-id │ rows │ buckets
 *                                 ….companions:  header │ who the files are that it maps
 *
 * The key is the kernel's word on who the file is, not the build-id that it claims: no file can
 * bring its rows under the name of another. An entry is whole or absent, and is checked when it is
 * read: a bad one is removed. Files without a build-id are not kept. Beyond the limit the least
 * recently used go.
 */
#ifndef TASKDIAG_CACHE_H
#define TASKDIAG_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "inspect/inspect.h"
#include "unwind/pin.h"

struct cache;

/**
 * Opens @path; makes the directory (not its parents), mode 0700. 0; -EPERM when it is not ours, or
 * others may write to it; else -errno.
 */
int cache_new(const char *path, uint64_t limit_bytes, struct cache **ret);
void cache_free(struct cache *c); /* NULL is fine */

/** *ret is valid until @ret_memory is freed by the caller. -ENOENT: not there; -EBADMSG: it was
 * damaged, and is gone. */
int cache_load(struct cache *c, const struct pin_identity *id, struct inspect_rows *ret,
	       void **ret_memory);

/** 0; -EINVAL when it has no build-id or is larger than the limit; else -errno. */
int cache_store(struct cache *c, const struct pin_identity *id, const struct inspect_rows *rows);

#define CACHE_COMPANIONS_MAX 256

/**
 * The files that were mapped along with a program when it ran last: a guess at what it will need,
 * and no more. @ret: room for CACHE_COMPANIONS_MAX. -ENOENT: nothing is known; -EBADMSG: it was
 * damaged, and is gone.
 */
int cache_companions_load(struct cache *c, const struct pin_identity *program,
			  struct pin_identity *ret, size_t *ret_count);
/** In place of what was known. 0; -EINVAL: none, or more than CACHE_COMPANIONS_MAX; else -errno. */
int cache_companions_store(struct cache *c, const struct pin_identity *program,
			   const struct pin_identity *list, size_t count);

#endif
