/* sideband.c - see sideband.h */
#include "unwind/sideband.h"

#include <errno.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"

/* A record is complete this long after its time at the latest: it is written with preemption off.
 */
#define REORDER_NS (NS_PER_MS / 5)
#define RING_PAGES_MAX 128 /* an exec with six libraries is 1.5 KiB of records */
#define RING_PAGES_MIN 8
#define RINGS_BYTES (16u << 20) /* of all CPUs */

struct ring {
	int fd;
	struct perf_event_mmap_page *page;
	size_t mapped;
};

/* A record that waits. */
struct record {
	uint64_t time_ns, order; /* order: in which it was read */
	size_t at;		 /* in bytes[] */
	uint32_t size;
};

struct sideband {
	struct ring *rings;
	size_t ring_count;
	struct record *records;
	size_t count, capacity;
	uint8_t *bytes;
	size_t bytes_used, bytes_capacity;
	uint64_t order, horizon;
	uint64_t unread; /* lost by us, for want of memory */
};

static int ring_open(struct ring *ring, int cpu, size_t pages)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
		.sample_id_all = 1,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.watermark = 1, /* such records wake by bytes only */
		.wakeup_watermark = 1,
	};
	size_t page = sysconf(_SC_PAGESIZE);
	void *p;

	ring->fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (ring->fd < 0)
		return -errno;
	/* less when the host limits what may be locked */
	for (; pages >= RING_PAGES_MIN; pages /= 2) {
		p = mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
		if (p == MAP_FAILED)
			continue;
		ring->page = p;
		ring->mapped = (pages + 1) * page;
		return 0;
	}
	return -errno;
}

static size_t ring_pages(size_t cpus)
{
	size_t pages = RING_PAGES_MAX, fit = RINGS_BYTES / sysconf(_SC_PAGESIZE) / (cpus ?: 1);

	while (pages > RING_PAGES_MIN && pages > fit)
		pages /= 2;
	return pages;
}

/* "0-3,8,10-11" → numbers; returns how many, at most @max. */
static size_t cpus_online(int *cpus, size_t max)
{
	_cleanup_fclose_ FILE *f = fopen("/sys/devices/system/cpu/online", "re");
	size_t count = 0;
	int from, to;

	while (f && fscanf(f, "%d", &from) == 1) {
		to = from;
		if (fscanf(f, "-%d", &to) < 0)
			to = from;
		for (; from <= to && count < max; from++)
			cpus[count++] = from;
		if (fgetc(f) != ',')
			break;
	}
	return count;
}

int sideband_new(struct sideband **ret, struct problem *problem)
{
	size_t max = sysconf(_SC_NPROCESSORS_CONF), cpus;
	_cleanup_free_ int *cpu = calloc(max + 1, sizeof(*cpu));
	struct sideband *s = calloc(1, sizeof(*s));
	int err = -ENOMEM;

	if (!s || !cpu)
		goto fail;
	cpus = cpus_online(cpu, max);
	if (!cpus) /* no sysfs: take the first ones */
		for (size_t online = sysconf(_SC_NPROCESSORS_ONLN); cpus < online && cpus < max;
		     cpus++)
			cpu[cpus] = cpus;
	s->rings = calloc(cpus + 1, sizeof(*s->rings));
	if (!s->rings)
		goto fail;
	s->ring_count = cpus;
	for (size_t i = 0; i < cpus; i++)
		s->rings[i].fd = -1;
	for (size_t i = 0; i < cpus; i++) {
		err = ring_open(&s->rings[i], cpu[i], ring_pages(cpus));
		if (err == -ENODEV) /* went offline meanwhile */
			continue;
		if (err) {
			problem_set(problem, err, "perf side-band of CPU %d: %s; needs CAP_PERFMON",
				    cpu[i], strerror(-err));
			goto fail;
		}
	}
	*ret = s;
	return 0;
fail:
	sideband_free(s);
	return problem_set(problem, err, "perf side-band: %s", strerror(-err));
}

void sideband_free(struct sideband *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->ring_count; i++) {
		if (s->rings[i].page)
			munmap(s->rings[i].page, s->rings[i].mapped);
		if (s->rings[i].fd >= 0)
			close(s->rings[i].fd);
	}
	free(s->rings);
	free(s->records);
	free(s->bytes);
	free(s);
}

static int room(struct sideband *s, size_t size)
{
	if (s->count == s->capacity) {
		size_t capacity = s->capacity ? s->capacity * 2 : 256;
		struct record *records = reallocarray(s->records, capacity, sizeof(*records));

		if (!records)
			return -ENOMEM;
		s->records = records;
		s->capacity = capacity;
	}
	if (s->bytes_capacity - s->bytes_used < size) {
		size_t capacity = s->bytes_capacity * 2 + USHRT_MAX + 1;
		uint8_t *bytes = realloc(s->bytes, capacity);

		if (!bytes)
			return -ENOMEM;
		s->bytes = bytes;
		s->bytes_capacity = capacity;
	}
	return 0;
}

/* @at: into a ring of @size bytes, a power of two, that a record may wrap around. */
static void record_keep(struct sideband *s, const uint8_t *data, uint64_t size, uint64_t at,
			uint32_t bytes)
{
	uint64_t from = at & (size - 1), until_end = size - from;
	struct sideband_id id;
	uint8_t *to;

	if (room(s, bytes)) {
		s->unread++;
		return;
	}
	to = s->bytes + s->bytes_used;
	memcpy(to, data + from, bytes < until_end ? bytes : until_end);
	if (bytes > until_end)
		memcpy(to + until_end, data, bytes - until_end);
	memcpy(&id, to + bytes - sizeof(id), sizeof(id));
	s->records[s->count++] = (struct record){
		.time_ns = id.time_ns, .order = s->order++, .at = s->bytes_used, .size = bytes
	};
	s->bytes_used += bytes;
}

static void ring_read(struct sideband *s, struct ring *ring)
{
	const uint8_t *data = (void *)ring->page + ring->page->data_offset;
	uint64_t size = ring->page->data_size, tail = ring->page->data_tail;
	uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);

	while (tail < head) {
		const struct perf_event_header *h = (void *)(data + (tail & (size - 1)));
		uint32_t bytes = h->size; /* never wraps: records are aligned to 8 */

		if (bytes < sizeof(*h) + sizeof(struct sideband_id) || bytes > head - tail) {
			s->unread++;
			tail = head;
			break;
		}
		record_keep(s, data, size, tail, bytes);
		tail += bytes;
	}
	__atomic_store_n(&ring->page->data_tail, tail, __ATOMIC_RELEASE);
}

static int by_time(const void *a, const void *b)
{
	const struct record *p = a, *q = b;

	if (p->time_ns != q->time_ns)
		return p->time_ns < q->time_ns ? -1 : 1;
	return p->order < q->order ? -1 : p->order > q->order;
}

/* What is left moves to the front. */
static void records_drop(struct sideband *s, size_t done)
{
	size_t used = 0;

	if (!done)
		return;
	s->count -= done;
	memmove(s->records, s->records + done, s->count * sizeof(*s->records));
	if (!s->count) {
		s->bytes_used = 0;
		return;
	}
	for (size_t i = 0; i < s->count; i++) /* oldest bytes first is not sure: find the lowest */
		used = i && s->records[i].at > used ? used : s->records[i].at;
	if (used < s->bytes_used / 2)
		return;
	memmove(s->bytes, s->bytes + used, s->bytes_used - used);
	s->bytes_used -= used;
	for (size_t i = 0; i < s->count; i++)
		s->records[i].at -= used;
}

int sideband_drain(struct sideband *s, sideband_fn tell, void *context)
{
	uint64_t due = clock_monotonic_ns() - REORDER_NS; /* before the rings are read */
	struct sideband_event event = { .type = SIDEBAND_LOST, .time_ns = due };
	size_t done = 0;
	int err = 0;

	for (size_t i = 0; i < s->ring_count; i++)
		if (s->rings[i].page)
			ring_read(s, &s->rings[i]);
	if (s->count)
		qsort(s->records, s->count, sizeof(*s->records), by_time);
	for (; done < s->count && s->records[done].time_ns <= due; done++) {
		const struct record *r = &s->records[done];

		if (sideband_decode(s->bytes + r->at, r->size, &event))
			s->unread++;
		else if (event.type)
			tell(context, &event);
	}
	records_drop(s, done);
	s->horizon = due;
	if (s->unread) {
		event = (struct sideband_event){ .type = SIDEBAND_LOST,
						 .lost = s->unread,
						 .time_ns = due };
		s->unread = 0;
		tell(context, &event);
		err = -ENOMEM;
	}
	return err ? err : s->count > 0;
}

uint64_t sideband_horizon(const struct sideband *s)
{
	return s->horizon;
}

int sideband_watch(const struct sideband *s, int epoll)
{
	struct epoll_event event = { .events = EPOLLIN };

	for (size_t i = 0; i < s->ring_count; i++)
		if (s->rings[i].page && epoll_ctl(epoll, EPOLL_CTL_ADD, s->rings[i].fd, &event))
			return -errno;
	return 0;
}
