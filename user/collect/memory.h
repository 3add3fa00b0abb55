/* memory.h - the memory diagnostic: RSS of the task over time, its exact peak, and who held it.
 *
 *   task_sample, process_samples ──tick──► series ──► memory.datum, memory.csv, mprof.dat
 *   image records, samples ──────────────► shares of the peak ──► manifest
 */
#ifndef TASKDIAG_MEMORY_H
#define TASKDIAG_MEMORY_H

#include "collect/collector.h"

void *memory_new(const struct observation *o);
void memory_record(void *self, const struct event_header *h);
void memory_sample(void *self, const struct sample_header *h);
int memory_tick(void *self);
void memory_now(const void *self, struct memory_now *ret);
void memory_totals(void *self, uint64_t peak_bytes, uint64_t peak_ns, uint64_t epoch);
int memory_write(void *self, struct rundir *r, struct problem *problem);
json_t *memory_manifest(void *self, json_t *limits);
bool memory_rises(void *self);
void memory_free(void *self);

#define MEMORY_COLLECTOR                                                                     \
	{                                                                                    \
		.name = "memory", .new = memory_new, .record = memory_record,                \
		.sample = memory_sample, .tick = memory_tick, .now = memory_now,             \
		.totals = memory_totals, .write = memory_write, .manifest = memory_manifest, \
		.free = memory_free, .rises = memory_rises,                                  \
	}

#endif
