/* space.c - see space.h */
#include "unwind/space.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bpf/unwind.h"
#include "unwind/ranges.h"

#define CHUNK_BYTES (CHUNK_WORDS * 8UL)
/* Lost at most where a table crosses into the next chunk: a bucket's rows and the one before. */
#define PADDING_WORDS (BUCKET_ROWS_MAX + 1U)

#define CHUNKS_SPARE 3

struct chunk {
	int fd; /* -1: none yet */
	bool visible;
	uint64_t *words; /* mapped since the last commit; NULL: not */
};

struct space {
	int outer;
	struct ranges *words;
	struct chunk chunks[CHUNKS_MAX];
	uint32_t chunk_count;
};

int space_new(int outer, struct space **ret)
{
	struct space *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->outer = outer;
	for (uint32_t i = 0; i < CHUNKS_MAX; i++)
		s->chunks[i].fd = -1;
	/* the last word stays free, so that a number past the end of a table is one of the space */
	s->words = ranges_new(CHUNKS_MAX * CHUNK_WORDS - 1);
	if (!s->words) {
		free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

void space_unmap(struct space *s)
{
	for (uint32_t i = 0; i < CHUNKS_MAX; i++) {
		if (s->chunks[i].words)
			munmap(s->chunks[i].words, CHUNK_BYTES);
		s->chunks[i].words = NULL;
	}
}

void space_free(struct space *s)
{
	if (!s)
		return;
	space_unmap(s);
	for (uint32_t i = 0; i < CHUNKS_MAX; i++)
		if (s->chunks[i].fd >= 0)
			close(s->chunks[i].fd);
	ranges_free(s->words);
	free(s);
}

static int chunk_create(struct space *s)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	int fd;

	if (s->outer >= 0)
		return bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_chunk", sizeof(__u32),
				      CHUNK_BYTES, 1, &options);
	fd = memfd_create("unwind_chunk", MFD_CLOEXEC);
	if (fd >= 0 && ftruncate(fd, CHUNK_BYTES)) {
		close(fd);
		return -errno;
	}
	return fd < 0 ? -errno : fd;
}

static int chunk_map(struct space *s, uint32_t i, bool create)
{
	struct chunk *c = &s->chunks[i];
	void *words;

	if (c->words)
		return 0;
	if (c->fd < 0) {
		int fd = create ? chunk_create(s) : -ENOENT;

		if (fd < 0)
			return fd;
		c->fd = fd;
		s->chunk_count++;
	}
	words = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (words == MAP_FAILED)
		return -errno;
	c->words = words;
	return 0;
}

/* Every row but the first begins within exactly one bucket, in order. */
static int table_check(size_t row_count, const uint64_t *buckets, size_t bucket_count)
{
	uint64_t before = 0;

	if (!row_count || !bucket_count || row_count > UINT32_MAX || bucket_count > UINT32_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < bucket_count; i++) {
		uint64_t rows = buckets[i] >> 32;

		if ((uint32_t)buckets[i] != before || rows > BUCKET_ROWS_MAX)
			return -EBADMSG;
		before += rows;
		if (before >= row_count)
			return -EBADMSG;
	}
	return 0;
}

/* Where the next word goes. */
struct pen {
	struct space *space;
	uint32_t at;
};

static void put(struct pen *pen, uint64_t word)
{
	pen->space->chunks[pen->at >> CHUNK_SHIFT].words[pen->at & CHUNK_MASK] = word;
	pen->at++;
}

static void rows_write(struct pen *pen, const uint64_t *rows, uint64_t *buckets,
		       size_t bucket_count)
{
	size_t row = 0; /* written last */

	put(pen, rows[0]);
	for (size_t i = 0; i < bucket_count; i++) {
		uint32_t count = buckets[i] >> 32, before = pen->at - 1;

		if (before >> CHUNK_SHIFT != (before + count) >> CHUNK_SHIFT) {
			pen->at = ((before >> CHUNK_SHIFT) + 1) << CHUNK_SHIFT;
			before = pen->at;
			put(pen, rows[row]);
		}
		buckets[i] = BUCKET(before, count);
		while (count--)
			put(pen, rows[++row]);
	}
}

static int table_write(struct space *s, const struct space_table *table, const uint64_t *rows,
		       const uint64_t *buckets, size_t bucket_count, struct space_table *ret)
{
	struct pen pen = { s, table->first };
	uint64_t *moved = malloc(bucket_count * sizeof(*moved));

	if (!moved)
		return -ENOMEM;
	memcpy(moved, buckets, bucket_count * sizeof(*moved));
	rows_write(&pen, rows, moved, bucket_count);
	ret->first = table->first;
	ret->buckets = pen.at;
	for (size_t i = 0; i < bucket_count; i++)
		put(&pen, moved[i]);
	ret->count = pen.at - table->first;
	free(moved);
	return 0;
}

int space_place(struct space *s, const uint64_t *rows, size_t row_count, const uint64_t *buckets,
		size_t bucket_count, struct space_table *ret)
{
	struct space_table room;
	uint64_t need;
	int err = table_check(row_count, buckets, bucket_count);

	if (err)
		return err;
	need = (uint64_t)row_count + bucket_count;
	need += (need / (CHUNK_WORDS - PADDING_WORDS) + 1) * PADDING_WORDS;
	if (need >= (uint64_t)CHUNKS_MAX * CHUNK_WORDS)
		return -ENOSPC;
	room.count = need;
	err = ranges_take(s->words, room.count, &room.first);
	if (err)
		return err;
	for (uint32_t i = room.first >> CHUNK_SHIFT;
	     !err && i <= (room.first + room.count - 1) >> CHUNK_SHIFT; i++)
		err = chunk_map(s, i, true);
	if (!err)
		err = table_write(s, &room, rows, buckets, bucket_count, ret);
	if (err)
		ret->count = 0;
	ranges_give(s->words, room.first + ret->count, room.count - ret->count, 0);
	return err;
}

/* To show a chunk takes 10 ms, in which the task goes on and its new mappings wait: the next ones
 * are shown along with it, empty. */
static void chunks_spare(struct space *s)
{
	uint32_t next = CHUNKS_MAX;

	if (s->outer < 0)
		return;
	while (next && s->chunks[next - 1].fd < 0)
		next--;
	if (!next || s->chunks[next - 1].visible)
		return;
	for (uint32_t i = next; i < next + CHUNKS_SPARE && i < CHUNKS_MAX; i++) {
		int fd = chunk_create(s);

		if (fd < 0) /* one that is needed will say so */
			return;
		s->chunks[i].fd = fd;
		s->chunk_count++;
	}
}

/* One call for all: each call waits until no program on any CPU uses the old map any more. */
int space_commit(struct space *s)
{
	uint32_t keys[CHUNKS_MAX], count = 0, done;
	int fds[CHUNKS_MAX], err = 0;

	space_unmap(s);
	chunks_spare(s);
	for (uint32_t i = 0; i < CHUNKS_MAX; i++) {
		if (s->chunks[i].fd < 0 || s->chunks[i].visible)
			continue;
		keys[count] = i;
		fds[count++] = s->chunks[i].fd;
	}
	done = count;
	if (s->outer < 0 || (count > 1 && !bpf_map_update_batch(s->outer, keys, fds, &done, NULL)))
		done = count;
	else /* one, or a kernel that cannot do it at once */
		for (done = 0; done < count && !err; done += !err)
			err = bpf_map_update_elem(s->outer, &keys[done], &fds[done], BPF_ANY);
	for (uint32_t i = 0; i < done; i++)
		s->chunks[keys[i]].visible = true;
	return err;
}

void space_release(struct space *s, const struct space_table *table, uint64_t now_ns)
{
	ranges_give(s->words, table->first, table->count, now_ns + SPACE_GRACE_NS);
}

void space_expire(struct space *s, uint64_t now_ns)
{
	ranges_expire(s->words, now_ns);
}

const uint64_t *space_chunk(struct space *s, uint32_t chunk)
{
	return chunk < CHUNKS_MAX && !chunk_map(s, chunk, false) ? s->chunks[chunk].words : NULL;
}

uint32_t space_used(const struct space *s)
{
	return ranges_used(s->words);
}

uint32_t space_chunks(const struct space *s)
{
	return s->chunk_count;
}
