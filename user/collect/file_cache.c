/* file_cache.c - see file_cache.h */
#include "collect/file_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "lib/cleanup.h"

#define FILES_LISTED 20

struct file {
	struct cached_file key;
	uint64_t look; /* number of the look that pages are of */
	int64_t pages;
	char *path; /* hostile; NULL: it had no name */
	bool whole;
	UT_hash_handle hh;
};

struct file_cache {
	const struct observation *o;
	struct file *files; /* at most MAX_CACHED_FILES: the map has no more */
	uint64_t look;
	int64_t others; /* pages of files that have found no room */
};

struct file_cache *file_cache_new(const struct observation *o)
{
	struct file_cache *f = calloc(1, sizeof(*f));

	if (f)
		f->o = o;
	return f;
}

void file_cache_free(struct file_cache *f)
{
	struct file *file, *next;

	if (!f)
		return;
	HASH_ITER (hh, f->files, file, next) {
		HASH_DEL(f->files, file);
		free(file->path);
		free(file);
	}
	free(f);
}

static struct file *get(struct file_cache *f, const struct cached_file *key)
{
	struct file *file;

	HASH_FIND(hh, f->files, key, sizeof(*key), file);
	if (file || HASH_COUNT(f->files) >= MAX_CACHED_FILES)
		return file;
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	file->key = *key;
	HASH_ADD(hh, f->files, key, sizeof(file->key), file);
	if (!file->hh.tbl) {
		free(file);
		return NULL;
	}
	return file;
}

/* Names come from the file up; a path is read from the root down. */
static char *path_of(const struct file_event *e)
{
	uint32_t bytes = e->bytes < FILE_PATH_BYTES ? e->bytes : FILE_PATH_BYTES;
	char *path = calloc(1, bytes + 2), *at = path;

	if (!path || !bytes || e->path[bytes - 1]) {
		free(path);
		return NULL;
	}
	for (uint32_t end = bytes - 1;;) {
		uint32_t begin = end;

		while (begin && e->path[begin - 1])
			begin--;
		*at++ = '/';
		memcpy(at, e->path + begin, end - begin);
		at += end - begin;
		if (!begin)
			return path;
		end = begin - 1;
	}
}

void file_cache_record(struct file_cache *f, const struct file_event *e)
{
	struct file *file = get(f, &e->file);

	if (!file || file->path)
		return;
	file->path = path_of(e);
	file->whole = e->whole;
}

static void take(void *context, const struct cached_file *key, int64_t pages)
{
	struct file_cache *f = context;
	struct file *file = key ? get(f, key) : NULL;

	if (!file) {
		f->others += pages;
		return;
	}
	file->pages = pages;
	file->look = f->look;
}

void file_cache_look(struct file_cache *f)
{
	f->look++;
	f->others = 0;
	if (f->o->cached_files)
		f->o->cached_files(f->o->cached_context, take, f);
}

static int by_pages(const void *a, const void *b)
{
	const struct file *x = *(struct file *const *)a, *y = *(struct file *const *)b;

	return x->pages > y->pages ? -1 : x->pages < y->pages;
}

static json_t *file_json(const struct file *file, long page_bytes)
{
	json_t *path = file->path ? json_text(file->path) : json_string("[file without a name]");

	return json_pack("{s:o,s:b,s:I,s:I,s:I}", "path", path, "whole_path", file->whole, "bytes",
			 (json_int_t)(file->pages * page_bytes), "device",
			 (json_int_t)file->key.device, "inode", (json_int_t)file->key.inode);
}

json_t *file_cache_json(const struct file_cache *f, uint64_t *ret_bytes)
{
	_cleanup_free_ struct file **list = calloc(HASH_COUNT(f->files) + 1, sizeof(*list));
	long page_bytes = sysconf(_SC_PAGESIZE);
	json_t *array = list ? json_array() : NULL;
	int64_t pages = f->others > 0 ? f->others : 0;
	size_t n = 0;

	if (!array)
		return NULL;
	for (struct file *file = f->files; file; file = file->hh.next) {
		if (file->look != f->look || file->pages <= 0)
			continue;
		list[n++] = file;
		pages += file->pages;
	}
	qsort(list, n, sizeof(*list), by_pages);
	for (size_t i = 0; i < n && i < FILES_LISTED; i++)
		json_array_append_new(array, file_json(list[i], page_bytes));
	*ret_bytes = (uint64_t)(pages * page_bytes);
	return array;
}
