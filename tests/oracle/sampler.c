/* sampler.c - the CPU clock of perf_event_open(2): registers and a copy of the stack, many times a
 * second. */
#include "oracle.h"

#include <asm/perf_regs.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CPUS_MAX 256
#define RING_BYTES (16u << 20) /* 999 Hz fill one in 0.25 s */

struct ring {
	struct perf_event_mmap_page *page;
	int fd;
};

static struct ring rings[CPUS_MAX];
static const struct sampler_callbacks *callbacks;
static unsigned long lost;

static int cpu_count(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	return cpus < CPUS_MAX ? (int)cpus : CPUS_MAX;
}

static uint64_t take(const uint8_t **at, const uint8_t *end)
{
	uint64_t value = 0;

	if (end - *at >= 8)
		memcpy(&value, *at, 8);
	*at += 8;
	return value;
}

/* PERF_SAMPLE_TID | TIME | REGS_USER | STACK_USER, in this order (perf_event_open(2)) */
static void on_sample(const uint8_t *at, const uint8_t *end)
{
	struct snapshot s = {};
	uint64_t ids = take(&at, end), room;

	s.pid = (uint32_t)ids;
	s.tid = (uint32_t)(ids >> 32);
	take(&at, end); /* time */
	if (!take(&at, end))
		return; /* a moment without user registers */
	for (int i = 0; i < 17; i++)
		s.registers[i] = take(&at, end); /* in the order of their numbers */
	room = take(&at, end);
	if (at > end || room > (uint64_t)(end - at))
		return;
	s.stack = at;
	s.stack_at = s.registers[REG_SP];
	at += room;
	s.stack_bytes = room ? take(&at, end) : 0;
	if (s.stack_bytes <= room)
		callbacks->snapshot(&s);
}

static void on_record(const struct perf_event_header *header, const uint8_t *body,
		      const uint8_t *end)
{
	if (header->type == PERF_RECORD_SAMPLE) {
		on_sample(body, end);
	} else if (header->type == PERF_RECORD_LOST) {
		const uint8_t *at = body + 8;

		lost += take(&at, end);
	} else if (header->type == PERF_RECORD_MMAP2 || header->type == PERF_RECORD_COMM) {
		callbacks->mappings_changed();
	}
}

static void drain(struct ring *r)
{
	static uint8_t record[1 << 16];
	const uint8_t *data = (const uint8_t *)r->page + 4096;
	uint64_t head = __atomic_load_n(&r->page->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = r->page->data_tail;

	while (tail < head) {
		struct perf_event_header header;
		uint64_t at = tail % RING_BYTES, first;

		memcpy(&header, data + at, sizeof(header)); /* records are multiples of 8 */
		first = RING_BYTES - at < header.size ? RING_BYTES - at : header.size;
		memcpy(record, data + at, first);
		memcpy(record + first, data, header.size - first);
		tail += header.size;
		__atomic_store_n(&r->page->data_tail, tail, __ATOMIC_RELEASE);
		on_record(&header, record + sizeof(header), record + header.size);
	}
}

static int open_event(pid_t tid, int cpu, int hz, bool on_exec)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = (uint64_t)hz,
		.inherit = 1,
		.disabled = on_exec,
		.enable_on_exec = on_exec,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_REGS_USER |
			       PERF_SAMPLE_STACK_USER,
		.sample_regs_user = 0x1ff | 0xffULL << PERF_REG_X86_R8,
		.sample_stack_user = SNAPSHOT_STACK_BYTES,
	};

	return (int)syscall(SYS_perf_event_open, &attr, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

void sampler_watch_thread(pid_t tid, int hz, bool on_exec)
{
	for (int cpu = 0; cpu < cpu_count(); cpu++) {
		int fd = open_event(tid, cpu, hz, on_exec);

		if (fd < 0 && (errno == ESRCH || errno == ENODEV))
			continue; /* the thread has ended; the CPU is off */
		if (fd < 0)
			err(2, "perf_event_open");
		if (rings[cpu].page) {
			if (ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, rings[cpu].fd) < 0)
				err(2, "perf ring");
			continue;
		}
		rings[cpu].fd = fd;
		rings[cpu].page =
		    mmap(NULL, RING_BYTES + 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (rings[cpu].page == MAP_FAILED)
			err(2, "perf ring");
	}
}

void sampler_watch_process(pid_t pid, int hz)
{
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		err(2, "%s", path);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			sampler_watch_thread(atoi(entry->d_name), hz, false);
	}
	closedir(dir);
}

void sampler_drain(const struct sampler_callbacks *c)
{
	callbacks = c;
	for (int cpu = 0; cpu < cpu_count(); cpu++) {
		if (rings[cpu].page)
			drain(&rings[cpu]);
	}
}

unsigned long sampler_lost(void)
{
	return lost;
}
