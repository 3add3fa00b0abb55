/* counters.c - see counters.h */
#include "cgroup/counters.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define TEXT_BYTES 16384 /* memory.stat has 2 KB */
#define AT(field) offsetof(struct cgroup_counters, field)
#define LEVELS_MAX 64

/* A number of a file: the only one of it (key NULL), the one after a key, or that of a pressure
 * line. */
struct row {
	const char *file,
	    *controller; /* controller: whose hierarchy has it on v1; NULL: memory's */
	const char *key;
	uint16_t at;
	uint16_t divide; /* into the unit of counters.h; 0: as it is */
};

static const struct row v2[] = {
	{ "memory.current", NULL, NULL, AT(usage), 0 },
	{ "memory.peak", NULL, NULL, AT(kernel_peak), 0 }, /* since 5.19 */
	{ "memory.max", NULL, NULL, AT(limit), 0 },
	{ "memory.swap.current", NULL, NULL, AT(swap), 0 },
	{ "memory.stat", NULL, "anon", AT(anon), 0 },
	{ "memory.stat", NULL, "file", AT(file), 0 },
	{ "memory.stat", NULL, "shmem", AT(shmem), 0 },
	{ "memory.stat", NULL, "file_mapped", AT(file_mapped), 0 },
	{ "memory.stat", NULL, "file_dirty", AT(file_dirty), 0 },
	{ "memory.stat", NULL, "file_writeback", AT(file_writeback), 0 },
	{ "memory.stat", NULL, "inactive_file", AT(inactive_file), 0 },
	{ "memory.stat", NULL, "kernel", AT(kernel), 0 }, /* since 5.18 */
	{ "memory.stat", NULL, "slab", AT(slab), 0 },
	{ "memory.stat", NULL, "slab_reclaimable", AT(slab_reclaimable), 0 },
	{ "memory.stat", NULL, "kernel_stack", AT(kernel_stack), 0 },
	{ "memory.stat", NULL, "pagetables", AT(pagetables), 0 },
	{ "memory.stat", NULL, "percpu", AT(percpu), 0 },
	{ "memory.stat", NULL, "vmalloc", AT(vmalloc), 0 },
	{ "memory.stat", NULL, "sock", AT(sock), 0 },
	{ "memory.stat", NULL, "zswap", AT(zswap), 0 },
	{ "memory.stat", NULL, "zswapped", AT(zswapped), 0 },
	{ "memory.stat", NULL, "workingset_refault_anon", AT(refault_anon), 0 },
	{ "memory.stat", NULL, "workingset_refault_file", AT(refault_file), 0 },
	{ "memory.stat", NULL, "pgmajfault", AT(major_faults), 0 },
	{ "memory.events", NULL, "low", AT(low), 0 },
	{ "memory.events", NULL, "high", AT(high), 0 },
	{ "memory.events", NULL, "max", AT(max), 0 },
	{ "memory.events", NULL, "oom", AT(oom), 0 },
	{ "memory.events", NULL, "oom_kill", AT(oom_kill), 0 },
	{ "memory.pressure", NULL, "some", AT(memory_some_us), 0 },
	{ "memory.pressure", NULL, "full", AT(memory_full_us), 0 },
	{ "cpu.stat", "cpu", "nr_periods", AT(periods), 0 },
	{ "cpu.stat", "cpu", "nr_throttled", AT(throttled), 0 },
	{ "cpu.stat", "cpu", "throttled_usec", AT(throttled_us), 0 },
	{ 0 },
};

/* total_*: with all below it. Sockets have a counter of their own there, outside of usage. */
static const struct row v1[] = {
	{ "memory.usage_in_bytes", NULL, NULL, AT(usage), 0 },
	{ "memory.max_usage_in_bytes", NULL, NULL, AT(kernel_peak), 0 },
	{ "memory.kmem.usage_in_bytes", NULL, NULL, AT(kernel), 0 },
	{ "memory.failcnt", NULL, NULL, AT(max), 0 },
	{ "memory.oom_control", NULL, "oom_kill", AT(oom_kill), 0 },
	{ "memory.stat", NULL, "hierarchical_memory_limit", AT(limit), 0 },
	{ "memory.stat", NULL, "total_rss", AT(anon), 0 },
	{ "memory.stat", NULL, "total_cache", AT(file), 0 },
	{ "memory.stat", NULL, "total_shmem", AT(shmem), 0 },
	{ "memory.stat", NULL, "total_mapped_file", AT(file_mapped), 0 },
	{ "memory.stat", NULL, "total_dirty", AT(file_dirty), 0 },
	{ "memory.stat", NULL, "total_writeback", AT(file_writeback), 0 },
	{ "memory.stat", NULL, "total_inactive_file", AT(inactive_file), 0 },
	{ "memory.stat", NULL, "total_swap", AT(swap), 0 },
	{ "memory.stat", NULL, "total_workingset_refault_anon", AT(refault_anon), 0 },
	{ "memory.stat", NULL, "total_workingset_refault_file", AT(refault_file), 0 },
	{ "memory.stat", NULL, "total_pgmajfault", AT(major_faults), 0 },
	{ "cpu.stat", "cpu", "nr_periods", AT(periods), 0 },
	{ "cpu.stat", "cpu", "nr_throttled", AT(throttled), 0 },
	{ "cpu.stat", "cpu", "throttled_time", AT(throttled_us), 1000 },
	{ 0 },
};

#define ROW(name, field, grows, help)        \
	{                                    \
		name, help, AT(field), grows \
	}

const struct cgroup_counter_row cgroup_counter_rows[] = {
	ROW("usage_bytes", usage, false, "all that the kernel counts for the cgroup"),
	ROW("kernel_peak_bytes", kernel_peak, false, "highest usage since the cgroup was made"),
	ROW("limit_bytes", limit, false, "the smallest limit of it and those above"),
	ROW("anon_bytes", anon, false, "anonymous memory: heaps, stacks"),
	ROW("file_bytes", file, false, "page cache, with shared memory and tmpfs"),
	ROW("shmem_bytes", shmem, false, "shared memory and tmpfs"),
	ROW("file_mapped_bytes", file_mapped, false, "page cache that processes map"),
	ROW("file_dirty_bytes", file_dirty, false, "page cache that is not written yet"),
	ROW("file_writeback_bytes", file_writeback, false, "page cache that is being written"),
	ROW("inactive_file_bytes", inactive_file, false,
	    "page cache that goes first when memory is short"),
	ROW("kernel_bytes", kernel, false, "memory of the kernel's own"),
	ROW("slab_bytes", slab, false, "kernel objects"),
	ROW("slab_reclaimable_bytes", slab_reclaimable, false,
	    "kernel objects that can go: dentries, inodes"),
	ROW("kernel_stack_bytes", kernel_stack, false, "stacks of threads in the kernel"),
	ROW("pagetables_bytes", pagetables, false, "page tables"),
	ROW("percpu_bytes", percpu, false, "per-CPU memory of the kernel"),
	ROW("vmalloc_bytes", vmalloc, false, "vmalloc memory of the kernel"),
	ROW("sock_bytes", sock, false, "socket buffers"),
	ROW("swap_bytes", swap, false, "swapped out"),
	ROW("zswap_bytes", zswap, false, "memory that compressed swap takes"),
	ROW("zswapped_bytes", zswapped, false, "what is in it, before compression"),
	ROW("refaults_anon", refault_anon, true,
	    "anonymous pages that came back soon after they were taken"),
	ROW("refaults_file", refault_file, true, "the same of page cache"),
	ROW("major_faults", major_faults, true, "faults that waited for a disk"),
	ROW("events_low", low, true, "reclaimed though below memory.low"),
	ROW("events_high", high, true, "throttled at memory.high"),
	ROW("events_max", max, true, "times that the limit was reached"),
	ROW("events_oom", oom, true, "times that reclaim found nothing"),
	ROW("oom_kills", oom_kill, true, "processes that were killed for want of memory"),
	ROW("memory_some_us", memory_some_us, true,
	    "time in which some task waited for memory (PSI)"),
	ROW("memory_full_us", memory_full_us, true,
	    "time in which all tasks waited for memory (PSI)"),
	ROW("cpu_periods", periods, true, "periods of the CPU limit"),
	ROW("cpu_throttled", throttled, true, "periods in which the CPU limit was reached"),
	ROW("throttled_us", throttled_us, true, "time that tasks were kept from CPUs by the limit"),
	{ 0 },
};

/* "max" is none. */
static uint64_t number_of(const char *text)
{
	char *end;
	uint64_t value;

	while (*text == ' ' || *text == '\t')
		text++;
	errno = 0;
	value = strtoull(text, &end, 10);
	return end == text || errno ? COUNTER_UNKNOWN : value;
}

/* "key 123" in a line of its own; "some avg10=0.00 … total=123" of pressure. */
static uint64_t find(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		const char *total;

		line += *line == '\n';
		if (strncmp(line, key, n) || line[n] != ' ')
			continue;
		if (strncmp(line + n, " avg10=", 7))
			return number_of(line + n);
		total = strstr(line, " total=");
		return total && total < strchrnul(line, '\n') ? number_of(total + 7)
							      : COUNTER_UNKNOWN;
	}
	return COUNTER_UNKNOWN;
}

static void put(struct cgroup_counters *c, const struct row *r, uint64_t value)
{
	if (value != COUNTER_UNKNOWN && r->divide)
		value /= r->divide;
	memcpy((char *)c + r->at, &value, sizeof(value));
}

void cgroup_counters_parse(int version, const char *file, const char *text,
			   struct cgroup_counters *ret)
{
	for (const struct row *r = version == 2 ? v2 : v1; r->file; r++)
		if (!strcmp(r->file, file))
			put(ret, r, r->key ? find(text, r->key) : number_of(text));
}

/* Of a cgroup without a limit those above may have one. */
static uint64_t limit_above(struct cgroup *c)
{
	_cleanup_close_ int fd = openat(cgroup_dirfd(c), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t limit = COUNTER_UNKNOWN;

	for (int level = 0; fd >= 0 && level < LEVELS_MAX; level++) {
		_cleanup_close_ int file = openat(fd, "memory.max", O_RDONLY | O_CLOEXEC);
		char text[32];
		ssize_t n = file < 0 ? -1 : pread(file, text, sizeof(text) - 1, 0);
		int parent;

		if (n < 0) /* the root has none */
			break;
		text[n] = 0;
		if (number_of(text) < limit)
			limit = number_of(text);
		parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = parent;
	}
	return limit;
}

/* Before 5.18 the kernel's own memory has no sum. */
static void add_kernel(struct cgroup_counters *c)
{
	const uint64_t parts[] = { c->slab, c->kernel_stack, c->pagetables, c->percpu, c->vmalloc };
	uint64_t sum = 0;
	bool any = false;

	if (c->kernel != COUNTER_UNKNOWN)
		return;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		any |= parts[i] != COUNTER_UNKNOWN;
		sum += parts[i] != COUNTER_UNKNOWN ? parts[i] : 0;
	}
	c->kernel = any ? sum : COUNTER_UNKNOWN;
}

int cgroup_counters_read(struct cgroup *c, struct cgroup_counters *ret)
{
	_cleanup_free_ char *text = malloc(TEXT_BYTES);
	const struct row *rows = cgroup_version(c) == 2 ? v2 : v1;
	struct cgroup_counters fresh;
	uint64_t above;

	if (!text)
		return -ENOMEM;
	if (!cgroup_is_there(c))
		return -ENODEV;
	memset(&fresh, 0xff, sizeof(fresh));
	for (const struct row *r = rows; r->file; r++) {
		ssize_t n;

		if (r != rows && !strcmp(r->file, r[-1].file))
			continue;
		n = cgroup_read(c, r->controller, r->file, text, TEXT_BYTES);
		if (n == -ENODEV)
			return -ENODEV;
		if (n >= 0)
			cgroup_counters_parse(cgroup_version(c), r->file, text, &fresh);
	}
	if (fresh.usage == COUNTER_UNKNOWN)
		return -ENODATA;
	add_kernel(&fresh);
	above = cgroup_version(c) == 2 ? limit_above(c) : COUNTER_UNKNOWN;
	if (above < fresh.limit)
		fresh.limit = above;
	*ret = fresh;
	return 0;
}

int cgroup_usage_read(struct cgroup *c, uint64_t *ret_bytes)
{
	char text[32];
	ssize_t n = cgroup_read(c, NULL,
				cgroup_version(c) == 2 ? "memory.current" : "memory.usage_in_bytes",
				text, sizeof(text));

	if (n < 0)
		return (int)n;
	*ret_bytes = number_of(text);
	return *ret_bytes == COUNTER_UNKNOWN ? -EBADMSG : 0;
}
