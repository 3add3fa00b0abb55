/* space.h - the table space: rows and buckets of all files, in chunks that come as they are needed.
 *
 *   space_place() … space_place() ──► space_commit() ──► the BPF side sees them
 *
 * Written through mmap, and unmapped again by space_commit(): between two commits the observer
 * keeps only file descriptors.
 */
#ifndef TASKDIAG_SPACE_H
#define TASKDIAG_SPACE_H

#include <stddef.h>
#include <stdint.h>

#define SPACE_GRACE_NS 1000000000ULL /* words given back are not written for so long */

struct space;

/* Where the table of a file is. */
struct space_table {
	uint32_t first, count; /* words; count 0: nowhere */
	uint32_t buckets;      /* word of bucket 0 */
};

/** @outer: the map of chunks, borrowed; -1: chunks are memfds that no BPF program sees (tests). */
int space_new(int outer, struct space **ret);
void space_free(struct space *s); /* NULL is fine */

/**
 * Copies a table in (bpf/unwind.h). The rows of one bucket, with the row before them, end up in one
 * chunk. Checks what a broken or taken-over worker could have written: -EBADMSG. -ENOSPC: full;
 * else -errno of map creation. To be used after space_commit().
 */
int space_place(struct space *s, const uint64_t *rows, size_t row_count, const uint64_t *buckets,
		size_t bucket_count, struct space_table *ret);

/** New chunks become visible. About 15 ms (the kernel waits for RCU) if there are any, so place
 * many, then commit once. On error none of the tables placed since may be used. */
int space_commit(struct space *s);

void space_release(struct space *s, const struct space_table *table, uint64_t now_ns);
void space_expire(struct space *s, uint64_t now_ns);

/** CHUNK_WORDS words, valid until space_unmap() or space_commit(); NULL: there is no such chunk. */
const uint64_t *space_chunk(struct space *s, uint32_t chunk);
void space_unmap(struct space *s);

uint32_t space_used(const struct space *s); /* words */
uint32_t space_chunks(const struct space *s);

#endif
