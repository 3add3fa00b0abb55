/* file_cache.h - page cache of the observed cgroup, by file, at its highest usage.
 *
 *   EV_FILE ──► names            map cached_files ──(at a look)──► pages by file ──► the largest
 *
 * Only what was brought in since the attach has a name; the kernel's sum says how much there is
 * besides.
 */
#ifndef TASKDIAG_FILE_CACHE_H
#define TASKDIAG_FILE_CACHE_H

#include <jansson.h>

#include "collect/collector.h"

struct file_cache;

struct file_cache *file_cache_new(const struct observation *o); /* NULL with errno set */
void file_cache_free(struct file_cache *f);			/* NULL is fine */

void file_cache_record(struct file_cache *f, const struct file_event *e);
/** Reads what each file has now: it is what is told, until the next look. */
void file_cache_look(struct file_cache *f);

/** The files that had most, [{path, whole_path, bytes}]; *ret_bytes: of all of them. NULL: no
 * memory. */
json_t *file_cache_json(const struct file_cache *f, uint64_t *ret_bytes);

#endif
