/* files.c - see files.h */
#include "unwind/files_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Every file of the task is kept open. */
static void open_files_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int files_new(struct inspect *inspect, struct space *space, struct cache *cache, struct files **ret)
{
	struct files *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	open_files_raise();
	f->inspect = inspect;
	f->space = space;
	f->cache = cache;
	f->wanted_end = &f->wanted;
	f->warm_end = &f->warm;
	*ret = f;
	return 0;
}

void files_entry_free(struct entry *e)
{
	if (e->file.shown.fd >= 0)
		close(e->file.shown.fd);
	free(e->path);
	free(e->root);
	free(e->problem);
	free(e->companions);
	free(e->file.python);
	free(e->file.python_problem);
	free(e);
}

void files_free(struct files *f)
{
	struct told *t, *next;

	if (!f)
		return;
	files_companions_keep(f);
	HASH_CLEAR(hh, f->by_identity);
	files_warm_free(f);
	for (uint32_t i = 0; i < f->count; i++)
		files_entry_free(f->entries[i]);
	HASH_ITER (hh, f->by_told, t, next) {
		HASH_DEL(f->by_told, t);
		free(t);
	}
	free(f->loaded_memory);
	free(f->entries);
	free(f);
}

struct entry *files_entry(const struct files *f, uint32_t number)
{
	return number && number <= f->count ? f->entries[number - 1] : NULL;
}

/* It gets a number, a name and @fd. On error nothing has changed. */
static int entry_enter(struct entry *e, pid_t pid, const char *path, int fd)
{
	struct files *f = e->files;

	if (f->count == FILES_MAX)
		return -ENFILE;
	if (f->count == f->capacity) {
		uint32_t capacity = f->capacity ? f->capacity * 2 : 64;
		struct entry **entries = reallocarray(f->entries, capacity, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		f->entries = entries;
		f->capacity = capacity;
	}
	free(e->path);
	e->path = strdup(path);
	if (!e->path || asprintf(&e->root, "/proc/%d/root", pid) < 0) {
		e->root = NULL;
		return -ENOMEM;
	}
	e->file.shown.path = e->path;
	e->file.shown.root = e->root;
	e->file.shown.fd = fd;
	f->entries[f->count] = e;
	e->number = ++f->count;
	e->idle_ns = clock_monotonic_ns();
	return 0;
}

/* @fd, or -1, is the entry's; on error it stays the caller's. */
static struct entry *entry_new(struct files *f, pid_t pid, const char *path, int fd)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (e) {
		e->files = f;
		e->file.shown.fd = -1;
		if (!entry_enter(e, pid, path, fd))
			return e;
		files_entry_free(e);
	}
	f->refused++;
	return NULL;
}

static uint32_t vdso_find(struct files *f, pid_t pid, const struct region *region)
{
	struct entry *e;
	int fd;

	if (!f->vdso && !f->vdso_tried) {
		f->vdso_tried = true;
		fd = pin_vdso(&f->vdso_bytes);
		e = fd < 0 ? NULL : entry_new(f, pid, "[vdso]", fd);
		if (!e && fd >= 0)
			close(fd);
		if (e) {
			e->file.vdso = true;
			f->vdso = e->number;
		}
	}
	/* a 32-bit process has another one */
	return region->start >> 32 && region->length == f->vdso_bytes ? f->vdso : 0;
}

static void told_set(struct files *f, const struct told_key *key, uint32_t number)
{
	struct told *t;

	HASH_FIND(hh, f->by_told, key, sizeof(*key), t);
	if (!t) {
		t = calloc(1, sizeof(*t));
		if (!t)
			return; /* it is opened again next time */
		t->key = *key;
		HASH_ADD(hh, f->by_told, key, sizeof(t->key), t);
	}
	t->number = number;
}

/* The file of that device and inode if it needs no opening: pinned, its inode cannot be another's.
 * Where stat tells other devices than maps (btrfs, overlayfs) two files may be told as one. */
static struct entry *told_find(struct files *f, const struct region *region)
{
	struct told_key key = { region->device, region->inode };
	struct pin_identity now;
	struct entry *e;
	struct told *t;

	HASH_FIND(hh, f->by_told, &key, sizeof(key), t);
	e = t ? files_entry(f, t->number) : NULL;
	if (!e || e->file.shown.fd < 0 || e->identity.device != key.device ||
	    e->identity.inode != key.inode)
		return NULL;
	if (pin_identify(e->file.shown.fd, &now) || memcmp(&now, &e->identity, sizeof(now)))
		return NULL; /* changed in place */
	return e;
}

/* One that cannot be opened now: as it was told before, or only a name. */
static struct entry *unreadable_find(struct files *f, pid_t pid, const struct region *region,
				     const char *why)
{
	struct told_key key = { region->device, region->inode };
	struct entry *e;
	struct told *t;

	HASH_FIND(hh, f->by_told, &key, sizeof(key), t);
	e = t ? files_entry(f, t->number) : NULL;
	if (e)
		return e;
	e = entry_new(f, pid, region->path, -1);
	if (!e)
		return NULL;
	files_entry_fail(e, FILE_WITHOUT, strdup(why));
	told_set(f, &key, e->number);
	return e;
}

/* Expected, and here it is: what was found of its rows stands. */
static int warm_seen(struct entry *e, pid_t pid, const char *path, int fd)
{
	int err = entry_enter(e, pid, path, fd);

	if (err) {
		e->files->refused++;
		return err;
	}
	e->changed = false; /* nobody has been shown it */
	if (e->files->loaded == e) {
		e->file.state = FILE_ASKED;
		e->files->hits++;
		return 0;
	}
	if (e->file.state == FILE_PLACED || e->file.state == FILE_READY) {
		e->files->hits++;
		files_python_want(e);
		return 0;
	}
	e->file.state = FILE_IDLE;
	e->file.shown.problem = NULL;
	e->retry_ns = 0;
	return 0;
}

static struct entry *opened_new(struct files *f, pid_t pid, const char *path, int fd,
				const struct pin_identity *id)
{
	struct entry *e = entry_new(f, pid, path, fd);

	if (!e)
		return NULL;
	e->identity = *id;
	HASH_ADD(hh, f->by_identity, identity, sizeof(e->identity), e);
	return e;
}

static struct entry *opened_find(struct files *f, pid_t pid, const struct region *region)
{
	struct told_key key = { region->device, region->inode };
	struct pin_identity id;
	const char *why = "";
	struct entry *e;
	int fd = pin_open(pid, region, &id, &why);

	if (fd < 0)
		return unreadable_find(f, pid, region, why);
	HASH_FIND(hh, f->by_identity, &id, sizeof(id), e);
	if (e && e->number) {
		close(fd);
	} else {
		if (e)
			e = warm_seen(e, pid, region->path, fd) ? NULL : e;
		else
			e = opened_new(f, pid, region->path, fd, &id);
		if (!e) {
			close(fd);
			return NULL;
		}
		files_companions_want(e);
	}
	told_set(f, &key, e->number);
	return e;
}

uint32_t files_find(struct files *f, pid_t pid, const struct region *region)
{
	struct entry *e;

	if (!strcmp(region->path, "[vdso]"))
		return vdso_find(f, pid, region);
	if (!region->inode || region->path[0] != '/')
		return 0;
	e = told_find(f, region);
	if (!e)
		e = opened_find(f, pid, region);
	return e ? e->number : 0;
}

void files_ref(struct files *f, uint32_t number)
{
	struct entry *e = files_entry(f, number);

	if (e && !e->refs++ && !e->retry_ns)
		files_want(e);
}

void files_unref(struct files *f, uint32_t number)
{
	struct entry *e = files_entry(f, number);

	if (e && !--e->refs)
		e->idle_ns = clock_monotonic_ns();
}

const struct file *files_get(const struct files *f, uint32_t number)
{
	struct entry *e = files_entry(f, number);

	return e ? &e->file : NULL;
}

bool files_changed(const struct files *f, uint32_t number)
{
	struct entry *e = files_entry(f, number);

	return e && e->changed;
}

void files_changed_clear(struct files *f)
{
	for (uint32_t i = 0; f->changed && i < f->count; i++)
		f->entries[i]->changed = false;
	f->changed = false;
}

uint64_t files_due(const struct files *f)
{
	return files_asked(f) > f->asked ? 1 : f->retry_ns;
}

uint32_t files_asked(const struct files *f)
{
	return f->asked + !!f->placed + !!f->wanted + !!f->loaded + !!f->warm_next;
}

uint32_t files_pythons_asked(const struct files *f)
{
	return f->pythons_asked;
}

void files_stats(const struct files *f, struct unwinder_stats *ret)
{
	ret->files = f->count;
	ret->files_without_rows = 0;
	for (uint32_t i = 0; i < f->count; i++)
		ret->files_without_rows += f->entries[i]->file.state == FILE_WITHOUT ||
					   f->entries[i]->file.state == FILE_NO_ELF;
	ret->rows = f->rows;
	ret->mappings_refused += f->refused;
	ret->cache_hits = f->hits;
	ret->cache_misses = f->misses;
	ret->cache_refused = f->damaged;
	ret->table_ns = f->table_ns;
}
