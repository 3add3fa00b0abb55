/* memcg.c - see memcg.h */
#include "collect/memcg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/series.h"
#include "artifact/rundir.h"

#define NUMBERS_MAX 48
#define RISE_BYTES (1u << 20)
#define RISE_PART 100

_Static_assert(COUNTER_UNKNOWN == NOT_MEASURED, "a number that is not known is none");

struct memcg {
	struct cgroup *cgroup;
	struct cgroup_counters start, now, highest;
	uint64_t highest_ns;
	uint64_t seen_bytes, seen_ns; /* highest usage between ticks, too */
	uint64_t watermark; /* the kernel's own peak, also when its files are gone; 0: not known */
	uint64_t failed;    /* ticks whose counters could not be read */
	int err;	    /* the last time */
	uint64_t numbers[NUMBERS_MAX];
};

size_t memcg_numbers(void)
{
	static size_t count;

	while (!count || cgroup_counter_rows[count].name)
		count++;
	return count;
}

const char *memcg_number_name(size_t i)
{
	return cgroup_counter_rows[i].name;
}

static uint64_t number_of(const struct cgroup_counters *c, size_t i)
{
	uint64_t value;

	memcpy(&value, (const char *)c + cgroup_counter_rows[i].offset, sizeof(value));
	return value;
}

/* Of a total: since the attach. A group that was made anew, or reset, begins with 0. */
static uint64_t told(const struct memcg *m, const struct cgroup_counters *c, size_t i)
{
	uint64_t value = number_of(c, i), start = number_of(&m->start, i);

	if (!cgroup_counter_rows[i].grows || value == COUNTER_UNKNOWN)
		return value;
	if (start == COUNTER_UNKNOWN || start > value)
		return value;
	return value - start;
}

struct memcg *memcg_new(struct cgroup *c)
{
	struct memcg *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return NULL;
	m->cgroup = c;
	err = memcg_numbers() > NUMBERS_MAX ? -E2BIG : cgroup_counters_read(c, &m->start);
	if (err) {
		free(m);
		errno = -err;
		return NULL;
	}
	m->now = m->highest = m->start;
	m->highest.usage = 0; /* the first tick is the highest so far */
	return m;
}

void memcg_free(struct memcg *m)
{
	free(m);
}

static void see(struct memcg *m, uint64_t bytes, uint64_t ns)
{
	if (bytes <= m->seen_bytes)
		return;
	m->seen_bytes = bytes;
	m->seen_ns = ns;
}

void memcg_sample(struct memcg *m, const struct task_sample *s)
{
	see(m, s->usage_peak_bytes, s->usage_peak_ns);
	/* no file has it before 5.19, and who is alone in an empty group has not been seen yet */
	if (m->start.kernel_peak == COUNTER_UNKNOWN)
		m->start.kernel_peak = s->watermark_bytes ? s->watermark_bytes : m->start.usage;
	if (s->watermark_bytes > m->watermark)
		m->watermark = s->watermark_bytes;
}

bool memcg_tick(struct memcg *m, uint64_t time_ns)
{
	int err = cgroup_counters_read(m->cgroup, &m->now);
	bool highest = false;

	if (err) { /* what it was stays; a cgroup that is gone is no failure */
		m->failed += err != -ENODEV;
		m->err = err != -ENODEV ? err : m->err;
	} else {
		see(m, m->now.usage, time_ns);
		highest = m->now.usage > m->highest.usage;
	}
	if (highest) {
		m->highest = m->now;
		m->highest_ns = time_ns;
	}
	for (size_t i = 0; i < memcg_numbers(); i++)
		m->numbers[i] = told(m, &m->now, i);
	return highest;
}

const uint64_t *memcg_at(const struct memcg *m)
{
	return m->numbers;
}

bool memcg_rises(struct memcg *m)
{
	uint64_t bytes, rise = m->highest.usage / RISE_PART;

	if (cgroup_usage_read(m->cgroup, &bytes))
		return false;
	return bytes > m->highest.usage + (rise > RISE_BYTES ? rise : RISE_BYTES);
}

void memcg_peak(const struct memcg *m, struct memcg_peak *ret)
{
	uint64_t kernel = m->now.kernel_peak;

	if (kernel == COUNTER_UNKNOWN || m->watermark > kernel)
		kernel = m->watermark;

	*ret = (struct memcg_peak){
		.bytes = m->seen_bytes,
		.ns = m->seen_ns,
		.look = m->highest,
		.look_ns = m->highest_ns,
	};
	if (m->start.kernel_peak == COUNTER_UNKNOWN || kernel <= m->start.kernel_peak ||
	    kernel < m->seen_bytes)
		return;
	ret->bytes = kernel;
	ret->kernel = true;
}

static json_t *seconds(uint64_t ns, uint64_t start_ns)
{
	return ns ? json_real(((double)ns - (double)start_ns) / 1e9) : json_null();
}

static json_t *number_json(uint64_t value)
{
	return value == COUNTER_UNKNOWN ? json_null() : json_integer((json_int_t)value);
}

json_t *memcg_manifest(const struct memcg *m, uint64_t start_ns)
{
	struct memcg_peak peak;
	json_t *o = json_object();

	memcg_peak(m, &peak);
	json_object_set_new(o, "path", json_text(cgroup_path(m->cgroup)));
	json_object_set_new(o, "version", json_integer(cgroup_version(m->cgroup)));
	json_object_set_new(o, "peak_bytes", json_integer((json_int_t)peak.bytes));
	json_object_set_new(o, "peak_time_s", seconds(peak.ns, start_ns));
	json_object_set_new(o, "peak_source", json_string(peak.kernel ? "kernel" : "seen"));
	json_object_set_new(o, "look_time_s", seconds(peak.look_ns, start_ns));
	json_object_set_new(o, "final_usage_bytes", number_json(m->now.usage));
	json_object_set_new(o, "reads_failed", json_integer((json_int_t)m->failed));
	for (size_t i = 0; i < memcg_numbers(); i++)
		json_object_set_new(o, cgroup_counter_rows[i].name,
				    number_json(cgroup_counter_rows[i].grows
						    ? told(m, &m->now, i)
						    : number_of(&peak.look, i)));
	return o;
}
