/* aggregate_heap_test.c - the live heap; oracles: a naive model that keeps every block and every
 * page of a mapping, and the truth behind simulated samples. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "aggregate/heap.h"

#define SPACES 4
#define ADDRESSES 64
#define PAGES 96
#define PAGE 4096
#define LOCATIONS 20
#define THREADS 3
#define EVENTS 100000
#define SEEDS 4
#define HEAP_AT 0x550000000000
#define MAPS_AT 0x7f0000000000

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dULL;
}

static double uniform(uint64_t *seed)
{
	return (double)(next(seed) >> 11) * 0x1p-53;
}

/* ---- the model: exact, nothing but arrays ---- */

struct piece {
	uint64_t bytes, serial; /* serial of the allocation it is of; 0: none */
	uint32_t location, thread;
};

struct model {
	struct piece blocks[SPACES][ADDRESSES];
	struct piece pages[SPACES][PAGES]; /* bytes: of the whole mapping as it was made */
	uint64_t last[THREADS];		   /* serial of the last allocation of a thread */
	uint64_t last_space[THREADS];
	struct heap_totals totals[LOCATIONS]; /* but for held */
	struct highwater_amount held[LOCATIONS];
	uint64_t serial, peak, peak_ns;
	struct heap_counts counts;
};

static void model_allocated(struct model *m, struct piece *p, uint32_t space)
{
	p->serial = ++m->serial;
	m->last[p->thread] = p->serial;
	m->last_space[p->thread] = space;
	m->totals[p->location].allocated.bytes += (int64_t)p->bytes;
	m->totals[p->location].allocated.count++;
	m->counts.allocations++;
}

static void model_temporary(struct model *m, const struct piece *p, uint32_t space, uint32_t thread)
{
	if (p->thread != thread || m->last[thread] != p->serial || m->last_space[thread] != space)
		return;
	m->totals[p->location].temporary.bytes += (int64_t)p->bytes;
	m->totals[p->location].temporary.count++;
	m->last[thread] = 0;
}

/* The mappings' part of what is live, counted anew: a piece is a run of pages of one serial. */
static void model_pages(const struct model *m, struct highwater_amount *live)
{
	for (int s = 0; s < SPACES; s++)
		for (int i = 0; i < PAGES; i++) {
			const struct piece *p = &m->pages[s][i];

			if (!p->serial)
				continue;
			live[p->location].bytes += PAGE;
			live[p->location].count += !i || p[-1].serial != p->serial;
		}
}

static void model_live(const struct model *m, struct highwater_amount *live)
{
	memset(live, 0, LOCATIONS * sizeof(*live));
	for (int s = 0; s < SPACES; s++)
		for (int i = 0; i < ADDRESSES; i++) {
			const struct piece *p = &m->blocks[s][i];

			live[p->location].bytes += p->serial ? (int64_t)p->bytes : 0;
			live[p->location].count += p->serial != 0;
		}
	model_pages(m, live);
}

/* After an event. */
static uint64_t model_told(struct model *m, uint64_t time_ns)
{
	struct highwater_amount live[LOCATIONS];
	uint64_t sum = 0;

	model_live(m, live);
	m->counts.live = 0;
	for (int i = 0; i < LOCATIONS; i++) {
		m->totals[i].live = live[i];
		sum += (uint64_t)live[i].bytes;
		m->counts.live += (uint64_t)live[i].count;
	}
	if (sum > m->peak) {
		m->peak = sum;
		m->peak_ns = time_ns;
		memcpy(m->held, live, sizeof(live));
	}
	return sum;
}

static void assert_amount(struct highwater_amount is, struct highwater_amount wanted)
{
	assert_int_equal(is.bytes, wanted.bytes);
	assert_int_equal(is.count, wanted.count);
}

static void assert_as(const struct heap *h, const struct model *m)
{
	struct heap_counts counts = heap_count(h);

	assert_memory_equal(&counts, &m->counts, sizeof(counts));
	for (uint32_t i = 0; i < LOCATIONS; i++) {
		struct heap_totals t = heap_location(h, i);

		assert_amount(t.held, m->held[i]);
		assert_amount(t.live, m->totals[i].live);
		assert_amount(t.allocated, m->totals[i].allocated);
		assert_amount(t.temporary, m->totals[i].temporary);
		assert_int_equal(heap_error_95(h, i), 0);
	}
}

static void do_alloc(struct heap *h, struct model *m, uint64_t *random, uint64_t time_ns)
{
	uint32_t space = next(random) % SPACES, at = next(random) % ADDRESSES;
	struct piece *p = &m->blocks[space][at];

	m->counts.duplicates += p->serial != 0;
	*p = (struct piece){ .bytes = next(random) % 50000,
			     .location = next(random) % LOCATIONS,
			     .thread = next(random) % THREADS };
	model_allocated(m, p, space);
	assert_int_equal(
	    heap_alloc(h, space, HEAP_AT + at * 16, p->bytes, p->location, p->thread, time_ns), 0);
}

/* Often what was allocated last. */
static void do_free(struct heap *h, struct model *m, uint64_t *random, uint64_t time_ns)
{
	uint32_t space = next(random) % SPACES, at = next(random) % ADDRESSES;
	uint32_t thread = next(random) % THREADS;
	bool known;

	for (uint32_t s = 0; s < SPACES && next(random) % 2; s++)
		for (uint32_t i = 0; i < ADDRESSES; i++)
			if (m->blocks[s][i].serial == m->serial && m->serial) {
				space = s;
				at = i;
			}
	known = m->blocks[space][at].serial;
	if (known) {
		model_temporary(m, &m->blocks[space][at], space, thread);
		m->blocks[space][at] = (struct piece){ 0 };
	}
	m->counts.frees += known;
	m->counts.unknown_frees += !known;
	assert_int_equal(heap_free_block(h, space, HEAP_AT + at * 16, thread, time_ns),
			 known ? 0 : -ENOENT);
}

static void do_map(struct heap *h, struct model *m, uint64_t *random, uint64_t time_ns)
{
	uint32_t space = next(random) % SPACES, first = next(random) % PAGES;
	uint32_t count = 1 + next(random) % 12;
	struct piece p = { .location = next(random) % LOCATIONS, .thread = next(random) % THREADS };

	if (count > PAGES - first)
		count = PAGES - first;
	p.bytes = (uint64_t)count * PAGE;
	model_allocated(m, &p, space);
	for (uint32_t i = 0; i < count; i++)
		m->pages[space][first + i] = p;
	assert_int_equal(heap_map(h, space, MAPS_AT + (uint64_t)first * PAGE, p.bytes, p.location,
				  p.thread, time_ns),
			 0);
}

static void do_unmap(struct heap *h, struct model *m, uint64_t *random, uint64_t time_ns)
{
	uint32_t space = next(random) % SPACES, first = next(random) % PAGES;
	uint32_t count = next(random) % 16, thread = next(random) % THREADS, run = 0;
	bool touched = false;

	if (count > PAGES - first)
		count = PAGES - first;
	for (uint32_t i = first; i < first + count; i++) {
		struct piece *p = &m->pages[space][i];

		run = p->serial && i > first && p->serial == p[-1].serial ? run + 1 : 1;
		touched |= p->serial != 0;
		if (p->serial && (uint64_t)run * PAGE == p->bytes)
			model_temporary(m, p, space, thread); /* all of it at once */
	}
	memset(&m->pages[space][first], 0, count * sizeof(struct piece));
	m->counts.frees += touched;
	assert_int_equal(heap_free_range(h, space, MAPS_AT + (uint64_t)first * PAGE,
					 (uint64_t)count * PAGE, thread, time_ns),
			 0);
}

static void do_fork(struct heap *h, struct model *m, uint64_t *random, uint64_t time_ns)
{
	uint32_t parent = next(random) % SPACES, child = next(random) % SPACES;

	memmove(m->blocks[child], m->blocks[parent], sizeof(m->blocks[child]));
	memmove(m->pages[child], m->pages[parent], sizeof(m->pages[child]));
	/* the old blocks of the child go first: that is no peak in between */
	assert_int_equal(heap_fork(h, parent, child, time_ns), 0);
}

static void do_drop(struct heap *h, struct model *m, uint64_t *random, uint64_t time_ns)
{
	uint32_t space = next(random) % SPACES;

	memset(m->blocks[space], 0, sizeof(m->blocks[space]));
	memset(m->pages[space], 0, sizeof(m->pages[space]));
	heap_drop(h, space, time_ns);
}

typedef void event_fn(struct heap *h, struct model *m, uint64_t *random, uint64_t time_ns);

static event_fn *random_event(uint64_t *random)
{
	static const struct {
		event_fn *fn;
		unsigned per_mille;
	} events[] = {
		{ do_alloc, 420 }, { do_free, 380 }, { do_map, 120 },
		{ do_unmap, 75 },  { do_fork, 3 },   { do_drop, 2 },
	};
	unsigned at = next(random) % 1000, i = 0;

	while (at >= events[i].per_mille)
		at -= events[i++].per_mille;
	return events[i].fn;
}

static void it_is_what_a_model_that_keeps_everything_says(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		uint64_t random = seed * 0x9e3779b97f4a7c15, peak_ns;
		struct heap *h = heap_new();
		struct model *m = calloc(1, sizeof(*m));

		for (uint64_t i = 1; i <= EVENTS / SEEDS; i++) {
			random_event (&random)(h, m, &random, i);
			assert_int_equal(heap_live_bytes(h), model_told(m, i));
			assert_int_equal(heap_peak_bytes(h, &peak_ns), m->peak);
			assert_int_equal(peak_ns, m->peak_ns);
			if (i % 97 == 0)
				assert_as(h, m);
		}
		assert_as(h, m);
		assert_int_equal(heap_locations(h), LOCATIONS);
		assert_true(m->totals[0].temporary.count > 0 && m->counts.duplicates > 0);
		for (uint32_t s = 0; s < SPACES; s++)
			heap_drop(h, s, EVENTS + 1);
		memset(m->blocks, 0, sizeof(m->blocks));
		memset(m->pages, 0, sizeof(m->pages));
		model_told(m, EVENTS + 1);
		assert_as(h, m);
		heap_free(h);
		free(m);
	}
	heap_free(NULL);
}

/* ---- single truths ---- */

static void temporary_is_freed_by_its_thread_before_another_allocation(void **state)
{
	struct heap *h = heap_new();

	(void)state;
	heap_alloc(h, 1, 0x1000, 100, 0, 7, 1); /* a free in between does not matter */
	heap_alloc(h, 1, 0x2000, 10, 0, 7, 2);
	heap_free_block(h, 1, 0x1000, 7, 3);
	heap_free_block(h, 1, 0x2000, 7, 4);
	assert_amount(heap_location(h, 0).temporary, (struct highwater_amount){ 10, 1 });
	heap_alloc(h, 1, 0x1000, 100, 1, 7, 5); /* one of another thread does not either */
	heap_alloc(h, 1, 0x2000, 10, 1, 8, 6);
	heap_free_block(h, 1, 0x1000, 7, 7);
	heap_free_block(h, 1, 0x2000, 7, 8); /* freed by another */
	assert_amount(heap_location(h, 1).temporary, (struct highwater_amount){ 100, 1 });
	heap_alloc(h, 1, 0x3000, 9, 2, 7, 9);
	heap_free_block(h, 1, 0x3000, 8, 10);
	heap_alloc(h, 1, 0x3000, 9, 2, 8, 11); /* its address again, but not its block */
	heap_free_block(h, 1, 0x3000, 7, 12);
	heap_alloc(h, 1, 0x3000, 9, 2, 7, 13);
	heap_free_block(h, 2, 0x3000, 7, 14); /* not its space */
	heap_alloc(h, 1, 0x4000, 9, 2, 7, 15);
	heap_free_block(h, 1, 0x3000, 7, 16);
	assert_amount(heap_location(h, 2).temporary, (struct highwater_amount){ 0, 0 });
	heap_free(h);
}

static void a_mapping_is_temporary_when_all_of_it_goes_at_once(void **state)
{
	struct heap *h = heap_new();

	(void)state;
	heap_map(h, 1, MAPS_AT, 4 * PAGE, 0, 7, 1);
	heap_free_range(h, 1, MAPS_AT + 3 * PAGE, PAGE, 7, 2);
	heap_free_range(h, 1, MAPS_AT, 3 * PAGE, 7, 3);
	assert_int_equal(heap_location(h, 0).temporary.count, 0);
	heap_map(h, 1, MAPS_AT, 4 * PAGE, 0, 7, 4);
	heap_free_range(h, 1, MAPS_AT - PAGE, 6 * PAGE, 7, 5);
	assert_amount(heap_location(h, 0).temporary, (struct highwater_amount){ 4 * PAGE, 1 });
	heap_free(h);
}

static void where_sampled_what_is_temporary_is_not_known(void **state)
{
	struct heap *h = heap_new();

	(void)state;
	heap_sampled(h, 1000);
	heap_alloc(h, 1, 0x1000, 100, 0, 7, 1);
	heap_free_block(h, 1, 0x1000, 7, 2);
	heap_sampled(h, 0);
	heap_alloc(h, 1, 0x1000, 100, 0, 7, 3);
	heap_sampled(h, 1000); /* between these two, others may have gone by */
	heap_sampled(h, 0);
	heap_free_block(h, 1, 0x1000, 7, 4);
	assert_int_equal(heap_location(h, 0).temporary.count, 0);
	heap_alloc(h, 1, 0x1000, 100, 0, 7, 5);
	heap_free_block(h, 1, 0x1000, 7, 6);
	assert_int_equal(heap_location(h, 0).temporary.count, 1);
	heap_free(h);
}

static void hostile_events_are_refused_and_counted(void **state)
{
	struct heap *h = heap_new();

	(void)state;
	assert_int_equal(heap_alloc(h, 1, 0x1000, 5, UINT32_MAX, 0, 1), -ENOMEM);
	assert_int_equal(heap_alloc(h, 1, 0x1000, 5, 1U << 24, 0, 1), -ENOMEM);
	assert_int_equal(heap_alloc(h, 1, 0x1000, UINT64_MAX, 0, 0, 1), -EOVERFLOW);
	assert_int_equal(heap_map(h, 1, 0x1000, 0, 0, 0, 1), -EOVERFLOW);
	assert_int_equal(heap_map(h, 1, 0x1000, UINT64_MAX, 0, 0, 1), -EOVERFLOW);
	assert_int_equal(heap_map(h, 1, (1ULL << 56) - 1, 2, 0, 0, 1), -EOVERFLOW);
	assert_int_equal(heap_count(h).refused, 6);
	assert_int_equal(heap_count(h).allocations, 0);
	for (uint64_t i = 0; i < 127; i++) /* as much as a sum can take */
		assert_int_equal(heap_alloc(h, 1, 0x2000 + i, (1ULL << 56) - 1, 0, UINT32_MAX, 1),
				 0);
	assert_int_equal(heap_alloc(h, 1, 0x1000, (1ULL << 56) - 1, 0, 0, 1), 0);
	assert_int_equal(heap_alloc(h, 1, 0x1001, (1ULL << 56) - 1, 0, 0, 1), -EOVERFLOW);
	assert_int_equal(heap_fork(h, 1, 2, 1), -EOVERFLOW);
	assert_int_equal(heap_fork(h, 1, 1, 1), 0);
	assert_int_equal(heap_count(h).live, 128);
	heap_drop(h, 2, 1);
	heap_drop(h, 1, 1);
	heap_drop(h, 1, 1);
	assert_int_equal(heap_fork(h, 1, 3, 1), 0); /* nothing is known of it */
	assert_int_equal(heap_live_bytes(h), 0);
	assert_int_equal(heap_location(h, UINT32_MAX).held.bytes, 0);
	assert_int_equal(heap_error_95(h, UINT32_MAX), 0);
	assert_int_equal(heap_free_range(h, 1, UINT64_MAX, UINT64_MAX, 0, 1), 0);
	assert_int_equal(heap_free_range(h, 1, 0, 0, 0, 1), 0);
	heap_free(h);
}

/* What CPUs with tags in the top byte do. */
static void the_top_byte_of_an_address_does_not_matter(void **state)
{
	struct heap *h = heap_new();

	(void)state;
	assert_int_equal(heap_alloc(h, 1, 0xab00550000001000, 5, 0, 0, 1), 0);
	assert_int_equal(heap_free_block(h, 1, 0x0000550000001000, 0, 2), 0);
	assert_int_equal(heap_map(h, 1, 0xab00550000001000, PAGE, 0, 0, 1), 0);
	assert_int_equal(heap_free_range(h, 1, 0, UINT64_MAX, 0, 2), 0);
	assert_int_equal(heap_live_bytes(h), 0);
	heap_free(h);
}

static void at_most_255_gaps_and_each_of_them_once(void **state)
{
	struct heap *h = heap_new();

	(void)state;
	for (int turn = 0; turn < 2; turn++)
		for (uint64_t gap = 0; gap < 256; gap++)
			assert_int_equal(heap_sampled(h, gap * 1000), 0);
	assert_int_equal(heap_sampled(h, 77), -ENOSPC);
	assert_int_equal(heap_sampled(h, (1ULL << 30) + 1), -EINVAL);
	heap_alloc(h, 1, 0x1000, 255000 * 100, 0, 0, 1); /* the gap is still 255,000 */
	assert_int_equal(heap_live_bytes(h), 255000 * 100);
	heap_sampled(h, 0);
	heap_alloc(h, 1, 0x2000, 1, 0, 0, 1);
	assert_int_equal(heap_live_bytes(h), 255000 * 100 + 1);
	heap_free(h);
}

/* ---- sampling ---- */

static double probability(uint64_t bytes, double gap)
{
	return 1 - exp(-((double)bytes + 1) / gap);
}

/* Weights are not whole, and mappings are cut: still nothing may be left over. */
static void what_is_sampled_comes_back_to_exactly_zero(void **state)
{
	static const uint64_t gaps[] = { 0, 512, 4096, 65536, 524288, 1 << 30 };
	uint64_t random = 0x9e3779b97f4a7c15;
	struct heap *h = heap_new();

	(void)state;
	for (uint64_t i = 1; i <= EVENTS; i++) {
		uint64_t page = next(&random) % 1000, bytes = next(&random) >> next(&random) % 64;
		uint32_t location = next(&random) % LOCATIONS, space = next(&random) % SPACES;

		if (i % 100 == 0)
			assert_int_equal(heap_sampled(h, gaps[next(&random) % 6]), 0);
		heap_alloc(h, space, next(&random) % 1000, bytes >> 24, location, 0, i);
		heap_free_block(h, space, next(&random) % 1000, 0, i);
		heap_map(h, space, page * PAGE, 1 + (bytes & 0xffff), location, 0, i);
		heap_free_range(h, space, next(&random) % 1000 * PAGE, bytes & 0x3ffff, 0, i);
		if (i % 5000 == 0)
			heap_fork(h, space, next(&random) % SPACES, i);
	}
	assert_true(heap_count(h).live > 1000);
	for (uint32_t space = 0; space < SPACES; space++) {
		for (uint64_t address = 0; address < 1000; address++)
			heap_free_block(h, space, address, 0, EVENTS + 1);
		heap_free_range(h, space, 0, UINT64_MAX, 0, EVENTS + 1);
	}
	assert_int_equal(heap_live_bytes(h), 0);
	assert_int_equal(heap_count(h).live, 0);
	for (uint32_t i = 0; i < LOCATIONS; i++)
		assert_amount(heap_location(h, i).live, (struct highwater_amount){ 0, 0 });
	heap_free(h);
}

/* Kinds of blocks of one location. */
struct kind {
	uint64_t bytes, count;
};

struct population {
	const char *name;
	double gap;
	struct kind kinds[3];
	bool many; /* samples: then the interval must not be wide either */
};

static const struct population populations[] = {
	{ "many small", 65536, { { 100, 200000 } }, true },
	{ "many of all sizes", 65536, { { 1000, 8000 }, { 65536, 200 }, { 1 << 20, 8 } }, true },
	{ "many, nearly all taken", 65536, { { 200000, 1000 } }, true },
	{ "three samples", 524288, { { 4096, 384 } }, false },
	{ "one sample", 524288, { { 64, 8192 } }, false },
	{ "five blocks of two gaps", 524288, { { 1 << 20, 5 } }, false },
	{ "one block of a gap", 524288, { { 524288, 1 } }, false },
	{ "few large ones hide small ones", 524288, { { 10 << 20, 2 }, { 100, 1000 } }, false },
};

#define RUNS 2500

struct outcome {
	double bytes, bytes_squared_error, count, half_width, half_width_sum;
	unsigned covered, covered_sum;
};

static double truth_bytes(const struct population *p)
{
	double sum = 0;

	for (size_t i = 0; i < 3; i++)
		sum += (double)(p->kinds[i].bytes * p->kinds[i].count);
	return sum;
}

static double truth_count(const struct population *p)
{
	return (double)(p->kinds[0].count + p->kinds[1].count + p->kinds[2].count);
}

/* Of one estimate: Σ n² (1 - p)/p bytes², or Σ (1 - p)/p pieces². */
static double variance(const struct population *p, bool pieces)
{
	double sum = 0;

	for (size_t i = 0; i < 3; i++) {
		const struct kind *k = &p->kinds[i];
		double taken = probability(k->bytes, p->gap);
		double n = pieces ? 1 : (double)k->bytes;

		sum += (double)k->count * n * n * (1 - taken) / taken;
	}
	return sum;
}

/* Blocks of one kind are taken or not, each for itself: geometric jumps from one taken to the next.
 */
static uint64_t sample_kind(struct heap *h, const struct kind *k, double gap, uint64_t address,
			    uint64_t *random)
{
	double p = probability(k->bytes, gap);

	for (double i = 0;; i++) {
		i += p < 1 ? floor(log(1 - uniform(random)) / log1p(-p)) : 0;
		if (i >= (double)k->count)
			return address;
		assert_int_equal(heap_alloc(h, 1, address++, k->bytes, 0, 0, 1), 0);
	}
}

static void simulate(const struct population *p, struct outcome *o, uint64_t *random)
{
	struct heap *h = heap_new();
	double truth = truth_bytes(p), bytes;
	uint64_t address = 1;
	struct heap_totals t;

	assert_int_equal(heap_sampled(h, (uint64_t)p->gap), 0);
	/* another location is known, but nothing of it was there at the peak */
	heap_alloc(h, 2, 0, 0, 1, 0, 0);
	heap_drop(h, 2, 0);
	/* so that there is a location, without anything that counts */
	heap_sampled(h, 0);
	heap_alloc(h, 1, 0, 0, 0, 0, 0);
	heap_sampled(h, (uint64_t)p->gap);
	for (size_t i = 0; i < 3; i++)
		if (p->kinds[i].count)
			address = sample_kind(h, &p->kinds[i], p->gap, address, random);
	t = heap_location(h, 0);
	assert_int_equal(t.held.bytes, heap_live_bytes(h));
	bytes = (double)t.held.bytes;
	o->bytes += bytes;
	o->count += (double)(t.held.count - 1);
	o->half_width += (double)heap_error_95(h, 0);
	o->covered += fabs(bytes - truth) <= (double)heap_error_95(h, 0);
	o->covered_sum += fabs(bytes - truth) <= (double)heap_error_95_sum(h);
	heap_free(h);
}

/* 5 sigma: a false alarm has a probability below 1e-6. @rounding: of the sum that is told. */
static void assert_unbiased(double mean, double truth, double variance_of_one, double rounding)
{
	assert_true(fabs(mean - truth) <= 5 * sqrt(variance_of_one / RUNS) + rounding);
}

/* 95 % less five sigma of the number of hits: a false alarm has a probability below 1e-6. */
static void assert_covers(unsigned hits)
{
	assert_true(hits >= RUNS * 0.95 - 5 * sqrt(RUNS * 0.95 * 0.05));
}

static void samples_are_unbiased_and_their_intervals_hold_the_truth(void **state)
{
	uint64_t random = 0xbf58476d1ce4e5b9;

	(void)state;
	for (size_t i = 0; i < sizeof(populations) / sizeof(*populations); i++) {
		const struct population *p = &populations[i];
		struct outcome o = { 0 };

		for (int run = 0; run < RUNS; run++)
			simulate(p, &o, &random);
		print_message("%s: mean %.4f of the truth, %.1f %% covered, %.2f sigma wide\n",
			      p->name, o.bytes / RUNS / truth_bytes(p), 100.0 * o.covered / RUNS,
			      o.half_width / RUNS / sqrt(variance(p, false)));
		assert_unbiased(o.bytes / RUNS, truth_bytes(p), variance(p, false),
				1e-5 * truth_bytes(p));
		assert_unbiased(o.count / RUNS, truth_count(p), variance(p, true), 0.5);
		assert_covers(o.covered);
		assert_covers(o.covered_sum);
		if (p->many)
			assert_true(o.half_width / RUNS < 2.5 * sqrt(variance(p, false)));
	}
}

#define FEW 64

/* Probability that @held lies in k ± half[k], of all k by Poisson's law but none. */
static double covered_part(double held, const double half[FEW])
{
	double p = exp(-held), sum = 0;

	for (int k = 1; k < FEW; k++) {
		p *= held / k;
		sum += fabs((double)k - held) <= half[k] ? p : 0;
	}
	return sum;
}

/* Equal blocks that are small against the gap; sums are exact, nothing is drawn. */
static void the_interval_of_few_samples_covers_as_told_by_the_law_of_poisson(void **state)
{
	struct heap *h = heap_new();
	const double gap = 1 << 20;
	double half[FEW], sum = 0, part;
	int steps = 0;

	(void)state;
	heap_alloc(h, 1, 0, 0, 0, 0, 1);
	assert_int_equal(heap_error_95(h, 0), 0); /* nothing was sampled so far */
	heap_sampled(h, 1 << 20);
	for (uint64_t k = 0; k < FEW; k++) {
		half[k] = (double)heap_error_95(h, 0) / gap;
		heap_alloc(h, 1, k + 1, 1000, 0, 0, 2);
	}
	heap_free(h);
	for (double held = 3; held < 30; held += 0.01, steps++) {
		part = covered_part(held, half);
		assert_true(part > 0.93 && part < 0.986);
		sum += part;
	}
	assert_true(sum / steps > 0.945 && sum / steps < 0.965);
	assert_true(half[0] > 2.7 && half[0] < 3); /* e⁻³ is 5 % */
}

static void the_interval_is_that_of_the_peak(void **state)
{
	struct heap *h = heap_new();
	uint64_t at_peak;

	(void)state;
	heap_sampled(h, 65536);
	for (uint64_t i = 0; i < 100; i++)
		heap_alloc(h, 1, i, 1000, i % 2, 0, i);
	at_peak = heap_error_95(h, 0);
	for (uint64_t i = 0; i < 100; i++)
		heap_free_block(h, 1, i, 0, 100 + i);
	heap_alloc(h, 1, 0, 1000, 0, 0, 300);
	assert_int_equal(heap_error_95(h, 0), at_peak);
	/* that of the sum is narrower than the sum of both, and wider than each */
	assert_true(heap_error_95_sum(h) < 2 * at_peak && heap_error_95_sum(h) > at_peak);
	heap_free(h);
}

/* ---- quiet spaces, undone frees, leaks ---- */

static void a_quiet_space_is_in_no_sum_until_it_counts(void **state)
{
	struct heap *h = heap_new();

	(void)state;
	heap_alloc(h, 1, 0x1000, 100, 0, 0, 1);
	heap_map(h, 1, MAPS_AT, 2 * PAGE, 1, 0, 2);
	assert_int_equal(heap_fork_quiet(h, 1, 2), 0);
	heap_alloc(h, 2, 0x2000, 10, 0, 0, 3);
	heap_free_range(h, 2, MAPS_AT, PAGE, 0, 4);
	heap_free_block(h, 2, 0x9000, 0, 4); /* its parent has told that it is unknown */
	assert_int_equal(heap_live_bytes(h), 100 + 2 * PAGE);
	assert_int_equal(heap_count(h).live, 2);
	assert_int_equal(heap_count(h).allocations, 2);
	assert_int_equal(heap_count(h).frees + heap_count(h).unknown_frees, 0);
	assert_int_equal(heap_fork_quiet(h, 2, 3), 0);
	assert_int_equal(heap_fork_count(h, 2, 5), 0);
	assert_int_equal(heap_live_bytes(h), 210 + 3 * PAGE);
	assert_int_equal(heap_count(h).live, 5);
	assert_int_equal(heap_location(h, 0).allocated.bytes, 100);
	heap_drop(h, 3, 6);
	assert_int_equal(heap_live_bytes(h), 210 + 3 * PAGE);
	heap_drop(h, 1, 6);
	heap_drop(h, 2, 6);
	assert_int_equal(heap_live_bytes(h) + heap_count(h).live, 0);
	assert_int_equal(heap_peak_bytes(h, NULL), 210 + 3 * PAGE);
	heap_free(h);
}

static void a_free_that_is_undone_leaves_all_sums_as_they_were(void **state)
{
	struct heap *h = heap_new();
	struct heap_taken taken;

	(void)state;
	heap_map(h, 1, MAPS_AT, 3 * PAGE, 1, 0, 1);
	heap_alloc(h, 1, 0x1000, 100, 0, 0, 2);
	heap_free_block(h, 1, 0x1000, 0, 3); /* temporary, if it stayed so */
	taken = *heap_taken(h);
	assert_int_equal(heap_undo(h, &taken, 4), 0);
	heap_free_range(h, 1, MAPS_AT + PAGE, PAGE, 0, 5);
	taken = *heap_taken(h);
	assert_int_equal(taken.bytes, PAGE);
	assert_int_equal(heap_undo(h, &taken, 6), 0);
	assert_int_equal(heap_live_bytes(h), 100 + 3 * PAGE);
	assert_int_equal(heap_location(h, 0).temporary.bytes, 0);
	assert_int_equal(heap_location(h, 0).allocated.bytes, 100);
	assert_int_equal(heap_count(h).frees, 0);
	assert_int_equal(heap_undo(h, &taken, 7), -EEXIST);
	assert_int_equal(heap_count(h).undos_refused, 1);
	heap_free_range(h, 1, MAPS_AT, 3 * PAGE, 0, 8);
	heap_free_block(h, 1, 0x1000, 0, 8);
	assert_int_equal(heap_live_bytes(h) + heap_count(h).live, 0);
	heap_free(h);
}

static void what_is_live_when_a_space_leaves_has_leaked(void **state)
{
	struct heap *h = heap_new();

	(void)state;
	heap_alloc(h, 1, 0x1000, 100, 0, 0, 1);
	heap_alloc(h, 2, 0x1000, 7, 0, 0, 1);
	heap_map(h, 1, MAPS_AT, PAGE, 1, 0, 1);
	heap_leave(h, 1, 2);
	heap_drop(h, 2, 3);
	assert_int_equal(heap_location(h, 0).leaked.bytes, 100);
	assert_int_equal(heap_location(h, 0).leaked.count, 1);
	assert_int_equal(heap_location(h, 1).leaked.bytes, PAGE);
	assert_int_equal(heap_location(h, 0).live.bytes, 0);
	heap_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quiet_space_is_in_no_sum_until_it_counts),
		cmocka_unit_test(a_free_that_is_undone_leaves_all_sums_as_they_were),
		cmocka_unit_test(what_is_live_when_a_space_leaves_has_leaked),
		cmocka_unit_test(it_is_what_a_model_that_keeps_everything_says),
		cmocka_unit_test(temporary_is_freed_by_its_thread_before_another_allocation),
		cmocka_unit_test(a_mapping_is_temporary_when_all_of_it_goes_at_once),
		cmocka_unit_test(where_sampled_what_is_temporary_is_not_known),
		cmocka_unit_test(hostile_events_are_refused_and_counted),
		cmocka_unit_test(the_top_byte_of_an_address_does_not_matter),
		cmocka_unit_test(at_most_255_gaps_and_each_of_them_once),
		cmocka_unit_test(what_is_sampled_comes_back_to_exactly_zero),
		cmocka_unit_test(samples_are_unbiased_and_their_intervals_hold_the_truth),
		cmocka_unit_test(the_interval_of_few_samples_covers_as_told_by_the_law_of_poisson),
		cmocka_unit_test(the_interval_is_that_of_the_peak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
