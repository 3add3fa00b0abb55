/* collect_heap_weights_test.c - weights that were told → gaps. Oracle: the mean over many draws is
 * the weight. */
#include <math.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "collect/heap_weights.h"

#define DRAWS 200000

static void the_mean_weight_is_what_was_told(void **state)
{
	static const struct {
		uint64_t bytes, weight;
	} cases[] = {
		{ 500, 65790 }, { 100000, 127800 }, { 8, 524292 }, { 1000, 1001000 }, { 64, 2000 }
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct heap_weights w = {};
		double sum = 0;

		for (int k = 0; k < DRAWS; k++) {
			uint64_t gap = heap_weights_gap(&w, cases[i].bytes, cases[i].weight);

			assert_true(gap > 0);
			sum += heap_weights_weight(cases[i].bytes, gap);
		}
		assert_true(fabs(sum / DRAWS / (double)cases[i].weight - 1) < 0.001);
	}
}

static void what_stands_for_itself_is_not_sampled(void **state)
{
	struct heap_weights w = {};

	(void)state;
	assert_int_equal(heap_weights_gap(&w, 4096, 4096), 0);
	assert_int_equal(heap_weights_gap(&w, 4096, 100), 0);
	assert_int_equal(heap_weights_gap(&w, 0, 100), 0);
}

/* Hostile: any number; at most as many gaps as the heap takes. */
static void any_weight_has_a_gap_of_the_row(void **state)
{
	struct heap_weights w = {};

	(void)state;
	for (int shift = 0; shift < 63; shift++) {
		uint64_t gap = heap_weights_gap(&w, 100, 1ULL << shift);

		assert_true(gap == 0 || (gap >= 1024 && gap <= 1ULL << 30));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mean_weight_is_what_was_told),
		cmocka_unit_test(what_stands_for_itself_is_not_sampled),
		cmocka_unit_test(any_weight_has_a_gap_of_the_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
