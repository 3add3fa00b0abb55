/* allocations.h - the diagnostic of who held the memory: the heap of a started command, and
 * resident pages, in; allocations.folded, .pb.gz, .speedscope.json, memray.bin, massif.out and
 * resident.pb.gz out.
 *
 *   records ─┬► heap.c (blocks) ────► struct allocations ──► artifact/allocations_*.c
 *            └► resident.c (pages) ─► struct allocations ──► resident.pb.gz; without a heap: all
 */
#ifndef TASKDIAG_COLLECT_ALLOCATIONS_H
#define TASKDIAG_COLLECT_ALLOCATIONS_H

#include "collect/collector.h"

void *allocations_collector_new(const struct observation *o);
void allocations_collector_record(void *self, const struct event_header *h);
void allocations_collector_sample(void *self, const struct sample_header *h);
void allocations_collector_now(const void *self, struct memory_now *ret);
unsigned allocations_collector_shift(void *self);
bool allocations_collector_mark(void *self);
void allocations_collector_take(void *self);
void allocations_collector_totals(void *self, uint64_t peak_bytes, uint64_t peak_ns,
				  uint64_t epoch);
int allocations_collector_write(void *self, struct rundir *r, struct problem *problem);
json_t *allocations_collector_manifest(void *self, json_t *limits);
void allocations_collector_usage_peak(void *self);
void allocations_collector_free(void *self);

#define ALLOCATIONS_COLLECTOR                                                                     \
	{                                                                                         \
		.name = "allocations", .alias = "memray", .stacks = true,                         \
		.new = allocations_collector_new, .record = allocations_collector_record,         \
		.sample = allocations_collector_sample, .now = allocations_collector_now,         \
		.shift = allocations_collector_shift, .mark = allocations_collector_mark,         \
		.take = allocations_collector_take, .totals = allocations_collector_totals,       \
		.write = allocations_collector_write, .manifest = allocations_collector_manifest, \
		.free = allocations_collector_free,                                               \
		.usage_peak = allocations_collector_usage_peak,                                   \
	}

#endif
