/* rings.c - reads the rings of all regions as region.h has it, and answers what is asked. */
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "observer.h"

#define EVENTS_MAX (48u << 20)

uint64_t total_read;

static uint64_t clock_of(const struct region *r)
{
	uint32_t low, high;

	if (options.counter || __atomic_load_n(&r->clock, __ATOMIC_ACQUIRE) == REGION_COUNTER)
		return __atomic_load_n(&r->counter, __ATOMIC_SEQ_CST);
	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

static uint32_t place_of(struct seen *s, uint64_t cfa, uint64_t caller)
{
	uint32_t i;

	for (i = 0; i < s->place_count; i++)
		if (s->places[i].cfa == cfa && s->places[i].caller == caller)
			return i;
	if (i < PLACES)
		s->places[s->place_count++] = (struct place){ cfa, caller };
	return i;
}

static void answer_ask(struct seen *s, struct region_ring *ring, uint32_t number,
		       const struct event *e)
{
	uint64_t given = ring->answers_given;
	struct region_answer *a = (struct region_answer *)(ring + 1) + given % REGION_ANSWERS;
	uint32_t place = place_of(s, e->words[1], e->words[2]);

	s->asks++;
	s->last_ask[number].token = e->words[0];
	s->last_ask[number].place = place;
	if (!options.answers || place >= PLACES ||
	    given - __atomic_load_n(&ring->answers_taken, __ATOMIC_ACQUIRE) >= REGION_ANSWERS)
		return;
	*a = (struct region_answer){ e->words[0],  e->words[1],	 e->words[2],	    place + 1,
				     ANSWER_PAIRS, ANSWER_PAIRS, .pairs = { { 0 } } };
	memcpy(a->pairs, s->pairs, sizeof(s->pairs));
	__atomic_store_n(&ring->answers_given, given + 1, __ATOMIC_RELEASE);
	s->answers++;
}

static void keep(struct seen *s, const struct event *e)
{
	if (options.count_only)
		return;
	if (s->count == s->room) {
		s->room = s->room ? s->room * 2 : 4096;
		s->events = realloc(s->events, s->room * sizeof(*s->events));
		if (!s->events || s->room > EVENTS_MAX) {
			fprintf(stderr, "shim_observer: too many events\n");
			exit(125);
		}
	}
	s->events[s->count++] = *e;
}

static void took(struct seen *s, struct region_ring *ring, const struct event *e)
{
	s->read++;
	total_read++;
	s->late += e->stamp < s->horizon;
	if (e->kind == REGION_ASK)
		answer_ask(s, ring, e->ring, e);
	if (e->kind == REGION_CHECK) {
		s->checks++;
		s->mismatches += s->last_ask[e->ring].token != e->words[0] ||
				 s->last_ask[e->ring].place + 1 != e->words[1];
	}
	keep(s, e);
}

static bool drain_ring(struct seen *s, uint32_t number, uint64_t head)
{
	struct region_ring *ring = ring_of(s->r, number);
	const volatile uint64_t *words = (uint64_t *)((char *)ring + REGION_EVENTS_OFFSET);
	uint64_t tail = ring->tail, mask = s->r->ring_bytes / 8 - 1;
	bool any = head != tail;

	while (tail != head) {
		uint64_t first = words[tail & mask];
		uint32_t kind = first & 7, n = region_event_words[kind];
		struct event e = { first >> 3, tail, { 0 }, number, kind };

		if (!n || head - tail < n || head - tail > mask + 1) {
			fprintf(stderr, "shim_observer: ring %u is broken at %lu\n", number, tail);
			exit(125);
		}
		for (uint32_t i = 1; i < n; i++)
			e.words[i - 1] = words[(tail + i) & mask];
		took(s, ring, &e);
		tail += n;
		__atomic_store_n(&ring->tail, tail, __ATOMIC_RELEASE);
	}
	return any;
}

/* The three steps of region.h. */
static bool drain_region(struct seen *s)
{
	uint64_t now = clock_of(s->r);
	bool any = false;

	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
	for (uint32_t i = 0; i < REGION_RINGS; i++) {
		struct region_ring *ring = ring_of(s->r, i);
		uint64_t busy = __atomic_load_n(&ring->busy_since, __ATOMIC_ACQUIRE);

		if (busy && busy < now)
			now = busy;
		any |= drain_ring(s, i, __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE));
	}
	if (now > s->horizon)
		s->horizon = now;
	return any;
}

bool drain(void)
{
	bool any = false;

	for (size_t i = 0; i < region_count; i++)
		any |= drain_region(regions[i]);
	return any;
}
