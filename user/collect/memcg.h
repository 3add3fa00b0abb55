/* memcg.h - what the kernel counts for the observed cgroup: at every tick, at its peak, at the end.
 *
 *   tick ──► cgroup_counters ──► numbers, a row of cgroup_counter_rows each ──► memory.csv
 *                 └─ usage higher than ever seen ──► at_peak ──► manifest, peak_ledger.h
 *
 * The peak: the kernel keeps the highest usage since the cgroup was made. If that has grown since
 * the attach, it is the peak of this run, to the byte; else the highest that was seen: at ticks,
 * and wherever RSS fell.
 */
#ifndef TASKDIAG_MEMCG_H
#define TASKDIAG_MEMCG_H

#include <jansson.h>

#include "bpf/events.h"
#include "cgroup/counters.h"

struct memcg;

/* The peak, and the moment nearest to it at which everything was looked at. */
struct memcg_peak {
	uint64_t bytes, ns;
	bool kernel; /* by the kernel's own count: exact; ns is when the highest was seen */
	uint64_t look_ns;
	struct cgroup_counters look;
};

/** @c: borrowed. NULL with errno set: its counters cannot be read. */
struct memcg *memcg_new(struct cgroup *c);
void memcg_free(struct memcg *m); /* NULL is fine */

size_t memcg_numbers(void);		 /* how many rows */
const char *memcg_number_name(size_t i); /* "usage_bytes" */

/** The event-driven part of a tick. */
void memcg_sample(struct memcg *m, const struct task_sample *s);
/** Reads all of them. True: more was in use than at any tick before. */
bool memcg_tick(struct memcg *m, uint64_t time_ns);
/** Of the last tick, by row; NOT_MEASURED where unknown. Totals count from the attach. */
const uint64_t *memcg_at(const struct memcg *m);
/** Whether usage has grown by 1 % and 1 MiB since the highest tick: worth another. Reads one file.
 */
bool memcg_rises(struct memcg *m);

void memcg_peak(const struct memcg *m, struct memcg_peak *ret);
/** diagnostics.memory.cgroup; @start_ns: time 0. */
json_t *memcg_manifest(const struct memcg *m, uint64_t start_ns);

#endif
