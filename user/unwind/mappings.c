/* mappings.c - see mappings.h */
#include "unwind/mappings.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/clock.h"
#include "unwind/ranges.h"

#define GRACE_NS NS_PER_S
#define ARRAY_BYTES (MAPPINGS_MAX * sizeof(struct mapping))

struct mappings {
	int processes;
	struct mapping *array;
	struct ranges *ranges;
	struct pythons *pythons;
};

int mappings_new(int array, int processes, int pythons, struct mappings **ret)
{
	struct mappings *m = calloc(1, sizeof(*m));
	int flags = array < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED, err = 0;

	if (!m)
		return -ENOMEM;
	m->processes = processes;
	m->ranges = ranges_new(MAPPINGS_MAX);
	m->array = mmap(NULL, ARRAY_BYTES, PROT_READ | PROT_WRITE, flags, array, 0);
	if (m->array == MAP_FAILED) {
		err = -errno;
		m->array = NULL;
	}
	if (!err && !m->ranges)
		err = -ENOMEM;
	if (!err)
		err = pythons_new(pythons, &m->pythons);
	if (err)
		mappings_free(m);
	else
		*ret = m;
	return err;
}

void mappings_free(struct mappings *m)
{
	if (!m)
		return;
	if (m->array)
		munmap(m->array, ARRAY_BYTES);
	ranges_free(m->ranges);
	pythons_free(m->pythons);
	free(m);
}

struct pythons *mappings_pythons(struct mappings *m)
{
	return m->pythons;
}

int mappings_write(struct mappings *m, const struct mapping *list, uint32_t count,
		   uint32_t *ret_first)
{
	int err;

	*ret_first = 0;
	if (!count)
		return 0;
	err = ranges_take(m->ranges, count, ret_first);
	if (err == -ENOSPC && ranges_resting(m->ranges))
		return -EAGAIN;
	if (!err)
		memcpy(&m->array[*ret_first], list, count * sizeof(*list));
	return err;
}

void mappings_give(struct mappings *m, uint32_t first, uint32_t count, uint64_t now_ns)
{
	ranges_give(m->ranges, first, count, now_ns + GRACE_NS);
}

void mappings_expire(struct mappings *m, uint64_t now_ns)
{
	ranges_expire(m->ranges, now_ns);
}

int mappings_show(struct mappings *m, uint32_t tgid, const struct unwind_process *process)
{
	if (m->processes < 0)
		return 0;
	return bpf_map_update_elem(m->processes, &tgid, process, BPF_ANY);
}

void mappings_hide(struct mappings *m, uint32_t tgid, uint64_t start_ns)
{
	struct unwind_process process;

	if (m->processes >= 0 && !bpf_map_lookup_elem(m->processes, &tgid, &process) &&
	    process.start_ns == start_ns)
		bpf_map_delete_elem(m->processes, &tgid);
}

const struct mapping *mappings_at(const struct mappings *m, uint32_t i)
{
	return i < MAPPINGS_MAX ? &m->array[i] : NULL;
}

uint32_t mappings_used(const struct mappings *m)
{
	return ranges_used(m->ranges) - ranges_resting(m->ranges);
}
