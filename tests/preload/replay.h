/* replay.h - what a region's events say was live, to the byte: the plain and slow way, for tests.
 * Sizes that are 13 more than a multiple of 1,009 are tagged: a target's own, not its libraries'.
 */
#ifndef TEST_PRELOAD_REPLAY_H
#define TEST_PRELOAD_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event {
	uint64_t stamp, position, words[3]; /* position: of the ring, before it */
	uint32_t ring, kind;
};

struct totals {
	uint64_t live, peak, allocations;
};

struct replay {
	struct block {
		uint64_t address, bytes; /* address 0: empty */
		bool live;		 /* else: what an undo brings back */
	} * blocks;
	size_t slots, used;
	struct range {
		uint64_t start, end;
	} * ranges, undo_range;
	size_t range_count;
	uint64_t taken; /* bytes of known ranges by the last UNMAP */
	struct totals all, tagged, mapped;
	uint64_t frees, unknown, duplicates, undone;
	double estimate, tagged_estimate; /* sampled: bytes allocated ever */
};

void replay_init(struct replay *r);
void replay_drop(struct replay *r);
/** @sampled: the stack word of an allocation is the gap. */
void replay_event(struct replay *r, const struct event *e, bool sampled);
bool is_tagged(uint64_t bytes);

#endif
