/* aggregate_highwater_test.c - what each location held at the peak; oracle: a copy of all that is
 * live, taken anew at each new highest sum. */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "aggregate/highwater.h"

#define LOCATIONS 50
#define EVENTS 100000
#define SEEDS 5
#define TOO_LARGE (1U << 24) /* of highwater.h: "from 0 to 2^24 - 1" */

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dULL;
}

struct oracle {
	struct highwater_amount live[LOCATIONS], held[LOCATIONS], marked[LOCATIONS];
	uint64_t peak, peak_ns;
};

static void oracle_told(struct oracle *o, uint64_t sum, uint64_t time_ns)
{
	if (sum <= o->peak)
		return;
	o->peak = sum;
	o->peak_ns = time_ns;
	memcpy(o->held, o->live, sizeof(o->held));
}

static void assert_amount(struct highwater_amount is, struct highwater_amount wanted)
{
	assert_int_equal(is.bytes, wanted.bytes);
	assert_int_equal(is.count, wanted.count);
}

static void assert_as(const struct highwater *h, const struct oracle *o)
{
	assert_int_equal(highwater_peak(h), o->peak);
	assert_int_equal(highwater_peak_ns(h), o->peak_ns);
	for (uint32_t i = 0; i < LOCATIONS; i++) {
		assert_amount(highwater_held(h, i), o->held[i]);
		assert_amount(highwater_live(h, i), o->live[i]);
		assert_int_equal(highwater_marked(h, i), o->marked[i].bytes);
	}
}

static uint64_t live_sum(const struct oracle *o)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < LOCATIONS; i++)
		sum += (uint64_t)o->live[i].bytes;
	return sum;
}

/* A rise or a fall of a random location that leaves it at 0 or above. */
static struct highwater_amount random_change(uint64_t *seed, const struct highwater_amount *live)
{
	int64_t bytes = (int64_t)(next(seed) % 10000);

	if (next(seed) % 2 && live->count)
		return (struct highwater_amount){ -(bytes < live->bytes ? bytes : live->bytes),
						  -1 };
	return (struct highwater_amount){ bytes, 1 };
}

static void changed(struct highwater *h, struct oracle *o, uint32_t location,
		    struct highwater_amount by, uint64_t sum, uint64_t time_ns)
{
	assert_int_equal(highwater_change(h, location, by.bytes, by.count, sum, time_ns), 0);
	oracle_told(o, sum, time_ns);
	o->live[location].bytes += by.bytes;
	o->live[location].count += by.count;
}

static void held_is_what_was_live_at_the_first_highest_sum(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct highwater *h = highwater_new();
		struct oracle o = { 0 };
		uint64_t random = seed * 0x9e3779b97f4a7c15, held = 0, sum = 0;

		for (uint64_t i = 1; i <= EVENTS; i++) {
			uint32_t at = next(&random) % LOCATIONS;
			struct highwater_amount by = random_change(&random, &o.live[at]);

			changed(h, &o, at, by, sum, i);
			sum += (uint64_t)by.bytes;
			if (next(&random) % 5000 == 0) {
				highwater_mark(h);
				memcpy(o.marked, o.live, sizeof(o.marked));
			}
			if (i % 997 == 0)
				assert_as(h, &o);
		}
		assert_int_equal(sum, live_sum(&o));
		highwater_reached(h, sum, EVENTS + 1); /* the end may be the peak */
		oracle_told(&o, sum, EVENTS + 1);
		assert_as(h, &o);
		for (uint32_t i = 0; i < LOCATIONS; i++)
			held += (uint64_t)highwater_held(h, i).bytes;
		assert_int_equal(held, highwater_peak(h));
		assert_int_equal(highwater_locations(h), LOCATIONS);
		highwater_free(h);
	}
}

/* As RSS: falls and rises of its own, some of them without a location. */
static void the_sum_may_count_more_than_the_locations(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct highwater *h = highwater_new();
		struct oracle o = { 0 };
		uint64_t random = seed * 0xbf58476d1ce4e5b9, sum = 1 << 20;

		for (uint64_t i = 1; i <= EVENTS; i++) {
			uint32_t at = next(&random) % LOCATIONS;

			sum += next(&random) % 1001 - 500;
			if (next(&random) % 4) {
				changed(h, &o, at, random_change(&random, &o.live[at]), sum, i);
			} else {
				highwater_reached(h, sum, i);
				oracle_told(&o, sum, i);
			}
			if (i % 997 == 0)
				assert_as(h, &o);
		}
		assert_as(h, &o);
		highwater_free(h);
	}
}

static void of_equal_sums_the_first_is_the_peak(void **state)
{
	struct highwater *h = highwater_new();

	(void)state;
	assert_int_equal(highwater_change(h, 0, 100, 1, 0, 1), 0);
	assert_int_equal(highwater_change(h, 0, -100, -1, 100, 2), 0);
	assert_int_equal(highwater_change(h, 1, 100, 1, 0, 3), 0);
	highwater_reached(h, 100, 4);
	assert_int_equal(highwater_peak_ns(h), 2);
	assert_int_equal(highwater_held(h, 0).bytes, 100);
	assert_int_equal(highwater_held(h, 1).bytes, 0);
	highwater_reached(h, 101, 5);
	assert_int_equal(highwater_peak_ns(h), 5);
	assert_int_equal(highwater_held(h, 0).bytes, 0);
	assert_int_equal(highwater_held(h, 1).bytes, 100);
	highwater_free(h);
	highwater_free(NULL);
}

static void a_new_scale_changes_what_is_live_and_not_what_was_held(void **state)
{
	struct highwater *h = highwater_new();

	(void)state;
	assert_int_equal(highwater_change(h, 0, 16, 1, 0, 1), 0);
	assert_int_equal(highwater_change(h, 1, 32, 2, 16, 2), 0);
	highwater_reached(h, 48, 3);
	highwater_rescale(h, 0, (struct highwater_amount){ 64, 1 }); /* unchanged since the peak */
	assert_amount(highwater_held(h, 0), (struct highwater_amount){ 16, 1 });
	assert_amount(highwater_live(h, 0), (struct highwater_amount){ 64, 1 });
	assert_int_equal(highwater_change(h, 1, -32, -2, 48, 4), 0);
	highwater_rescale(h, 1, (struct highwater_amount){ 7, 7 });
	assert_amount(highwater_held(h, 1), (struct highwater_amount){ 32, 2 });
	highwater_reached(h, 49, 5); /* a new peak is held in the new scale */
	assert_amount(highwater_held(h, 0), (struct highwater_amount){ 64, 1 });
	assert_amount(highwater_held(h, 1), (struct highwater_amount){ 7, 7 });
	highwater_rescale(h, 9, (struct highwater_amount){ 1, 1 });
	assert_int_equal(highwater_locations(h), 2);
	highwater_free(h);
}

static void a_location_that_is_too_large_changes_nothing(void **state)
{
	static const uint32_t large[] = { UINT32_MAX, UINT32_MAX - 1, 1U << 31, TOO_LARGE };
	struct highwater *h = highwater_new();

	(void)state;
	for (size_t i = 0; i < sizeof(large) / sizeof(*large); i++) {
		assert_int_equal(highwater_change(h, large[i], 5, 1, 1000, 1), -ENOMEM);
		assert_amount(highwater_held(h, large[i]), (struct highwater_amount){ 0, 0 });
		highwater_rescale(h, large[i], (struct highwater_amount){ 1, 1 });
		assert_amount(highwater_live(h, large[i]), (struct highwater_amount){ 0, 0 });
	}
	assert_int_equal(highwater_peak(h), 0);
	assert_int_equal(highwater_locations(h), 0);
	assert_int_equal(highwater_change(h, TOO_LARGE - 1, 5, 1, 0, 1), 0);
	assert_int_equal(highwater_locations(h), TOO_LARGE);
	assert_int_equal(highwater_live(h, TOO_LARGE - 1).bytes, 5);
	assert_int_equal(highwater_live(h, TOO_LARGE / 2).bytes, 0);
	highwater_free(h);
}

static void sums_that_overflow_come_back(void **state)
{
	struct highwater *h = highwater_new();

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(highwater_change(h, 3, INT64_MAX, INT64_MAX, UINT64_MAX, 1), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(highwater_change(h, 3, -INT64_MAX, -INT64_MAX, 0, 1), 0);
	assert_amount(highwater_live(h, 3), (struct highwater_amount){ 0, 0 });
	assert_int_equal(highwater_peak(h), UINT64_MAX);
	highwater_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(held_is_what_was_live_at_the_first_highest_sum),
		cmocka_unit_test(the_sum_may_count_more_than_the_locations),
		cmocka_unit_test(of_equal_sums_the_first_is_the_peak),
		cmocka_unit_test(a_new_scale_changes_what_is_live_and_not_what_was_held),
		cmocka_unit_test(a_location_that_is_too_large_changes_nothing),
		cmocka_unit_test(sums_that_overflow_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
