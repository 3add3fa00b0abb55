/* observer.h - the parts of shim_observer: regions that were found (regions.c), what their rings
 * say (rings.c). */
#ifndef TEST_PRELOAD_OBSERVER_H
#define TEST_PRELOAD_OBSERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "preload/region.h"
#include "replay.h"

#define REGIONS 4096
#define ANSWER_PAIRS 20
#define PLACES 4096

struct options {
	const char *mode, *environment;
	uint64_t gap, stop_after;
	uint32_t full_wait_us, pause_us;
	bool answers, counter, oracle, count_only, trace;
};
extern struct options options;

struct seen {
	ino_t inode;
	int pid;
	struct region *r;
	uint64_t bytes, horizon, late, read, per_ring[REGION_RINGS];
	struct event *events;
	size_t count, room;
	uint64_t checks, mismatches, asks, answers;
	struct region_pair pairs[ANSWER_PAIRS];
	struct place {
		uint64_t cfa, caller;
	} places[PLACES];
	uint32_t place_count;
	struct {
		uint64_t token;
		uint32_t place;
	} last_ask[REGION_RINGS];
	bool sorted;
};

extern struct seen *regions[REGIONS];
extern size_t region_count;
extern uint64_t total_read; /* events */

static inline struct region_ring *ring_of(struct region *r, uint32_t i)
{
	return (struct region_ring *)((char *)r + REGION_HEADER_BYTES +
				      i * (uint64_t)(REGION_EVENTS_OFFSET + r->ring_bytes));
}

/** Finds new regions of the descendants of @pid and answers them. */
void look_below(int pid, int depth);
/** Reads all rings; false: there was nothing. */
bool drain(void);

#endif
