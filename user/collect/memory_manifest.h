/* memory_manifest.h - state of the memory diagnostic, and its part of manifest.json
 * (memory_manifest.c). Private to collect/memory. */
#ifndef TASKDIAG_MEMORY_MANIFEST_H
#define TASKDIAG_MEMORY_MANIFEST_H

#include "aggregate/series.h"
#include "collect/file_cache.h"
#include "collect/memcg.h"
#include "collect/memory.h"
#include "collect/pss.h"

#define PROCESSES_LISTED 512

struct memory {
	const struct observation *o;
	struct series *series;
	struct series_point tick; /* the one that is being taken */
	uint64_t *images;	  /* address spaces seen in this tick */
	size_t image_count, image_room;
	uint64_t tracked_bytes; /* RSS as the event-driven sum has it, at the same moment */
	uint64_t thread_minor, thread_major;
	uint64_t minor_faults, major_faults;
	uint64_t peak_bytes, peak_ns, epoch;
	uint64_t swap_peak_bytes;
	uint64_t ticks;
	struct pss_budget pss;
	uint64_t pss_bytes, pss_ns, pss_rss_bytes;
	bool pss_failed;
	struct memcg *memcg;	  /* of the observed cgroup; NULL: none, or it has no counters */
	struct file_cache *files; /* its page cache by file; NULL: likewise */
	char no_memcg[512];	  /* why, where there should be one; empty */
	uint64_t usage_tick;	  /* number of the tick at which most was in use; 0: none */
	bool peak_missed;	  /* the probe did not see it: a tick did */
};

#endif
