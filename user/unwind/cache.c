/* cache.c - see cache.h */
#include "unwind/cache_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/cleanup.h"
#include "lib/clock.h"

#define MAGIC 0x73776f722d676474ULL /* "tdg-rows" */
#define VERSION 2 /* of this file, and of the rows: raise it when either changes */

#if defined(__x86_64__)
#define MACHINE 62 /* EM_X86_64 */
#else
#define MACHINE 183 /* EM_AARCH64 */
#endif

/* Before rows and buckets. All in the byte order of this machine: the file does not leave it. */
struct cache_header {
	uint64_t magic;
	uint32_t version, machine;
	uint32_t crc; /* of all that follows this field's own 8 bytes */
	uint32_t pad;
	struct pin_identity identity;
	uint64_t row_count, bucket_count;
	uint64_t entry, first, unsupported;
	uint32_t debug_frame, segment_count, build_id_bytes, pad2;
	struct inspect_segment segments[INSPECT_SEGMENTS_MAX];
	uint8_t build_id[INSPECT_BUILD_ID_MAX];
};
#define CRC_FROM offsetof(struct cache_header, identity)

void cache_name(const struct pin_identity *id, const char *suffix, char name[CACHE_NAME_BYTES])
{
	snprintf(name, CACHE_NAME_BYTES,
		 "%" PRIx64 "-%" PRIx64 "-%" PRIx64 "-%" PRIx64 "-%" PRIx64 "%s", id->device,
		 id->inode, id->change_ns, id->size, id->filesystem, suffix);
}

/* One entry of the directory. */
struct entry {
	char name[CACHE_NAME_BYTES];
	uint64_t used_ns, bytes;
};

static int by_use(const void *a, const void *b)
{
	const struct entry *p = a, *q = b;

	return p->used_ns < q->used_ns ? -1 : p->used_ns > q->used_ns;
}

static bool is_ours(const char *name)
{
	const char *suffix = strchr(name, '.');

	return suffix && suffix != name && strlen(name) < CACHE_NAME_BYTES &&
	       (!strcmp(suffix, CACHE_ROWS) || !strcmp(suffix, CACHE_COMPANIONS));
}

static int entries_list(const struct cache *c, struct entry **ret, size_t *ret_count)
{
	_cleanup_close_ int fd = openat(c->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct entry *list = NULL, *grown;
	size_t count = 0, capacity = 0;
	struct dirent *d;
	struct stat st;
	DIR *dir;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return -errno;
	take_fd(&fd);
	while ((d = readdir(dir))) {
		if (!is_ours(d->d_name) || fstatat(c->dir, d->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		if (count == capacity) {
			capacity = capacity ? capacity * 2 : 64;
			grown = reallocarray(list, capacity, sizeof(*list));
			if (!grown)
				break;
			list = grown;
		}
		memcpy(list[count].name, d->d_name, strlen(d->d_name) + 1); /* is_ours() */
		list[count].used_ns = st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec;
		list[count++].bytes = st.st_size;
	}
	closedir(dir);
	if (count)
		qsort(list, count, sizeof(*list), by_use);
	*ret = list;
	*ret_count = count;
	return 0;
}

int cache_make_room(struct cache *c, uint64_t more)
{
	_cleanup_free_ struct entry *list = NULL;
	size_t count = 0;
	int err;

	if (c->used + more <= c->limit)
		return 0;
	err = entries_list(c, &list, &count);
	if (err)
		return err;
	c->used = 0; /* other observers use this directory as well: count anew */
	for (size_t i = 0; i < count; i++)
		c->used += list[i].bytes;
	for (size_t i = 0; i < count && c->used + more > c->limit; i++)
		if (!unlinkat(c->dir, list[i].name, 0) || errno == ENOENT)
			c->used -= list[i].bytes;
	return c->used + more <= c->limit ? 0 : -ENOSPC;
}

int cache_new(const char *path, uint64_t limit_bytes, struct cache **ret)
{
	_cleanup_free_ struct entry *list = NULL;
	struct cache *c = calloc(1, sizeof(*c));
	size_t count = 0;
	struct stat st;
	int err;

	if (!c)
		return -ENOMEM;
	c->limit = limit_bytes;
	mkdir(path, 0700);
	c->dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	err = c->dir < 0 || fstat(c->dir, &st) ? -errno : 0;
	if (!err && (st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH)))
		err = -EPERM;
	if (!err)
		err = entries_list(c, &list, &count);
	if (err) {
		cache_free(c);
		return err;
	}
	for (size_t i = 0; i < count; i++)
		c->used += list[i].bytes;
	*ret = c;
	return 0;
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	if (c->dir >= 0)
		close(c->dir);
	free(c);
}

static bool header_is_sound(const struct cache_header *h, const struct pin_identity *id,
			    uint64_t bytes)
{
	const uint64_t words = INSPECT_BYTES_MAX / 8;

	return h->magic == MAGIC && h->version == VERSION && h->machine == MACHINE &&
	       !memcmp(&h->identity, id, sizeof(*id)) && h->row_count <= words &&
	       h->bucket_count <= words && h->segment_count <= INSPECT_SEGMENTS_MAX &&
	       h->build_id_bytes && h->build_id_bytes <= INSPECT_BUILD_ID_MAX &&
	       bytes == sizeof(*h) + (h->row_count + h->bucket_count) * 8;
}

static bool buckets_are_sound(const struct cache_header *h, const uint64_t *buckets)
{
	for (uint64_t i = 0; i < h->bucket_count; i++)
		if ((buckets[i] & UINT32_MAX) + (buckets[i] >> 32) >= h->row_count)
			return false;
	return true;
}

static uint32_t crc_of(const void *bytes, size_t size, uint32_t crc)
{
	return crc32_z(crc, bytes, size);
}

static void header_to_rows(const struct cache_header *h, struct inspect_rows *ret)
{
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->build_id, h->build_id, sizeof(ret->build_id));
	memcpy(ret->segments, h->segments, sizeof(ret->segments));
	ret->build_id_bytes = h->build_id_bytes;
	ret->segment_count = h->segment_count;
	ret->entry = h->entry;
	ret->first = h->first;
	ret->unsupported = h->unsupported;
	ret->debug_frame = h->debug_frame;
	ret->row_count = h->row_count;
	ret->bucket_count = h->bucket_count;
	ret->rows = (const uint64_t *)(h + 1);
	ret->buckets = ret->rows + h->row_count;
}

int cache_read(int fd, void *to, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = pread(fd, to + done, size - done, done);

		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		done += n;
	}
	return 0;
}

static int load(int fd, const struct pin_identity *id, struct inspect_rows *ret, void **ret_memory)
{
	_cleanup_free_ struct cache_header *h = NULL;
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(*h) ||
	    st.st_size > (off_t)(sizeof(*h) + INSPECT_BYTES_MAX))
		return -EBADMSG;
	h = malloc(st.st_size);
	if (!h)
		return -ENOMEM;
	err = cache_read(fd, h, st.st_size);
	if (err)
		return err;
	if (!header_is_sound(h, id, st.st_size) ||
	    crc_of((uint8_t *)h + CRC_FROM, st.st_size - CRC_FROM, 0) != h->crc)
		return -EBADMSG;
	header_to_rows(h, ret);
	if (!buckets_are_sound(h, ret->buckets))
		return -EBADMSG;
	*ret_memory = take_ptr(h);
	return 0;
}

int cache_load(struct cache *c, const struct pin_identity *id, struct inspect_rows *ret,
	       void **ret_memory)
{
	_cleanup_close_ int fd = -1;
	char name[CACHE_NAME_BYTES];
	int err;

	cache_name(id, CACHE_ROWS, name);
	fd = openat(c->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = load(fd, id, ret, ret_memory);
	if (err == -EBADMSG)
		unlinkat(c->dir, name, 0);
	else if (!err)
		futimens(fd, NULL); /* used now; access times may be off */
	return err;
}

static void rows_to_header(const struct inspect_rows *rows, const struct pin_identity *id,
			   struct cache_header *h)
{
	memset(h, 0, sizeof(*h));
	h->magic = MAGIC;
	h->version = VERSION;
	h->machine = MACHINE;
	h->identity = *id;
	h->row_count = rows->row_count;
	h->bucket_count = rows->bucket_count;
	h->entry = rows->entry;
	h->first = rows->first;
	h->unsupported = rows->unsupported;
	h->debug_frame = rows->debug_frame;
	h->segment_count = rows->segment_count;
	h->build_id_bytes = rows->build_id_bytes;
	memcpy(h->segments, rows->segments, sizeof(h->segments));
	memcpy(h->build_id, rows->build_id, sizeof(h->build_id));
	h->crc = crc_of((uint8_t *)h + CRC_FROM, sizeof(*h) - CRC_FROM, 0);
	h->crc = crc_of(rows->rows, rows->row_count * 8, h->crc);
	h->crc = crc_of(rows->buckets, rows->bucket_count * 8, h->crc);
}

int cache_write(int fd, const void *from, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, from + done, size - done);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += n;
	}
	return 0;
}

/* Without a name until it is whole: an observer that dies leaves nothing. */
int cache_create(const struct cache *c)
{
	int fd = openat(c->dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

/* No fsync: after a loss of power the sum does not fit, and the entry is removed. */
int cache_link(const struct cache *c, int fd, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, c->dir, name, AT_SYMLINK_FOLLOW) ? -errno : 0;
}

static int write_entry(struct cache *c, const char *name, const struct cache_header *h,
		       const struct inspect_rows *rows)
{
	_cleanup_close_ int fd = cache_create(c);
	int err = fd < 0 ? fd : cache_write(fd, h, sizeof(*h));

	if (!err)
		err = cache_write(fd, rows->rows, rows->row_count * 8);
	if (!err)
		err = cache_write(fd, rows->buckets, rows->bucket_count * 8);
	return err ? err : cache_link(c, fd, name);
}

int cache_store(struct cache *c, const struct pin_identity *id, const struct inspect_rows *rows)
{
	uint64_t bytes = sizeof(struct cache_header) + (rows->row_count + rows->bucket_count) * 8;
	char name[CACHE_NAME_BYTES];
	struct cache_header h;
	int err;

	if (!rows->row_count || !rows->bucket_count || !rows->build_id_bytes ||
	    rows->build_id_bytes > INSPECT_BUILD_ID_MAX ||
	    rows->segment_count > INSPECT_SEGMENTS_MAX || bytes > c->limit)
		return -EINVAL;
	err = cache_make_room(c, bytes);
	if (err)
		return err;
	cache_name(id, CACHE_ROWS, name);
	rows_to_header(rows, id, &h);
	err = write_entry(c, name, &h, rows);
	if (!err)
		c->used += bytes;
	return err == -EEXIST ? 0 : err; /* another observer was faster */
}
