/* aggregate_pages_test.c - who first touched each resident page; oracles: a naive model with one
 * owner for each page there is, the definition of the samples, and binomial statistics. */
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

#include "aggregate/pages.h"
#include "bpf/sampling.h"

#define SPACES 3
#define PAGES 600
#define LOCATIONS 12
#define EVENTS 100000
#define SEEDS 5
#define NOBODY UINT32_MAX
#define SAMPLES_MAX (4U << 20) /* of pages.h */

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dULL;
}

/* ---- which pages are sampled ---- */

static void each_group_has_exactly_one_sample(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (unsigned shift = 0; shift <= SAMPLING_SHIFT_MAX; shift++)
		for (int i = 0; i < 300; i++) {
			uint64_t group = i < 100 ? (uint64_t)i : next(&random) >> 12 >> shift;
			uint64_t first = group << shift, count = 0, sample = 0;

			for (uint64_t page = first; page < first + (1U << shift); page++)
				if (page_sampled(page, shift)) {
					sample = page;
					count++;
				}
			assert_int_equal(count, 1);
			assert_int_equal(group_sample(group, shift), sample);
		}
}

static void the_samples_of_a_coarser_level_are_among_those_of_the_finer(void **state)
{
	uint64_t random = 2;

	(void)state;
	for (unsigned shift = 1; shift <= SAMPLING_SHIFT_MAX; shift++)
		for (int i = 0; i < 1000; i++) {
			uint64_t sample = group_sample(next(&random) >> 24, shift);

			for (unsigned finer = 0; finer <= shift; finer++)
				assert_true(page_sampled(sample, finer));
		}
}

/* Six sigma above the mean of χ² with @cells - 1 degrees of freedom: by chance once in 10^7. */
static void assert_even(const unsigned *counts, size_t cells, double total)
{
	double wanted = total / (double)cells, chi_square = 0;

	for (size_t i = 0; i < cells; i++)
		chi_square += (counts[i] - wanted) * (counts[i] - wanted) / wanted;
	assert_true(chi_square < (double)cells - 1 + 6 * sqrt(2 * ((double)cells - 1)));
}

static void every_place_in_a_group_is_sampled_as_often(void **state)
{
	static const uint64_t bases[] = { 0, 0x550000000, 0x7f0000000 };

	(void)state;
	for (size_t b = 0; b < sizeof(bases) / sizeof(*bases); b++)
		for (unsigned shift = 1; shift <= SAMPLING_SHIFT_MAX; shift++) {
			unsigned counts[1 << SAMPLING_SHIFT_MAX] = { 0 };
			uint64_t groups = 64ULL << shift;

			for (uint64_t i = 0; i < groups; i++) {
				uint64_t group = (bases[b] >> shift) + i;

				counts[group_sample(group, shift) - (group << shift)]++;
			}
			assert_even(counts, 1U << shift, (double)groups);
		}
}

static double share_at_stride(uint64_t base, uint64_t stride, unsigned shift, unsigned count)
{
	unsigned sampled = 0;

	for (uint64_t i = 0; i < count; i++)
		sampled += page_sampled(base + i * stride, shift);
	return (double)sampled / count;
}

/* Rows of a matrix, stacks of threads, huge pages: they touch pages at a stride. */
static void a_stride_of_pages_is_sampled_as_often_as_all(void **state)
{
	static const uint64_t strides[] = { 2,	  3,	4,    5,     7,	    8,	    15,	    16,
					    17,	  32,	63,   64,    65,    100,    128,    255,
					    256,  257,	500,  512,   513,   1000,   1024,   2048,
					    2049, 4096, 8192, 16384, 65536, 262144, 1 << 20 };
	const double count = 1 << 16;

	(void)state;
	for (size_t s = 0; s < sizeof(strides) / sizeof(*strides); s++)
		for (unsigned shift = 1; shift <= SAMPLING_SHIFT_MAX; shift++)
			for (uint64_t base = 0; base < 3; base++) {
				double p = 1.0 / (1 << shift);
				double share = share_at_stride(0x7f0000000 + base * 37, strides[s],
							       shift, 1 << 16);

				assert_true(fabs(share - p) < 6 * sqrt(p * (1 - p) / count));
			}
}

/* Of all strides the worst against a hash that only multiplies by this: it comes back to almost the
 * same product. */
static uint64_t stride_against(uint64_t factor)
{
	uint64_t worst = 1, distance = UINT64_MAX;

	for (uint64_t stride = 1; stride < 1 << 16; stride++) {
		uint64_t product = stride * factor, away = product < -product ? product : -product;

		if (away < distance) {
			distance = away;
			worst = stride;
		}
	}
	return worst;
}

static void a_stride_chosen_against_a_multiplication_is_sampled_as_often(void **state)
{
	static const uint64_t factors[] = { 0xbf58476d1ce4e5b9, 0x94d049bb133111eb };
	const double count = 4096;

	(void)state;
	for (size_t f = 0; f < 2; f++)
		for (unsigned shift = 1; shift <= SAMPLING_SHIFT_MAX; shift++) {
			double p = 1.0 / (1 << shift);
			double share = share_at_stride(
			    0x7f0000000, stride_against(factors[f]) << shift, shift, 4096);

			assert_true(fabs(share - p) < 6 * sqrt(p * (1 - p) / count));
		}
}

/* ---- the model: an owner for each page; only those of sampled pages count ---- */

struct model {
	uint32_t owner[SPACES][PAGES];
	enum page_kind kind[SPACES][PAGES];
	struct highwater_amount held[LOCATIONS];
	uint64_t peak, peak_ns;
	unsigned shift;
};

static void model_live(const struct model *m, struct highwater_amount *live)
{
	memset(live, 0, LOCATIONS * sizeof(*live));
	for (int s = 0; s < SPACES; s++)
		for (uint64_t page = 0; page < PAGES; page++) {
			uint32_t owner = m->owner[s][page];

			if (owner == NOBODY)
				continue;
			live[owner].count++;
			live[owner].bytes += 1 << m->shift;
		}
}

/* Before an event. */
static void model_told(struct model *m, uint64_t rss, uint64_t time_ns)
{
	if (rss <= m->peak)
		return;
	m->peak = rss;
	m->peak_ns = time_ns;
	model_live(m, m->held);
}

static void assert_amount(struct highwater_amount is, struct highwater_amount wanted)
{
	assert_int_equal(is.bytes, wanted.bytes);
	assert_int_equal(is.count, wanted.count);
}

struct seen {
	const struct model *m;
	int space;
	size_t count;
};

static void see(void *context, uint64_t page, uint32_t location)
{
	struct seen *seen = context;

	assert_true(page < PAGES);
	assert_int_equal(location, seen->m->owner[seen->space][page]);
	seen->count++;
}

static void assert_as(const struct pages *p, const struct model *m)
{
	struct highwater_amount live[LOCATIONS];
	uint64_t peak_ns;
	size_t count = 0;

	model_live(m, live);
	assert_int_equal(pages_peak(p, &peak_ns), m->peak);
	assert_int_equal(peak_ns, m->peak_ns);
	for (uint32_t i = 0; i < LOCATIONS; i++) {
		assert_amount(pages_live(p, i), live[i]);
		assert_amount(pages_held(p, i), m->held[i]);
	}
	for (int s = 0; s < SPACES; s++) {
		struct seen seen = { m, s, 0 };
		size_t owned = 0;

		for (uint64_t page = 0; page < PAGES; page++) {
			assert_int_equal(pages_owner(p, (uint64_t)s, page), m->owner[s][page]);
			owned += m->owner[s][page] != NOBODY;
		}
		pages_each(p, (uint64_t)s, see, &seen);
		assert_int_equal(seen.count, owned);
		count += owned;
	}
	assert_int_equal(pages_samples(p), count);
}

struct event {
	uint64_t space, other, first, count, to, rss, time_ns;
	uint32_t location;
	enum page_kind kind;
};

typedef void event_fn(struct pages *p, struct model *m, const struct event *e);

static void model_give(struct model *m, const struct event *e, bool replace)
{
	for (uint64_t page = e->first; page < e->first + e->count; page++)
		if (page_sampled(page, m->shift) &&
		    (replace || m->owner[e->space][page] == NOBODY)) {
			m->owner[e->space][page] = e->location;
			m->kind[e->space][page] = e->kind;
		}
}

static void born(struct pages *p, struct model *m, const struct event *e)
{
	model_give(m, e, true);
	assert_int_equal(
	    pages_born(p, e->space, e->first, e->count, e->location, e->kind, e->rss, e->time_ns),
	    0);
}

static void found(struct pages *p, struct model *m, const struct event *e)
{
	model_give(m, e, false);
	assert_int_equal(
	    pages_found(p, e->space, e->first, e->count, e->location, e->kind, e->rss, e->time_ns),
	    0);
}

static void died(struct pages *p, struct model *m, const struct event *e)
{
	for (uint64_t page = e->first; page < e->first + e->count; page++)
		m->owner[e->space][page] = NOBODY;
	assert_int_equal(pages_died(p, e->space, e->first, e->count, e->rss, e->time_ns), 0);
}

/* The page of the old range that the group of @page, or one beside it, is told by. */
static uint64_t told_by(const struct model *m, const struct event *e, uint64_t page)
{
	uint64_t size = 1ULL << m->shift, group = page / size, sample = 0, nearest = UINT64_MAX;

	for (uint64_t i = group * size; i < (group + 1) * size; i++)
		if (page_sampled(i, m->shift))
			sample = i;
	if (sample >= e->first && sample < e->first + e->count)
		return sample;
	for (uint64_t i = e->first; i < e->first + e->count; i++)
		if (page_sampled(i, m->shift) && (i / size == group + 1 || i / size + 1 == group))
			if ((sample < e->first) == (i > sample))
				nearest = i;
	return nearest == UINT64_MAX ? sample : nearest;
}

static void moved(struct pages *p, struct model *m, const struct event *e)
{
	struct model before = *m;

	for (uint64_t page = e->first; page < e->first + e->count; page++)
		m->owner[e->space][page] = NOBODY;
	for (uint64_t i = 0; i < e->count; i++) {
		uint64_t page = e->to + i, source = told_by(m, e, e->first + i);

		m->owner[e->space][page] = NOBODY;
		if (!page_sampled(page, m->shift) || source >= PAGES)
			continue;
		m->owner[e->space][page] = before.owner[e->space][source];
		m->kind[e->space][page] = before.kind[e->space][source];
	}
	if (e->first == e->to)
		*m = before;
	assert_int_equal(pages_moved(p, e->space, e->first, e->count, e->to, e->rss, e->time_ns),
			 0);
}

static void forked(struct pages *p, struct model *m, const struct event *e)
{
	for (uint64_t page = 0; page < PAGES && e->space != e->other; page++) {
		bool copied = m->kind[e->space][page] == PAGE_ANON;

		m->owner[e->other][page] = copied ? m->owner[e->space][page] : NOBODY;
		m->kind[e->other][page] = PAGE_ANON;
	}
	assert_int_equal(pages_forked(p, e->space, e->other, e->rss, e->time_ns), 0);
}

static void dropped(struct pages *p, struct model *m, const struct event *e)
{
	for (uint64_t page = 0; page < PAGES; page++)
		m->owner[e->space][page] = NOBODY;
	pages_dropped(p, e->space, e->rss, e->time_ns);
}

static void told(struct pages *p, struct model *m, const struct event *e)
{
	(void)m;
	pages_reached(p, e->rss, e->time_ns);
}

static event_fn *random_event(uint64_t *random)
{
	static const struct {
		event_fn *fn;
		unsigned per_mille;
	} events[] = { { born, 500 },  { found, 90 },  { died, 300 }, { moved, 90 },
		       { forked, 10 }, { dropped, 5 }, { told, 5 } };
	unsigned at = next(random) % 1000, i = 0;

	while (at >= events[i].per_mille)
		at -= events[i++].per_mille;
	return events[i].fn;
}

static struct event random_range(uint64_t *random, uint64_t rss, uint64_t time_ns)
{
	uint64_t most = next(random) % 3 ? 4 : PAGES;
	struct event e = { .space = next(random) % SPACES,
			   .other = next(random) % SPACES,
			   .first = next(random) % PAGES,
			   .count = 1 + next(random) % most,
			   .location = next(random) % LOCATIONS,
			   .kind = next(random) % 3,
			   .rss = rss,
			   .time_ns = time_ns };

	if (e.count > PAGES - e.first)
		e.count = PAGES - e.first;
	e.to = next(random) % (PAGES - e.count + 1);
	return e;
}

/* Every page that is no longer sampled loses its owner; what was held stays. */
static void coarser(struct pages *p, struct model *m)
{
	m->shift++;
	for (int s = 0; s < SPACES; s++)
		for (uint64_t page = 0; page < PAGES; page++)
			if (!page_sampled(page, m->shift))
				m->owner[s][page] = NOBODY;
	assert_int_equal(pages_coarsen(p, m->shift), 0);
	assert_int_equal(pages_shift(p), m->shift);
}

static void it_is_what_a_model_that_keeps_every_page_says(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		uint64_t random = seed * 0x9e3779b97f4a7c15, rss = 1000;
		struct pages *p = pages_new(0);
		struct model *m = calloc(1, sizeof(*m));

		memset(m->owner, 0xff, sizeof(m->owner));
		for (uint64_t i = 1; i <= EVENTS / SEEDS; i++) {
			struct event e = random_range(&random, rss, i);

			model_told(m, rss, i);
			random_event (&random)(p, m, &e);
			if (i % (EVENTS / SEEDS / 7) == 0)
				coarser(p, m);
			if (i % 97 == 0)
				assert_as(p, m);
			rss += next(&random) % 201 - 100 + (rss < 1000) * 200;
		}
		assert_as(p, m);
		assert_int_equal(m->shift, 7);
		assert_int_equal(pages_locations(p), LOCATIONS);
		for (uint64_t s = 0; s < SPACES; s++)
			pages_dropped(p, s, 0, EVENTS);
		assert_int_equal(pages_samples(p), 0);
		for (uint32_t i = 0; i < LOCATIONS; i++)
			assert_amount(pages_live(p, i), (struct highwater_amount){ 0, 0 });
		pages_free(p);
		free(m);
	}
	pages_free(NULL);
}

/* ---- single truths ---- */

static void a_level_out_of_bounds_is_refused(void **state)
{
	struct pages *p;

	(void)state;
	errno = 0;
	assert_null(pages_new(SAMPLING_SHIFT_MAX + 1));
	assert_int_equal(errno, EINVAL);
	p = pages_new(4);
	assert_int_equal(pages_coarsen(p, 3), -EINVAL);
	assert_int_equal(pages_coarsen(p, SAMPLING_SHIFT_MAX + 1), -EINVAL);
	assert_int_equal(pages_coarsen(p, 4), 0);
	assert_int_equal(pages_shift(p), 4);
	pages_free(p);
}

static void the_peak_keeps_its_scale_when_sampling_becomes_coarser(void **state)
{
	struct pages *p = pages_new(4);

	(void)state;
	pages_born(p, 1, 0, 1600, 0, PAGE_ANON, 0, 1);
	pages_born(p, 1, 1600, 3200, 1, PAGE_FILE, 1600, 2);
	pages_reached(p, 4800, 3);
	pages_coarsen(p, 8);
	assert_amount(pages_held(p, 0), (struct highwater_amount){ 1600, 100 });
	assert_amount(pages_held(p, 1), (struct highwater_amount){ 3200, 200 });
	/* groups of 256 pages: 7 have their sample in the first 1,600 pages, or 6 */
	assert_in_range(pages_live(p, 0).count, 6, 7);
	assert_int_equal(pages_live(p, 0).bytes, pages_live(p, 0).count * 256);
	assert_int_equal(pages_live(p, 0).count + pages_live(p, 1).count, pages_samples(p));
	pages_reached(p, 4801, 4);
	assert_int_equal(pages_held(p, 0).bytes, pages_live(p, 0).bytes);
	pages_free(p);
}

/* A mapping of 33 pages among others, group size 64: mostly without a sample of its own. If its
 * samples were lost at each move, half of it would be gone after a few. */
static void small_moves_lose_nothing_on_average(void **state)
{
	const double trials = 20000, pages = 33, p_sample = 1.0 / 64;
	uint64_t random = 3;
	double sum = 0;

	(void)state;
	for (int i = 0; i < (int)trials; i++) {
		struct pages *p = pages_new(6);
		uint64_t from = 0x7f0000000 + next(&random) % 100000;
		uint64_t to = 0x7e0000000 + next(&random) % 100000;

		pages_born(p, 1, from - 300, 600, 0, PAGE_ANON, 0, 1);
		pages_moved(p, 1, from, 33, to, 600, 2);
		for (uint64_t page = to; page < to + 33; page++)
			sum += pages_owner(p, 1, page) == 0 ? 64 : 0;
		pages_free(p);
	}
	/* each trial has one sample with p = 33/64, or none */
	assert_true(fabs(sum / trials - pages) <
		    5 * 64 * sqrt(pages * p_sample * (1 - pages * p_sample) / trials));
}

static void the_work_is_that_of_the_smaller_of_range_and_table(void **state)
{
	struct pages *p = pages_new(4);
	uint64_t steps;

	(void)state;
	pages_born(p, 1, 1 << 20, 1600, 0, PAGE_ANON, 0, 1);
	steps = pages_steps(p);
	/* the groups, and the table growing to them: with chance, as its seed is random */
	assert_true(steps < 100 * 200);
	assert_int_equal(pages_died(p, 1, 1ULL << 30, 1ULL << 52, 0, 2), 0);
	assert_int_equal(pages_died(p, 2, 0, UINT64_MAX, 0, 2), 0);
	assert_true(pages_steps(p) - steps < 10000);
	assert_int_equal(pages_samples(p), 100);
	steps = pages_steps(p);
	assert_int_equal(pages_moved(p, 1, 0, 1ULL << 40, 1ULL << 41, 0, 3), 0);
	assert_true(pages_steps(p) - steps < 50000);
	assert_int_equal(pages_samples(p), 100); /* a move by whole groups: as many */
	for (int i = 0; i < 1000; i++)
		pages_born(p, 7, (uint64_t)i * 1000, 1000, 1, PAGE_ANON, 0, 4);
	steps = pages_steps(p);
	for (uint64_t i = 0; i < 10000; i++)
		pages_died(p, 7, i * 100, 1, 0, 5); /* a large table, a small range */
	assert_true(pages_steps(p) - steps < 10000 * 50);
	steps = pages_steps(p);
	pages_dropped(p, 1, 0, 6); /* the large one of another space does not matter */
	assert_true(pages_steps(p) - steps < 10000);
	assert_int_equal(pages_died(p, 7, 0, UINT64_MAX, 0, 7), 0);
	assert_int_equal(pages_samples(p), 0);
	pages_free(p);
}

static void hostile_ranges_end(void **state)
{
	static const uint64_t ends[] = { 0,	     1,		 (1ULL << 52) - 1,
					 1ULL << 52, 1ULL << 63, UINT64_MAX - 1,
					 UINT64_MAX };
	struct pages *p = pages_new(SAMPLING_SHIFT_MAX);

	(void)state;
	for (size_t i = 1; i < 7; i++)
		for (size_t j = 0; j < 7; j++) {
			assert_int_equal(pages_died(p, 1, ends[i], ends[j], 0, 1), 0);
			assert_int_equal(pages_moved(p, 1, ends[i], ends[j], ends[j], 0, 1), 0);
			if (ends[j] < 2 || ends[i] > 2) {
				assert_int_equal(
				    pages_born(p, 1, ends[i], ends[j], 0, PAGE_ANON, 0, 1), 0);
				assert_int_equal(
				    pages_found(p, 2, ends[i], ends[j], 0, PAGE_ANON, 0, 1), 0);
			}
		}
	assert_int_equal(pages_born(p, 1, 0, 1 << 20, UINT32_MAX, PAGE_ANON, 0, 1), -ENOMEM);
	assert_int_equal(pages_forked(p, 1, 1, 0, 1), 0);
	assert_int_equal(pages_forked(p, 99, 98, 0, 1), 0);
	assert_int_equal(pages_owner(p, 1, UINT64_MAX), NOBODY);
	assert_int_equal(pages_owner(p, 99, 0), NOBODY);
	assert_int_equal(pages_live(p, UINT32_MAX).bytes, 0);
	pages_dropped(p, 1, UINT64_MAX, 2);
	pages_dropped(p, 99, 0, 2);
	assert_int_equal(pages_peak(p, NULL), UINT64_MAX);
	pages_free(p);
}

static void a_birth_of_everything_takes_what_it_can(void **state)
{
	struct pages *p = pages_new(0);

	(void)state;
	assert_int_equal(pages_born(p, 1, 0, UINT64_MAX, 0, PAGE_ANON, 0, 1), -ENOSPC);
	assert_int_equal(pages_samples(p), SAMPLES_MAX);
	assert_true(pages_steps(p) < 50ULL * SAMPLES_MAX);
	assert_int_equal(pages_born(p, 2, 0, 1, 0, PAGE_ANON, 0, 1), -ENOSPC);
	assert_int_equal(pages_forked(p, 1, 2, 0, 1), -ENOSPC);
	assert_int_equal(pages_samples(p), SAMPLES_MAX);
	assert_int_equal(pages_coarsen(p, 4), 0); /* and there is room again */
	assert_int_equal(pages_samples(p), SAMPLES_MAX / 16);
	assert_int_equal(pages_live(p, 0).bytes, SAMPLES_MAX);
	assert_int_equal(pages_born(p, 2, 0, 16, 0, PAGE_ANON, 0, 1), 0);
	pages_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_group_has_exactly_one_sample),
		cmocka_unit_test(the_samples_of_a_coarser_level_are_among_those_of_the_finer),
		cmocka_unit_test(every_place_in_a_group_is_sampled_as_often),
		cmocka_unit_test(a_stride_of_pages_is_sampled_as_often_as_all),
		cmocka_unit_test(a_stride_chosen_against_a_multiplication_is_sampled_as_often),
		cmocka_unit_test(it_is_what_a_model_that_keeps_every_page_says),
		cmocka_unit_test(a_level_out_of_bounds_is_refused),
		cmocka_unit_test(the_peak_keeps_its_scale_when_sampling_becomes_coarser),
		cmocka_unit_test(small_moves_lose_nothing_on_average),
		cmocka_unit_test(the_work_is_that_of_the_smaller_of_range_and_table),
		cmocka_unit_test(hostile_ranges_end),
		cmocka_unit_test(a_birth_of_everything_takes_what_it_can),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
