/* store_remove.c - run directories go whole: hidden first, then emptied of what we wrote.
 *
 *   ID/ ──rename──► .ID.taskdiag-remove/ ──unlink what the manifest lists──► rmdir
 *
 * A daemon that is killed between these steps goes on with them at its next start.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "serve/store_private.h"

#define REMOVE ".taskdiag-remove"
#define PARTIAL ".taskdiag-partial" /* of artifact/rundir.c */

static bool ends_with(const char *name, const char *tail)
{
	size_t n = strlen(name), t = strlen(tail);

	return n > t + 1 && name[0] == '.' && !strcmp(name + n - t, tail);
}

static bool is_ours(const json_t *manifest, const char *name)
{
	const json_t *row;
	size_t i;

	if (!strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, STORE_MANIFEST) ||
	    ends_with(name, ".tmp"))
		return true;
	json_array_foreach(json_object_get(manifest, "artifacts"), i, row)
	{
		const char *its = json_string_value(json_object_get(row, "name"));

		if (its && !strcmp(its, name))
			return true;
	}
	return false;
}

/* Calls @fn for each entry until it returns other than 0. */
static int each_entry(int dir, int (*fn)(void *context, int dir, const char *name), void *context)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!stream)
		return -errno;
	while (!err && (entry = readdir(stream)))
		err = fn(context, dir, entry->d_name);
	closedir(stream);
	return err;
}

static int check_entry(void *context, int dir, const char *name)
{
	struct stat st;

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return 0;
	if (!is_ours(context, name))
		return -ENOTEMPTY;
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(st.st_mode) ? 0
										    : -ENOTEMPTY;
}

static int remove_entry(void *context, int dir, const char *name)
{
	if (is_ours(context, name) && strcmp(name, STORE_MANIFEST)) /* that goes last: it lists */
		unlinkat(dir, name, 0);
	return 0;
}

static int empty(const struct store *s, const char *name, int dir, const json_t *manifest)
{
	each_entry(dir, remove_entry, (void *)manifest);
	if (unlinkat(dir, STORE_MANIFEST, 0) && errno != ENOENT)
		return -errno;
	return unlinkat(s->runs, name, AT_REMOVEDIR) ? -errno : 0;
}

int store_remove(struct store *s, const char *id, bool partial)
{
	char name[STORE_NAME_MAX], hidden[2 * STORE_NAME_MAX];
	_cleanup_close_ int dir = -1;
	json_t *manifest = NULL;
	int err;

	if (!task_id_is_valid(id))
		return -ENOENT;
	store_name(id, partial, name);
	snprintf(hidden, sizeof(hidden), ".%s" REMOVE, name);
	dir = store_openat(s->runs, name, O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		return dir;
	err = store_manifest_at(dir, &manifest);
	if (!err)
		err = each_entry(dir, check_entry, manifest);
	if (!err && renameat(s->runs, name, s->runs, hidden))
		err = -errno;
	if (!err)
		err = empty(s, hidden, dir, manifest);
	json_decref(manifest);
	return err;
}

/* A run that was being written when its writer was killed: nobody holds its lock. It has no
 * manifest yet, but all in it was made by rundir, in a directory of the name that rundir gives. */
static int drop_entry(void *context, int dir, const char *name)
{
	(void)context;
	if (strcmp(name, ".") && strcmp(name, ".."))
		unlinkat(dir, name, 0);
	return 0;
}

static int sweep_entry(void *context, int runs, const char *name)
{
	struct store *s = context;
	_cleanup_close_ int dir = -1;
	json_t *manifest = NULL;

	if (!ends_with(name, REMOVE) && !ends_with(name, PARTIAL))
		return 0;
	dir = store_openat(runs, name, O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		return 0;
	if (ends_with(name, PARTIAL)) {
		if (!flock(dir, LOCK_EX | LOCK_NB)) {
			each_entry(dir, drop_entry, NULL);
			unlinkat(runs, name, AT_REMOVEDIR);
		}
		return 0;
	}
	if (store_manifest_at(dir, &manifest))
		manifest = NULL; /* it was the last to go */
	empty(s, name, dir, manifest);
	json_decref(manifest);
	return 0;
}

void store_sweep(struct store *s)
{
	each_entry(s->runs, sweep_entry, s);
}
