/* regions_private.h - between the parts of the reader: which mapping is a region (regions_map.c),
 * the clocks (regions_clock.c), the table of sources (regions.c), the order (regions_take.c).
 */
#ifndef TASKDIAG_REGIONS_PRIVATE_H
#define TASKDIAG_REGIONS_PRIVATE_H

#include <uthash.h>

#include "collect/regions.h"
#include "lib/clock.h"

#define SOURCES_MAX 16384
#define GIVE_UP_NS (5 * NS_PER_S)
#define CLOCK_PAIRS 64
#define HELD_WORDS (1u << 18)	   /* of a ring */
#define HELD_WORDS_ALL (16u << 20) /* of all: 128 MiB */

/* Stamps and CLOCK_BOOTTIME at marks, oldest first; the last one is always of the last mark. */
struct clock_pairs {
	struct clock_pair {
		uint64_t stamp, boot_ns;
		uint64_t rate; /* to the next one: ns a tick, in 2^-32 */
	} pairs[CLOCK_PAIRS];
	uint32_t count;
};

/* What is sorted together: all sources with the TSC; each source with a counter alone, since the
 * counters of two address spaces say nothing about each other. */
struct order {
	uint64_t now, horizon; /* of the last mark; the horizon never goes back */
	uint64_t latest;       /* the clock after the heads: no stamp is above it */
	uint64_t told;	       /* highest stamp told */
	bool all;
};

/* A ring that has been claimed. All but @shared is ours: the task cannot change it. */
struct ring {
	struct region_ring *shared;
	const uint64_t *events;
	struct tracked *of;
	uint64_t tail, stored_tail; /* read so far; what the task knows of it */
	uint64_t *held;		    /* words behind the tail that were taken out to make room … */
	uint64_t held_room, held_end; /* … up to here; room: words, a power of two */
	uint64_t marked;	      /* its head at the last mark */
	uint64_t ahead, events_ahead; /* looked at for told.soon: up to here, beyond the tail */
	uint64_t last;		      /* highest stamp read */
	uint64_t behind_stamp;	      /* busy_since must come up to it … */
	uint64_t behind_ns;	      /* … within GIVE_UP_NS of then; 0: it is not busy */
	struct told next;	      /* the event at the tail, copied */
	uint32_t number, next_words;
	uint64_t answers_given;
	uint64_t read, late, malformed;
};

struct tracked {
	struct source source; /* first: callers hold it */
	struct regions *regions;
	struct region *shared;
	uint64_t bytes;
	uint32_t ring_bytes;
	int fd; /* tells which rings have pages, without making any */
	bool counting, gone, no_barrier;
	struct order order;	   /* counting */
	struct clock_pairs *pairs; /* counting; NULL until then */
	struct ring *rings[REGION_RINGS];
	uint8_t numbers[REGION_RINGS]; /* of those that are in use, as they were found */
	uint32_t used;
	size_t index; /* in regions.sources */
	UT_hash_handle hh;
};

struct regions {
	struct tracked *by_id;
	struct tracked **sources;
	size_t count, room;
	struct order order; /* of all that do not count */
	struct clock_pairs pairs;
	bool counting_only, membarrier;
	size_t without_barrier; /* sources that are not registered for it */
	dev_t shmem;
	uint64_t give_up_ns;
	struct ring **heap; /* the lowest next stamp first */
	size_t heap_count, heap_room, rings;
	uint64_t held_words; /* room of all rings */
};

static inline struct region_ring *region_ring_at(const struct tracked *t, uint32_t number)
{
	return (struct region_ring *)((char *)t->shared + REGION_HEADER_BYTES +
				      number * (REGION_EVENTS_OFFSET + (uint64_t)t->ring_bytes));
}

static inline uint64_t tsc_now(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

/* regions_map.c */

/** The device of the kernel's own shmem files: 0 or -errno. */
int region_device(dev_t *ret);
/** Maps what process @pid has at @address; as regions_add(). @header: a copy that is sane. */
int region_map(dev_t shmem, pid_t pid, uint64_t address, uint64_t bytes, int *ret_fd,
	       struct region **ret, struct region *header, struct problem *problem);

/* regions_clock.c */

/** Does the kernel trust the TSC? Of files such as /proc/cpuinfo and current_clocksource. */
bool tsc_trusted(const char *cpuinfo, const char *clocksource);
void clock_pairs_add(struct clock_pairs *p, uint64_t stamp, uint64_t boot_ns);
uint64_t clock_pairs_line(const struct clock_pairs *p, uint64_t stamp);
uint64_t clock_pairs_nearest(const struct clock_pairs *p, uint64_t stamp);

/* regions_rings.c */

/** Finds rings that have been claimed since the last time. */
void rings_find(struct tracked *t);
/** Copies the event at the tail; false: there is none below the mark, or it makes no sense. */
bool ring_peek(struct ring *ring, const struct order *o);
/** Goes on behind the event that was copied. */
void ring_pass(struct ring *ring);
void ring_store_tail(struct ring *ring);
/** Takes what may not be told yet out of a ring that is filling up: its thread would wait for us,
 * while we wait for another thread to end its event. */
void ring_make_room(struct ring *ring);
void ring_free(struct ring *ring);

#endif
