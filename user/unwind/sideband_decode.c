/* sideband_decode.c - one record of perf; see sideband.h and perf_event_open(2) */
#include "unwind/sideband.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/sysmacros.h>

struct map_record {
	struct perf_event_header h;
	uint32_t pid, tid;
	uint64_t start, length, offset;
	uint32_t major, minor;
	uint64_t inode, generation;
	uint32_t protection, flags;
	char path[];
};

struct comm_record {
	struct perf_event_header h;
	uint32_t pid, tid;
	char name[];
};

struct task_record { /* fork and exit */
	struct perf_event_header h;
	uint32_t pid, parent, tid, parent_tid;
	uint64_t time_ns;
};

struct lost_record {
	struct perf_event_header h;
	uint64_t id, lost;
};

static int decode_map(const void *record, size_t size, struct sideband_event *ret)
{
	const struct map_record *r = record;
	size_t room = size - sizeof(*r);

	if (!memchr(r->path, '\0', room) || r->start + r->length < r->start)
		return -EBADMSG;
	ret->pid = r->pid;
	ret->tid = r->tid;
	if (!r->length || (int64_t)(r->start + r->length) < 0) /* none, or [vsyscall] */
		return 0;
	ret->type = SIDEBAND_MAP;
	ret->region = (struct region){ .start = r->start,
				       .length = r->length,
				       .offset = r->offset,
				       .device = makedev(r->major, r->minor),
				       .inode = r->inode,
				       .path = r->path };
	return 0;
}

static int decode_comm(const void *record, size_t size, struct sideband_event *ret)
{
	const struct comm_record *r = record;

	(void)size;
	ret->pid = r->pid;
	ret->tid = r->tid;
	if (r->h.misc & PERF_RECORD_MISC_COMM_EXEC)
		ret->type = SIDEBAND_EXEC;
	return 0;
}

static int decode_task(const void *record, size_t size, struct sideband_event *ret)
{
	const struct task_record *r = record;

	(void)size;
	ret->pid = r->pid;
	ret->tid = r->tid;
	ret->parent = r->parent;
	if (r->h.type == PERF_RECORD_EXIT)
		ret->type = SIDEBAND_EXIT;
	else if (r->pid != r->parent)
		ret->type = SIDEBAND_FORK;
	return 0;
}

static int decode_lost(const void *record, size_t size, struct sideband_event *ret)
{
	const struct lost_record *r = record;

	(void)size;
	ret->lost = r->lost;
	ret->type = SIDEBAND_LOST;
	return 0;
}

static const struct {
	int (*decode)(const void *record, size_t size, struct sideband_event *ret);
	size_t fixed_bytes;
} decoders[] = {
	[PERF_RECORD_MMAP2] = { decode_map, sizeof(struct map_record) },
	[PERF_RECORD_COMM] = { decode_comm, sizeof(struct comm_record) },
	[PERF_RECORD_FORK] = { decode_task, sizeof(struct task_record) },
	[PERF_RECORD_EXIT] = { decode_task, sizeof(struct task_record) },
	[PERF_RECORD_LOST] = { decode_lost, sizeof(struct lost_record) },
};

int sideband_decode(const void *record, size_t size, struct sideband_event *ret)
{
	const struct perf_event_header *h = record;
	const struct sideband_id *id;

	memset(ret, 0, sizeof(*ret));
	if (size < sizeof(*h) + sizeof(*id) || size % 8 || h->size != size)
		return -EBADMSG;
	size -= sizeof(*id);
	id = record + size;
	ret->time_ns = id->time_ns;
	if (h->type >= sizeof(decoders) / sizeof(decoders[0]) || !decoders[h->type].decode)
		return 0;
	if (size < decoders[h->type].fixed_bytes)
		return -EBADMSG;
	return decoders[h->type].decode(record, size, ret);
}
