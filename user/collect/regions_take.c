/* regions_take.c - the order of events over all rings: region.h, "Order". */
#include "collect/regions_private.h"

#include <linux/membarrier.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CLOCK_TRIES 3

/* What a shim is about to write below now is visible after this. The 1 ms is for kernels before
 * 4.16, and for shims in a sandbox: store buffers drain in less. */
static void see_what_was_begun(const struct regions *r)
{
	struct timespec ms = { .tv_nsec = NS_PER_MS };

	if (!r->membarrier || r->without_barrier ||
	    syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) < 0)
		nanosleep(&ms, NULL);
}

/* A shim may come to count when its task takes the TSC from it (seccomp, PR_SET_TSC), never back:
 * its counter goes on from far above. */
static void start_to_count(struct tracked *t)
{
	if (t->counting || __atomic_load_n(&t->shared->clock, __ATOMIC_ACQUIRE) != REGION_COUNTER)
		return;
	t->counting = true;
	t->order = (struct order){ 0 };
}

/* Both clocks at one moment: where we were interrupted between the looks, at another one. */
static void note_pair(struct clock_pairs *pairs)
{
	uint64_t before, after, boot_ns, width = UINT64_MAX;
	struct clock_pair best = {};

	for (int i = 0; i < CLOCK_TRIES; i++) {
		before = tsc_now();
		boot_ns = clock_boot_ns();
		after = tsc_now();
		if (after - before >= width)
			continue;
		width = after - before;
		best = (struct clock_pair){ .stamp = before + width / 2, .boot_ns = boot_ns };
	}
	clock_pairs_add(pairs, best.stamp, best.boot_ns);
}

static void note_clocks(struct regions *r)
{
	r->order.now = tsc_now();
	note_pair(&r->pairs);
	for (size_t i = 0; i < r->count; i++) {
		struct tracked *t = r->sources[i];

		start_to_count(t);
		if (!t->counting)
			continue;
		t->order.now = __atomic_load_n(&t->shared->counter, __ATOMIC_SEQ_CST);
		if (!t->pairs)
			t->pairs = calloc(1, sizeof(*t->pairs)); /* NULL: by the TSC's last mark */
		if (t->pairs)
			clock_pairs_add(t->pairs, t->order.now, clock_boot_ns());
	}
}

/* True while @busy, of a ring that is in the middle of an event, bounds the horizon. A thread that
 * lives has, at its next event, a busy_since not below the clock of a mark before it; one that has
 * not come so far for seconds is stopped, dead, or a liar: what it tells later is counted late. */
static bool busy_counts(struct ring *ring, uint64_t busy, uint64_t now, uint64_t now_ns)
{
	if (!ring->behind_ns || busy >= ring->behind_stamp) {
		ring->behind_ns = now_ns;
		ring->behind_stamp = now;
		return true;
	}
	return now_ns - ring->behind_ns < ring->of->regions->give_up_ns;
}

/* True: the horizon is not above *ret_busy. */
static bool mark_ring(struct ring *ring, uint64_t now, uint64_t now_ns, uint64_t *ret_busy)
{
	uint64_t busy;

	if (ring->malformed)
		return false;
	busy = __atomic_load_n(&ring->shared->busy_since, __ATOMIC_ACQUIRE);
	ring->marked = __atomic_load_n(&ring->shared->head, __ATOMIC_ACQUIRE);
	*ret_busy = busy;
	if (!busy || ring->of->gone) {
		ring->behind_ns = 0;
		return false;
	}
	return busy_counts(ring, busy, now, now_ns);
}

static struct order *order_of(struct tracked *t)
{
	return t->counting ? &t->order : &t->regions->order;
}

static uint64_t mark_source(struct tracked *t, uint64_t now_ns)
{
	uint64_t horizon = order_of(t)->now, busy;

	rings_find(t);
	for (uint32_t i = 0; i < t->used; i++)
		if (mark_ring(t->rings[t->numbers[i]], order_of(t)->now, now_ns, &busy) &&
		    busy < horizon)
			horizon = busy;
	return horizon;
}

static void raise_horizon(struct order *o, uint64_t horizon)
{
	if (horizon > o->horizon)
		o->horizon = horizon;
}

void regions_mark(struct regions *r)
{
	uint64_t now_ns, horizon, lowest;

	note_clocks(r);
	see_what_was_begun(r);
	now_ns = clock_monotonic_ns();
	lowest = r->order.now;
	for (size_t i = 0; i < r->count; i++) {
		struct tracked *t = r->sources[i];

		horizon = mark_source(t, now_ns);
		if (t->counting) {
			t->order.latest = __atomic_load_n(&t->shared->counter, __ATOMIC_SEQ_CST);
			raise_horizon(&t->order, horizon);
		} else if (horizon < lowest) {
			lowest = horizon;
		}
	}
	r->order.latest = tsc_now();
	raise_horizon(&r->order, lowest);
}

/* Within a ring events stay as they stand, even where a hostile one has stamps that go back. */
static bool before(const struct ring *a, const struct ring *b)
{
	return a->last < b->last;
}

static void sift_down(struct ring **heap, size_t count, size_t at)
{
	struct ring *moved = heap[at];

	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && before(heap[child + 1], heap[child]))
			child++;
		if (!before(heap[child], moved))
			break;
		heap[at] = heap[child];
	}
	heap[at] = moved;
}

static void push(struct regions *r, struct ring *ring)
{
	size_t at = r->heap_count++;

	for (; at && before(ring, r->heap[(at - 1) / 2]); at = (at - 1) / 2)
		r->heap[at] = r->heap[(at - 1) / 2];
	r->heap[at] = ring;
}

static bool may_tell(const struct order *o, struct ring *ring)
{
	return ring_peek(ring, o) && (o->all || ring->last < o->horizon);
}

static void make_room(struct tracked *t)
{
	for (uint32_t i = 0; i < t->used; i++)
		ring_make_room(t->rings[t->numbers[i]]);
}

static void fill_heap(struct tracked *t, const struct order *o)
{
	for (uint32_t i = 0; i < t->used; i++)
		if (may_tell(o, t->rings[t->numbers[i]]))
			push(t->regions, t->rings[t->numbers[i]]);
}

/* How far the first ring may be told without a look at the others. */
static uint64_t second(const struct regions *r)
{
	uint64_t limit = UINT64_MAX;

	for (size_t i = 1; i < r->heap_count && i <= 2; i++)
		if (r->heap[i]->last < limit)
			limit = r->heap[i]->last;
	return limit;
}

/* Of one ring. False: it has no more that may be told. */
static bool tell_up_to(struct ring *ring, struct order *o, uint64_t limit, source_fn *tell,
		       void *context, uint64_t *events)
{
	bool more;

	do {
		if (ring->next.stamp < o->told)
			ring->late++;
		else
			o->told = ring->next.stamp;
		tell(context, &ring->of->source, &ring->next);
		ring_pass(ring);
		++*events;
		more = may_tell(o, ring);
	} while (more && ring->last <= limit);
	return more;
}

static uint64_t tell_heap(struct regions *r, struct order *o, source_fn *tell, void *context)
{
	uint64_t events = 0;

	while (r->heap_count) {
		struct ring *ring = r->heap[0];

		if (!tell_up_to(ring, o, second(r), tell, context, &events)) {
			ring_store_tail(ring);
			r->heap[0] = r->heap[--r->heap_count];
		}
		if (r->heap_count)
			sift_down(r->heap, r->heap_count, 0);
	}
	return events;
}

uint64_t regions_take(struct regions *r, bool all, source_fn *tell, void *context)
{
	uint64_t events;

	r->order.all = all;
	for (size_t i = 0; i < r->count; i++)
		if (!r->sources[i]->counting)
			fill_heap(r->sources[i], &r->order);
	events = tell_heap(r, &r->order, tell, context);
	for (size_t i = 0; i < r->count; i++) {
		struct tracked *t = r->sources[i];

		if (!t->counting)
			continue;
		t->order.all = all;
		fill_heap(t, &t->order);
		events += tell_heap(r, &t->order, tell, context);
	}
	for (size_t i = 0; i < r->count; i++)
		make_room(r->sources[i]);
	return events;
}
