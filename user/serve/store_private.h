/* store_private.h - what the files of the store share. */
#ifndef TASKDIAG_SERVE_STORE_PRIVATE_H
#define TASKDIAG_SERVE_STORE_PRIVATE_H

#include "serve/store.h"

#define STORE_PARTIAL ".partial"
#define STORE_NAME_MAX (TASK_ID_MAX + 32)
#define STORE_MANIFEST "manifest.json"

struct store {
	char *path;
	int fd, runs;
};

/** Beneath @dir, no link followed: a descriptor, or -errno. */
int store_openat(int dir, const char *path, int flags);
/** Name of a task's directory, or of its snapshot's. */
void store_name(const char *id, bool partial, char ret[STORE_NAME_MAX]);
/** @dir/manifest.json, bounded. */
int store_manifest_at(int dir, json_t **ret);
/** Ends what a killed daemon has begun to remove or to write. */
void store_sweep(struct store *s);

#endif
