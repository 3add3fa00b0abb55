/* aggregate_series_test.c - whatever was added, the bounded series tells the truth about it.
 *
 * Oracle: all ticks, kept here unmerged. A point that holds n ticks is compared with the next n of
 * them.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "aggregate/series.h"

#define MANY 100000
#define MIB 1048576ULL

/* xorshift64*: the same on every machine */
static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dULL;
}

static uint64_t below(uint64_t *seed, uint64_t limit)
{
	return next(seed) % limit;
}

/* One tick after @before (NULL: the first): ties, spikes between ticks, gaps, rare PSS. */
static struct series_point random_tick(uint64_t *seed, const struct series_point *before)
{
	uint64_t then = before ? before->time_ns : 1000000000000ULL;
	struct series_point p = {
		.time_ns = then + below(seed, 50) * 1000003,
		.rss_bytes =
		    below(seed, 4) ? below(seed, 1 << 20) * 4096 : (before ? before->rss_bytes : 0),
		.processes = below(seed, 100),
		.threads = below(seed, 1000),
		.anon_bytes = next(seed),
		.swap_bytes = next(seed),
		.pss_bytes = below(seed, 8) ? NOT_MEASURED : below(seed, 1 << 30),
		.minor_faults = (before ? before->minor_faults : 0) + below(seed, 9),
	};

	p.peak_bytes = below(seed, 3) ? 0 : p.rss_bytes + below(seed, 3) * 4096;
	p.peak_ns = then + (p.time_ns - then) / 2;
	if (!below(seed, 64)) {
		p.gap_ns = 1 + below(seed, 1000);
		p.gap_suspend = below(seed, 2);
	}
	return p;
}

static struct series_point *fill(struct series *s, uint64_t seed, size_t count)
{
	struct series_point *ticks = calloc(count, sizeof(*ticks));

	assert_non_null(ticks);
	for (size_t i = 0; i < count; i++) {
		ticks[i] = random_tick(&seed, i ? &ticks[i - 1] : NULL);
		assert_int_equal(series_add(s, &ticks[i], NULL), 0);
		/* what the header says that series_add() does */
		if (ticks[i].peak_bytes < ticks[i].rss_bytes) {
			ticks[i].peak_bytes = ticks[i].rss_bytes;
			ticks[i].peak_ns = ticks[i].time_ns;
		}
	}
	return ticks;
}

/* A merged mean is cut to whole bytes at each merge: one byte a merge at most, and downwards. */
static void assert_mean(const struct series_point *p, long double sum, size_t merges)
{
	long double mean = sum / p->ticks;
	size_t most = p->ticks - 1 < merges ? p->ticks - 1 : merges;

	assert_true((long double)p->rss_bytes <= mean + 0.01L);
	assert_true((long double)p->rss_bytes >= mean - most - 0.01L);
}

/* Checks point @p against the ticks that it holds. */
static void assert_holds(const struct series_point *p, const struct series_point *ticks,
			 size_t merges)
{
	const struct series_point *last = &ticks[p->ticks - 1];
	uint64_t lowest = UINT64_MAX, highest = 0, gap_ns = 0, pss = NOT_MEASURED;
	bool suspend = false, found_min = false, found_peak = false;
	long double sum = 0;

	for (size_t i = 0; i < p->ticks; i++) {
		sum += ticks[i].rss_bytes;
		gap_ns += ticks[i].gap_ns;
		suspend |= ticks[i].gap_suspend;
		lowest = ticks[i].rss_bytes < lowest ? ticks[i].rss_bytes : lowest;
		highest = ticks[i].peak_bytes > highest ? ticks[i].peak_bytes : highest;
		pss = ticks[i].pss_bytes != NOT_MEASURED ? ticks[i].pss_bytes : pss;
	}
	for (size_t i = 0; i < p->ticks; i++) {
		found_min |= ticks[i].rss_bytes == lowest && ticks[i].time_ns == p->min_ns;
		found_peak |= ticks[i].peak_bytes == highest && ticks[i].peak_ns == p->peak_ns;
	}
	assert_true(p->time_ns == last->time_ns);
	assert_true(p->last_bytes == last->rss_bytes);
	assert_true(p->min_bytes == lowest && found_min);
	assert_true(p->peak_bytes == highest && found_peak);
	assert_true(p->gap_ns == gap_ns && p->gap_suspend == suspend);
	assert_true(p->pss_bytes == pss);
	assert_true(p->anon_bytes == last->anon_bytes && p->swap_bytes == last->swap_bytes);
	assert_true(p->minor_faults == last->minor_faults);
	assert_true(p->processes == last->processes && p->threads == last->threads);
	assert_mean(p, sum, merges);
}

static void assert_true_of(const struct series *s, const struct series_point *ticks, size_t count,
			   size_t limit)
{
	size_t held = 0, merges = 4 * count / limit + 1; /* a compaction makes room for limit/4 */
	const struct series_point *peak = &ticks[0];
	uint64_t bytes = 0, time_ns = 0;

	assert_in_range(series_length(s), count < limit ? count : limit / 2, limit);
	for (size_t i = 0; i < series_length(s); i++) {
		const struct series_point *p = series_at(s, i);

		assert_in_range(p->ticks, 1, count - held);
		assert_holds(p, &ticks[held], merges);
		held += p->ticks;
		if (i)
			assert_true(p->time_ns >= series_at(s, i - 1)->time_ns);
	}
	assert_int_equal(held, count);
	for (size_t i = 0; i < count; i++)
		if (ticks[i].peak_bytes > peak->peak_bytes)
			peak = &ticks[i];
	assert_int_equal(series_peak(s, &bytes, &time_ns), 0);
	assert_true(bytes == peak->peak_bytes);
	assert_true(time_ns == peak->peak_ns); /* of equal ones the first */
}

static void every_point_is_true_of_its_ticks(void **state)
{
	static const size_t limits[] = { 16, 17, 19, 64, 127, SERIES_LIMIT };

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		for (uint64_t seed = 1; seed <= 3; seed++) {
			struct series *s = series_new(limits[i], 0);
			struct series_point *ticks;

			assert_non_null(s);
			ticks = fill(s, seed * 0x9e3779b97f4a7c15ULL, MANY);
			assert_true_of(s, ticks, MANY, limits[i]);
			free(ticks);
			series_free(s);
		}
}

static void it_is_true_at_every_length(void **state)
{
	struct series_point *ticks;

	(void)state;
	for (size_t count = 1; count < 200; count++) {
		struct series *s = series_new(16, 0);

		ticks = fill(s, count + 42, count);
		assert_true_of(s, ticks, count, 16);
		free(ticks);
		series_free(s);
	}
}

static void it_never_grows_beyond_its_limit(void **state)
{
	struct series *s = series_new(64, 0);
	uint64_t seed = 7;
	struct series_point p = random_tick(&seed, NULL);

	(void)state;
	for (size_t i = 1; i <= 1000; i++) {
		p = random_tick(&seed, &p);
		assert_int_equal(series_add(s, &p, NULL), 0);
		assert_in_range(series_length(s), i < 48 ? i : 48, 64);
	}
	series_free(s);
}

/* up to the limit nothing is merged; the newest half never is */
static void the_recent_past_stays_sharp(void **state)
{
	struct series *s = series_new(64, 0);
	struct series_point p = { .pss_bytes = NOT_MEASURED };

	(void)state;
	for (size_t i = 0; i < 64; i++) {
		p.time_ns = i;
		assert_int_equal(series_add(s, &p, NULL), 0);
	}
	assert_int_equal(series_length(s), 64);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(series_at(s, i)->ticks, 1);
	for (size_t i = 64; i < 10000; i++) {
		p.time_ns = i;
		assert_int_equal(series_add(s, &p, NULL), 0);
		for (size_t k = series_length(s) - 32; k < series_length(s); k++)
			assert_int_equal(series_at(s, k)->ticks, 1);
	}
	assert_true(series_at(s, 0)->ticks > 2);
	series_free(s);
}

static void a_single_spike_survives_every_merge(void **state)
{
	static const size_t limits[] = { 16, 64, SERIES_LIMIT };
	static const size_t wheres[] = { 0, 1, 50000, MANY - 1 };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		for (size_t w = 0; w < 4; w++) {
			struct series *s = series_new(limits[i], 0);
			uint64_t bytes, time_ns;

			for (size_t k = 0; k < MANY; k++) {
				struct series_point p = { .time_ns = 1000 + k * 10,
							  .rss_bytes = 10 * MIB };

				if (k == wheres[w]) {
					p.peak_bytes = 10 * MIB + 1;
					p.peak_ns = p.time_ns - 7;
				}
				assert_int_equal(series_add(s, &p, NULL), 0);
			}
			assert_int_equal(series_peak(s, &bytes, &time_ns), 0);
			assert_int_equal(bytes, 10 * MIB + 1);
			assert_int_equal(time_ns, 1000 + wheres[w] * 10 - 7);
			series_free(s);
		}
}

static void a_peak_row_needs_both_ends_below_it(void **state)
{
	/* tick at 100 with 5 bytes, then one at 200 with `rss` and `peak` at `at` */
	static const struct {
		uint64_t rss, peak, at;
		int row;
	} cases[] = {
		{ 5, 9, 150, 1 },  { 1, 9, 101, 1 },
		{ 8, 9, 199, 1 },  { 9, 9, 150, 0 }, /* the tick itself is as high */
		{ 1, 5, 150, 0 },		     /* the tick before was as high */
		{ 1, 6, 150, 1 },		     /* one byte above it */
		{ 12, 9, 150, 0 },		     /* the tick is higher */
		{ 5, 9, 100, 1 },		     /* at the tick before: the events had more */
		{ 5, 9, 200, 0 },		     /* at the tick */
		{ 5, 9, 50, 0 },		     /* not in this interval */
		{ 5, 0, 0, 0 },			     /* none was seen */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct series *s = series_new(16, 0);
		struct series_point a = { .time_ns = 100, .rss_bytes = 5 },
				    b = { .time_ns = 200,
					  .rss_bytes = cases[i].rss,
					  .peak_bytes = cases[i].peak,
					  .peak_ns = cases[i].at };

		assert_int_equal(series_add(s, &a, NULL), 0);
		assert_int_equal(series_add(s, &b, NULL), 0);
		assert_int_equal(series_has_peak_row(s, 0), 0);
		if (!!series_has_peak_row(s, 1) != cases[i].row)
			fail_msg("case %zu: %d instead of %d", i, !cases[i].row, cases[i].row);
		series_free(s);
	}
}

/* What the events and the ticks differ by from end to end is not told again with every tick. */
static void at_a_tick_only_the_highest_peak_has_a_row(void **state)
{
	struct series *s = series_new(16, 0);

	(void)state;
	for (uint64_t i = 1; i <= 5; i++) {
		struct series_point p = { .time_ns = i * 100,
					  .rss_bytes = 5,
					  .peak_bytes = i == 3 ? 8 : 7,
					  .peak_ns = (i - 1) * 100 };

		assert_int_equal(series_add(s, &p, NULL), 0);
	}
	for (size_t i = 1; i < 5; i++)
		assert_int_equal(series_has_peak_row(s, i), i == 2);
	series_free(s);
}

static void the_first_point_may_have_a_peak_row(void **state)
{
	struct series *s = series_new(16, 0);
	struct series_point p = { .time_ns = 100, .rss_bytes = 5, .peak_bytes = 6, .peak_ns = 99 };

	(void)state;
	assert_int_equal(series_add(s, &p, NULL), 0);
	assert_true(series_has_peak_row(s, 0));
	series_free(s);
}

static void a_merged_point_has_no_peak_row(void **state)
{
	struct series *s = series_new(16, 0);

	(void)state;
	for (uint64_t i = 1; i <= 17; i++) {
		struct series_point p = { .time_ns = i * 100,
					  .rss_bytes = 5,
					  .peak_bytes = 5 + i,
					  .peak_ns = i * 100 - 50 };

		assert_int_equal(series_add(s, &p, NULL), 0);
	}
	assert_int_equal(series_at(s, 0)->ticks, 2);
	for (size_t i = 0; i < series_length(s); i++)
		assert_int_equal(!!series_has_peak_row(s, i), series_at(s, i)->ticks == 1);
	series_free(s);
}

/* Of a merged point those of its last tick: totals never fall by merging. */
static void extra_numbers_go_with_their_ticks(void **state)
{
	struct series *s = series_new(16, 3);
	uint64_t last = 0;

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++) {
		struct series_point p = { .time_ns = i, .rss_bytes = i % 7 };

		assert_int_equal(series_add(s, &p, (uint64_t[]){ i, 2 * i, NOT_MEASURED }), 0);
	}
	for (size_t i = 0; i < series_length(s); i++) {
		const uint64_t *extras = series_extras_at(s, i);

		assert_int_equal(extras[0], series_at(s, i)->time_ns);
		assert_int_equal(extras[1], 2 * extras[0]);
		assert_int_equal(extras[2], NOT_MEASURED);
		assert_true(extras[0] > last);
		last = extras[0];
	}
	assert_int_equal(last, 1000);
	series_free(s);
}

static void time_does_not_go_back(void **state)
{
	struct series *s = series_new(16, 0);
	struct series_point p = { .time_ns = 100, .rss_bytes = 1 };
	uint64_t bytes;

	(void)state;
	assert_int_equal(series_peak(s, &bytes, NULL), -ENODATA);
	assert_int_equal(series_add(s, &p, NULL), 0);
	p.time_ns = 99;
	p.rss_bytes = 1000;
	assert_int_equal(series_add(s, &p, NULL), -EINVAL);
	assert_int_equal(series_length(s), 1);
	assert_int_equal(series_peak(s, &bytes, NULL), 0);
	assert_int_equal(bytes, 1);
	p.time_ns = 100; /* the same time is fine */
	assert_int_equal(series_add(s, &p, NULL), 0);
	assert_int_equal(series_length(s), 2);
	assert_int_equal(series_peak(s, NULL, NULL), 0);
	series_free(s);
}

/* every tick says when its peak was, also one of a task without memory */
static void the_peak_of_a_tick_without_memory_is_that_tick(void **state)
{
	struct series *s = series_new(16, 0);
	struct series_point p = { .time_ns = 12345 };

	(void)state;
	assert_int_equal(series_add(s, &p, NULL), 0);
	assert_int_equal(series_at(s, 0)->peak_bytes, 0);
	assert_int_equal(series_at(s, 0)->peak_ns, 12345);
	series_free(s);
}

static void a_limit_below_16_is_refused(void **state)
{
	(void)state;
	errno = 0;
	assert_null(series_new(15, 0));
	assert_int_equal(errno, EINVAL);
	assert_null(series_new(0, 0));
	series_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_point_is_true_of_its_ticks),
		cmocka_unit_test(it_is_true_at_every_length),
		cmocka_unit_test(it_never_grows_beyond_its_limit),
		cmocka_unit_test(the_recent_past_stays_sharp),
		cmocka_unit_test(a_single_spike_survives_every_merge),
		cmocka_unit_test(a_peak_row_needs_both_ends_below_it),
		cmocka_unit_test(at_a_tick_only_the_highest_peak_has_a_row),
		cmocka_unit_test(the_first_point_may_have_a_peak_row),
		cmocka_unit_test(a_merged_point_has_no_peak_row),
		cmocka_unit_test(extra_numbers_go_with_their_ticks),
		cmocka_unit_test(time_does_not_go_back),
		cmocka_unit_test(the_peak_of_a_tick_without_memory_is_that_tick),
		cmocka_unit_test(a_limit_below_16_is_refused),
	};

	return cmocka_run_group_tests_name("aggregate/series", tests, NULL, NULL);
}
