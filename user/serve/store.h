/* store.h - where the daemon keeps what it has: one directory, opened once, used by descriptors.
 *
 *   STATE/runs/<task id>/…      run directories, whole (see artifact/rundir.h)
 *   STATE/runs/<task id>.partial/  a snapshot of a task that runs on: whole as well, replaced, and
 *                               gone when the task's own run directory comes
 *   STATE/index.db              what is in them (index.h); can be made again from them
 *   STATE/url.key               32 random bytes: signs URLs (sign.h)
 *
 * Every path below STATE is opened with openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
 * RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV): no link, whoever made it, leads out.
 */
#ifndef TASKDIAG_SERVE_STORE_H
#define TASKDIAG_SERVE_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/problem.h"

#define TASK_ID_MAX 64 /* bytes of a task's id, without its NUL */
#define ARTIFACT_NAME_MAX 64

struct store;

/** Letters, digits, '_' and '-', the first a letter or a digit, 1 to 64: what a path and a URL may
 * hold as it is. Raw bytes: nothing is decoded. */
bool task_id_is_valid(const char *id);
/** A file name of ours: letters, digits, '_', '-' and '.', not first a '.', 1 to 64. */
bool artifact_name_is_valid(const char *name);

/** @writer: makes what is missing (0750, as the caller) and cleans up what a killed daemon has left
 * in runs/ (unlocked partial directories, as rundir_new() does for its own place). 0 or -errno with
 * a problem. */
int store_open(const char *path, bool writer, struct store **ret, struct problem *problem);
/** The same of a directory that is open already: of a process that may not look paths up. */
int store_open_at(int dirfd, struct store **ret, struct problem *problem);
void store_free(struct store *s); /* NULL is fine */

/** What is written may be read by @group from now on (0750). 0 or -errno. */
int store_share(const struct store *s, gid_t group);
gid_t store_group(const struct store *s);

int store_fd(const struct store *s);   /* of STATE */
int store_runs(const struct store *s); /* of STATE/runs */
const char *store_path(const struct store *s);

/** manifest.json of a run directory, read whole (bounded); -ENOENT: there is none. @partial: of the
 * snapshot. */
int store_manifest(const struct store *s, const char *id, bool partial, json_t **ret);

/** An artifact, read-only: a regular file of one link, of the size that the manifest gives; else
 * -ENOENT: a file that is torn or swapped is none. @ret_sha256: hex of the manifest, 65 bytes. */
int store_artifact(const struct store *s, const char *id, bool partial, const char *name,
		   int *ret_fd, uint64_t *ret_bytes, char ret_sha256[65]);

/** Calls @fn with the id of every run directory that is whole (has a manifest); stops at a return
 * that is not 0 and gives it back. */
int store_each(const struct store *s, int (*fn)(void *context, const char *id), void *context);

/** Gives a run directory another id; -EEXIST: that has one. */
int store_rename(struct store *s, const char *id, const char *to);

/** Removes a run directory (@partial: the snapshot), which is absent from then on, whatever happens
 * next: what its manifest lists, by descriptors and no deeper. -ENOTEMPTY: something is in it that
 * we have not written: nothing is touched. -ENOENT: it is no run directory. */
int store_remove(struct store *s, const char *id, bool partial);

/** Bytes on disk of a run directory (st_blocks). */
int store_bytes(const struct store *s, const char *id, uint64_t *ret);

#endif
