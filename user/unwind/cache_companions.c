/* cache_companions.c - which files were mapped along with a program; see cache.h */
#include "unwind/cache_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/cleanup.h"

#define MAGIC 0x687469772d676474ULL /* "tdg-with" */
#define VERSION 1

/* The whole file; shorter on disk when there are fewer. */
struct companions {
	uint64_t magic;
	uint32_t version, count;
	uint32_t crc; /* of all that follows this field's own 8 bytes */
	uint32_t pad;
	struct pin_identity program;
	struct pin_identity list[CACHE_COMPANIONS_MAX];
};

static size_t bytes_of(size_t count)
{
	return offsetof(struct companions, list) + count * sizeof(struct pin_identity);
}

static uint32_t crc_of(const struct companions *k)
{
	return crc32_z(0, (const uint8_t *)&k->program,
		       bytes_of(k->count) - offsetof(struct companions, program));
}

static bool is_sound(const struct companions *k, const struct pin_identity *program, size_t bytes)
{
	return k->magic == MAGIC && k->version == VERSION && k->count &&
	       k->count <= CACHE_COMPANIONS_MAX && bytes == bytes_of(k->count) &&
	       !memcmp(&k->program, program, sizeof(*program)) && crc_of(k) == k->crc;
}

static int load(int fd, const struct pin_identity *program, struct companions *k)
{
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)bytes_of(1) ||
	    st.st_size > (off_t)sizeof(*k))
		return -EBADMSG;
	err = cache_read(fd, k, st.st_size);
	if (err)
		return err;
	return is_sound(k, program, st.st_size) ? 0 : -EBADMSG;
}

int cache_companions_load(struct cache *c, const struct pin_identity *program,
			  struct pin_identity *ret, size_t *ret_count)
{
	_cleanup_close_ int fd = -1;
	char name[CACHE_NAME_BYTES];
	struct companions k;
	int err;

	cache_name(program, CACHE_COMPANIONS, name);
	fd = openat(c->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = load(fd, program, &k);
	if (err == -EBADMSG)
		unlinkat(c->dir, name, 0);
	if (err)
		return err;
	futimens(fd, NULL); /* used now; access times may be off */
	memcpy(ret, k.list, k.count * sizeof(*ret));
	*ret_count = k.count;
	return 0;
}

int cache_companions_store(struct cache *c, const struct pin_identity *program,
			   const struct pin_identity *list, size_t count)
{
	struct companions k = { .magic = MAGIC, .version = VERSION, .program = *program };
	_cleanup_close_ int fd = -1;
	char name[CACHE_NAME_BYTES];
	int err;

	if (!count || count > CACHE_COMPANIONS_MAX)
		return -EINVAL;
	err = cache_make_room(c, bytes_of(count));
	if (err)
		return err;
	memcpy(k.list, list, count * sizeof(*list));
	k.count = count;
	k.crc = crc_of(&k);
	fd = cache_create(c);
	if (fd < 0)
		return fd;
	err = cache_write(fd, &k, bytes_of(count));
	if (err)
		return err;
	cache_name(program, CACHE_COMPANIONS, name);
	unlinkat(c->dir, name,
		 0); /* between the two nothing is known: that costs no more than time */
	err = cache_link(c, fd, name);
	if (!err)
		c->used += bytes_of(count);
	return err == -EEXIST ? 0 : err; /* another observer's is as good */
}
