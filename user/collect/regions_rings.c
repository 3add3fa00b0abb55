/* regions_rings.c - the rings of one region: which are in use, and the event at a ring's tail. */
#include "collect/regions_private.h"

#include <stdlib.h>
#include <unistd.h>

#define EVENTS_AHEAD 8
#define WORDS_AHEAD 64
#define TAILS_A_RING 8 /* how often a ring that is read is told so: its line is the task's, too */

static uint64_t ring_words(const struct tracked *t)
{
	return t->ring_bytes / 8;
}

/* The heap has room for every ring before the ring is known: telling never fails. */
static bool heap_reserve(struct regions *r)
{
	size_t room = r->heap_room ? 2 * r->heap_room : 64;
	struct ring **heap;

	if (r->rings < r->heap_room)
		return true;
	heap = realloc(r->heap, room * sizeof(struct ring *));
	if (!heap)
		return false;
	r->heap = heap;
	r->heap_room = room;
	return true;
}

static void ring_add(struct tracked *t, uint32_t number)
{
	struct region_ring *shared = region_ring_at(t, number);
	struct ring *ring;

	if (!__atomic_load_n(&shared->claims, __ATOMIC_RELAXED) || !heap_reserve(t->regions))
		return;
	ring = calloc(1, sizeof(*ring));
	if (!ring)
		return; /* the next mark tries again */
	ring->shared = shared;
	ring->events = (const uint64_t *)((char *)shared + REGION_EVENTS_OFFSET);
	ring->of = t;
	ring->number = number;
	t->rings[number] = ring;
	t->numbers[t->used++] = (uint8_t)number;
	t->regions->rings++;
}

/* A ring that nobody has claimed has no page, and looking at it would make one. The file knows. A
 * claim that was made before a mark's membarrier has made its page before. */
void rings_find(struct tracked *t)
{
	uint64_t stride = REGION_EVENTS_OFFSET + (uint64_t)t->ring_bytes;
	uint32_t number = 0;

	while (number < REGION_RINGS) {
		off_t start = (off_t)(REGION_HEADER_BYTES + number * stride), data;

		if (t->rings[number]) {
			number++;
			continue;
		}
		data = lseek(t->fd, start, SEEK_DATA);
		if (data < start)
			return;
		if (data == start)
			ring_add(t, number++);
		else if ((data - start) % (off_t)stride)
			/* inside a ring: no claim, which would have made its first page */
			number += (uint32_t)((uint64_t)(data - start) / stride) + 1;
		else
			number += (uint32_t)((uint64_t)(data - start) / stride);
	}
}

static bool abandon(struct ring *ring)
{
	ring->malformed++;
	return false;
}

/* Its stamps are of a counter now, far above; the next mark sees it. */
static bool starts_to_count(const struct tracked *t)
{
	return !t->counting &&
	       __atomic_load_n(&t->shared->clock, __ATOMIC_ACQUIRE) == REGION_COUNTER;
}

/* Where words are read from: in the ring itself only those behind the held ones are valid. */
static uint64_t word_at(const struct ring *ring, uint64_t position)
{
	const volatile uint64_t *events = ring->events;

	if (position < ring->held_end)
		return ring->held[position & (ring->held_room - 1)];
	return events[position & (ring_words(ring->of) - 1)];
}

static uint64_t taken_out(const struct ring *ring)
{
	return ring->held_end > ring->tail ? ring->held_end : ring->tail;
}

/* Words[0] of an event that is EVENTS_AHEAD behind the one at the tail: for a hint, so that what it
 * is about need not be waited for. Nothing is believed of it: it is checked when it is its turn. */
static uint64_t look_ahead(struct ring *ring)
{
	uint64_t soon = 0, words;

	/* its lines are in the cache of the CPU that wrote them */
	__builtin_prefetch(&ring->events[(ring->ahead + WORDS_AHEAD) & (ring_words(ring->of) - 1)]);
	if (ring->ahead <= ring->tail) {
		ring->ahead = ring->tail;
		ring->events_ahead = 0;
	}
	while (ring->events_ahead < EVENTS_AHEAD && ring->marked - ring->ahead >= 2) {
		words = region_event_words[word_at(ring, ring->ahead) & 7];
		if (!words)
			break;
		soon = word_at(ring, ring->ahead + 1);
		ring->ahead += words;
		ring->events_ahead++;
	}
	return soon;
}

static void copy_words(const struct ring *ring, struct told *next, uint64_t n)
{
	next->words[0] = n > 1 ? word_at(ring, ring->tail + 1) : 0;
	next->words[1] = n > 2 ? word_at(ring, ring->tail + 2) : 0;
	next->words[2] = n > 3 ? word_at(ring, ring->tail + 3) : 0;
}

bool ring_peek(struct ring *ring, const struct order *o)
{
	struct told *next = &ring->next;
	uint64_t first, n;

	if (ring->malformed || ring->tail == ring->marked)
		return false;
	if (ring->marked - taken_out(ring) > ring_words(ring->of))
		return abandon(ring);
	first = word_at(ring, ring->tail);
	if (first >> 3 > o->latest)
		return starts_to_count(ring->of) ? false : abandon(ring);
	next->kind = first & 7;
	n = region_event_words[next->kind];
	if (!n || ring->marked - ring->tail < n)
		return abandon(ring);
	next->ring = ring->number;
	next->tid = __atomic_load_n(&ring->shared->owner, __ATOMIC_RELAXED);
	next->head = ring->tail + n;
	next->stamp = first >> 3;
	next->soon = look_ahead(ring);
	copy_words(ring, next, n);
	ring->next_words = (uint32_t)n;
	if (next->stamp > ring->last)
		ring->last = next->stamp;
	return true;
}

void ring_pass(struct ring *ring)
{
	ring->tail += ring->next_words;
	ring->events_ahead -= ring->events_ahead > 0;
	ring->read++;
	if (ring->tail - ring->stored_tail >= ring_words(ring->of) / TAILS_A_RING &&
	    ring->tail > ring->stored_tail)
		ring_store_tail(ring);
}

void ring_store_tail(struct ring *ring)
{
	uint64_t tail = taken_out(ring);

	if (tail == ring->stored_tail)
		return;
	ring->stored_tail = tail;
	__atomic_store_n(&ring->shared->tail, tail, __ATOMIC_RELEASE);
}

static bool held_grow(struct ring *ring, uint64_t words)
{
	struct regions *r = ring->of->regions;
	uint64_t room = ring->held_room ? ring->held_room : ring_words(ring->of), *held;

	while (room < words)
		room *= 2;
	if (room == ring->held_room)
		return true;
	if (room > HELD_WORDS || r->held_words - ring->held_room + room > HELD_WORDS_ALL)
		return false;
	held = malloc(room * sizeof(*held));
	if (!held)
		return false;
	for (uint64_t at = ring->tail; at < ring->held_end; at++)
		held[at & (room - 1)] = word_at(ring, at);
	free(ring->held);
	ring->held = held;
	r->held_words += room - ring->held_room;
	ring->held_room = room;
	return true;
}

static void held_drop(struct ring *ring)
{
	ring->of->regions->held_words -= ring->held_room;
	ring->held_room = 0;
	free(ring->held);
	ring->held = NULL;
}

void ring_make_room(struct ring *ring)
{
	uint64_t from = taken_out(ring);

	if (ring->held_room > ring_words(ring->of) && ring->tail >= ring->held_end)
		held_drop(ring);
	if (ring->malformed || ring->marked - from > ring_words(ring->of) ||
	    ring->marked - from < ring_words(ring->of) / TAILS_A_RING ||
	    !held_grow(ring, ring->marked - ring->tail))
		return;
	for (uint64_t at = from; at < ring->marked; at++)
		ring->held[at & (ring->held_room - 1)] =
		    ((const volatile uint64_t *)ring->events)[at & (ring_words(ring->of) - 1)];
	ring->held_end = ring->marked;
	ring_store_tail(ring);
}

void ring_free(struct ring *ring)
{
	held_drop(ring);
	free(ring);
}
