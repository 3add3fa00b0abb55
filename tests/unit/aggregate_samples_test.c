/* samples: marks per stack and slice of time. Oracle: a naive table of every mark. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregate/samples.h"
#include "aggregate/stacks.h"

#define START 1000000ULL
#define SLICE 100ULL
#define NODE (STACKS_OVERFLOW + 1) /* of some stack */

struct sum {
	uint64_t marks, of_slice[SAMPLES_SLICES_MAX + 1], of_node[64];
	size_t cells;
};

static int add_up(void *context, const struct samples_cell *cell)
{
	struct sum *sum = context;

	assert_true(cell->slice < SAMPLES_SLICES_MAX);
	sum->marks += cell->marks;
	sum->of_slice[cell->slice] += cell->marks;
	if (cell->node < 64)
		sum->of_node[cell->node] += cell->marks;
	sum->cells++;
	return 0;
}

static void marks_of_one_wait_fall_into_the_slices_they_stood_in(void **state)
{
	struct samples *s = samples_new(START, SLICE);
	struct sum sum = {};

	(void)state;
	/* at +50, +80, +110, +140, +170, +200 */
	assert_int_equal(samples_add(s, NODE, 0, 0, 0, START + 50, 30, 6), 0);
	samples_each(s, add_up, &sum);
	assert_int_equal(sum.of_slice[0], 2);
	assert_int_equal(sum.of_slice[1], 3);
	assert_int_equal(sum.of_slice[2], 1);
	assert_int_equal(samples_marks(s), 6);
	samples_free(s);
}

static void slices_merge_in_pairs_and_no_mark_is_lost(void **state)
{
	static uint64_t wanted[SAMPLES_SLICES_MAX + 1];
	struct samples *s = samples_new(START, SLICE);
	struct sum sum = {};
	uint64_t total = 0, time = START;

	(void)state;
	srand(4);
	for (int i = 0; i < 20000; i++) {
		time += rand() % 40;
		assert_int_equal(samples_add(s, NODE, rand() % 3, rand() % 4, 0, time, 7, 3), 0);
		total += 3;
	}
	assert_true(samples_slice_ns(s) > SLICE);
	samples_each(s, add_up, &sum);
	assert_int_equal(sum.marks, total);
	assert_int_equal(samples_marks(s), total);
	/* oracle: the same marks again, each into its slice of the final length */
	srand(4);
	time = START;
	for (int i = 0; i < 20000; i++) {
		time += rand() % 40;
		rand();
		rand();
		for (int k = 0; k < 3; k++)
			wanted[(time + k * 7 - START) / samples_slice_ns(s)]++;
	}
	/* an addition is spread by the slices of its time: only marks that stood together then stay
	 * so */
	for (size_t i = 0; i < SAMPLES_SLICES_MAX; i++)
		assert_int_equal(sum.of_slice[i], wanted[i]);
	samples_free(s);
}

static void a_wait_of_a_day_is_one_addition_in_bounded_room(void **state)
{
	struct samples *s = samples_new(START, SLICE);
	struct sum sum = {};

	(void)state;
	assert_int_equal(samples_add(s, NODE, 0, 0, 0, START, 10, 8640000), 0);
	samples_each(s, add_up, &sum);
	assert_int_equal(sum.marks, 8640000);
	assert_true(sum.cells <= SAMPLES_SLICES_MAX);
	samples_free(s);
}

/* 24 hours of two busy CPUs at 99 Hz, every fourth of their samples: 300 stacks, 40 threads. */
static void a_day_of_samples_keeps_its_size(void **state)
{
	const uint64_t day_ns = 86400ULL * 1000000000, step_ns = 4 * 5050505ULL;
	struct samples *s = samples_new(0, 100000000);
	struct sum sum = {}, first = {};
	uint64_t added = 0;

	(void)state;
	srand(9);
	for (uint64_t time = 0; time < day_ns; time += step_ns, added++) {
		uint64_t id = 1 + rand() % 300;

		assert_int_equal(samples_add(s, NODE + id, id % 40, id % 5, 0, time, 10101010, 1),
				 0);
		if (added == day_ns / step_ns / 24)
			samples_each(s, add_up, &first);
	}
	samples_each(s, add_up, &sum);
	assert_int_equal(sum.marks, added);
	assert_true(sum.cells <= 300 * SAMPLES_SLICES_MAX);
	assert_true(sum.cells <= 4 * first.cells); /* of its first hour */
	samples_free(s);
}

static void marks_before_the_start_belong_to_the_first_slice(void **state)
{
	struct samples *s = samples_new(START, SLICE);
	struct sum sum = {};

	(void)state;
	assert_int_equal(samples_add(s, STACKS_ROOT, 0, 0, 0, START - 500, 100, 4), 0);
	samples_each(s, add_up, &sum);
	assert_int_equal(sum.of_slice[0], 4);
	samples_free(s);
}

static void too_many_samples_keep_their_thread_and_cause(void **state)
{
	struct samples *s = samples_new(START, SLICE);
	struct sum sum = {};

	(void)state;
	for (uint64_t i = 0; i < SAMPLES_ENTRIES_MAX + 10; i++)
		assert_int_equal(samples_add(s, STACKS_ROOT, 1, 2, i, START, 1, 1), 0);
	samples_each(s, add_up, &sum);
	assert_int_equal(sum.marks, SAMPLES_ENTRIES_MAX + 10);
	assert_int_equal(sum.of_node[STACKS_OVERFLOW], 10);
	assert_int_equal(samples_overflowed(s), 10);
	samples_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_of_one_wait_fall_into_the_slices_they_stood_in),
		cmocka_unit_test(slices_merge_in_pairs_and_no_mark_is_lost),
		cmocka_unit_test(a_wait_of_a_day_is_one_addition_in_bounded_room),
		cmocka_unit_test(a_day_of_samples_keeps_its_size),
		cmocka_unit_test(marks_before_the_start_belong_to_the_first_slice),
		cmocka_unit_test(too_many_samples_keep_their_thread_and_cause),
	};

	return cmocka_run_group_tests_name("aggregate/samples", tests, NULL, NULL);
}
