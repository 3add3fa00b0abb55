/* counters.h - what the kernel counts for a cgroup: memory, its events, pressure, throttling.
 *
 *   memory.current, memory.stat … (v2) ──┐
 *   memory.usage_in_bytes … (v1) ────────┴──► struct cgroup_counters, one meaning for both
 *
 * Meanings are those of Documentation/admin-guide/cgroup-v2.rst; v1's are brought to them by its
 * hierarchical sums (total_*). Reading memory.stat makes the kernel add up its per-CPU parts: it is
 * exact, and costs about 30 µs.
 */
#ifndef TASKDIAG_CGROUP_COUNTERS_H
#define TASKDIAG_CGROUP_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "cgroup/cgroup.h"

#define COUNTER_UNKNOWN UINT64_MAX /* this kernel or hierarchy does not count it */

/* Bytes but where the name says otherwise; of the cgroup and all below it. */
struct cgroup_counters {
	uint64_t usage,
	    limit; /* limit: the smallest of it and those above; COUNTER_UNKNOWN: none */
	uint64_t
	    kernel_peak; /* highest usage since the cgroup was made (or was reset by somebody) */
	uint64_t anon, file;				  /* file: page cache, with shmem */
	uint64_t shmem;					  /* part of file */
	uint64_t file_mapped, file_dirty, file_writeback; /* parts of file */
	uint64_t kernel; /* all of the kernel's own: the next five, and others */
	uint64_t slab, kernel_stack, pagetables, percpu, vmalloc;
	uint64_t slab_reclaimable; /* part of slab */
	uint64_t sock;
	uint64_t swap;		/* swapped out, in bytes of memory it was */
	uint64_t zswap;		/* memory that compressed pages take: part of usage */
	uint64_t zswapped;	/* of those pages before */
	uint64_t inactive_file; /* the part of file that the kernel would take back first */
	uint64_t refault_anon,
	    refault_file;      /* pages brought back soon after they were taken: counts */
	uint64_t major_faults; /* count */
	/* Events, counts since the cgroup was made. */
	uint64_t low, high, max, oom, oom_kill;
	/* Pressure (PSI), microseconds in which some, or all, tasks waited for memory. */
	uint64_t memory_some_us, memory_full_us;
	/* CPU bandwidth control: counts, and microseconds that tasks were kept from CPUs. */
	uint64_t periods, throttled, throttled_us;
};

/**
 * Reads them all. 0; -ENODEV: the cgroup has been removed: @ret is not changed; -errno. What a
 * kernel does not have is COUNTER_UNKNOWN, not an error.
 */
int cgroup_counters_read(struct cgroup *c, struct cgroup_counters *ret);

/** What the text of one of its files says goes into @ret; the rest stays. Pure. */
void cgroup_counters_parse(int version, const char *file, const char *text,
			   struct cgroup_counters *ret);

/** Usage alone: one short file. */
int cgroup_usage_read(struct cgroup *c, uint64_t *ret_bytes);

/* The table that files, page and documents follow: one row a counter. */
struct cgroup_counter_row {
	const char
	    *name; /* as a column or key has it: unit at the end ("anon_bytes", "oom_kills") */
	const char *help; /* one line */
	uint16_t offset;  /* of the uint64_t in struct cgroup_counters */
	bool grows;	  /* a total that never falls: the change since the start is told */
};
extern const struct cgroup_counter_row cgroup_counter_rows[]; /* ends with a NULL name */

#endif
