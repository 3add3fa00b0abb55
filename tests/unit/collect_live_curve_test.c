/* collect_live_curve_test.c - the timeline of what is live: bounded, and no peak is lost; oracle:
 * the values that were told. */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "collect/live_curve.h"
#include "lib/clock.h"

static struct live_curve curve;

static int setup(void **state)
{
	(void)state;
	curve = (struct live_curve){ 0 };
	return 0;
}

/* A day of a change every 2 ms, with one short spike. */
static void a_day_is_bounded_and_keeps_its_spike(void **state)
{
	const struct allocations_facts facts = { .command = "x" };
	struct allocations *a = allocations_new(&facts);
	const uint64_t start = 5 * NS_PER_S, changes = 86400ULL * 500;
	uint64_t highest = 0, last = 0;

	(void)state;
	assert_non_null(a);
	for (uint64_t i = 0; i < changes; i++)
		live_curve_see(&curve, start + i * 2 * NS_PER_MS,
			       i == 7654321 ? 1ULL << 40 : i % 1000, 0);
	assert_in_range(curve.count, CURVE_POINTS / 2, CURVE_POINTS);
	assert_int_equal(live_curve_add(&curve, start, a), 0);
	assert_int_equal(allocations_point_count(a), curve.count);
	for (size_t i = 0; i < curve.count; i++) {
		const struct allocation_point *p = allocations_point_at(a, i);

		assert_true(p->time_ns >= last && p->highest_bytes >= p->live_bytes);
		if (p->highest_bytes > highest) {
			highest = p->highest_bytes;
			/* the spike is in the point that follows it */
			if (highest == 1ULL << 40)
				assert_true(p->time_ns >= 7654321 * 2 * NS_PER_MS);
		}
		last = p->time_ns;
	}
	assert_int_equal(highest, 1ULL << 40);
	assert_in_range(last, 86400 * NS_PER_S - 2 * curve.step_ns, 86400 * NS_PER_S);
	allocations_free(a);
}

static void the_first_is_a_point_and_times_do_not_go_back(void **state)
{
	(void)state;
	live_curve_see(&curve, 1000 * NS_PER_MS, 10, 30);
	live_curve_see(&curve, 900 * NS_PER_MS, 70, 0);
	live_curve_see(&curve, 1000 * NS_PER_MS + 5, 20, 0);
	assert_int_equal(curve.count, 1);
	assert_int_equal(curve.points[0].highest_bytes, 30);
	live_curve_see(&curve, 1002 * NS_PER_MS, 5, 0);
	assert_int_equal(curve.count, 2);
	assert_int_equal(curve.points[1].live_bytes, 5);
	assert_int_equal(curve.points[1].highest_bytes, 70);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_day_is_bounded_and_keeps_its_spike, setup),
		cmocka_unit_test_setup(the_first_is_a_point_and_times_do_not_go_back, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
