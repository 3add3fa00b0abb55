/* stacks: an interned tree of raw stacks. Oracle: frames as they were added, and counts by hand. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregate/stacks.h"

static void equal_stacks_are_one_and_share_their_roots(void **state)
{
	const uint64_t a[] = { 1, 2, 3 }, b[] = { 1, 2, 4 };
	struct stacks *s = stacks_new();

	(void)state;
	assert_int_equal(stacks_add(s, 77, a, 3), 0);
	assert_int_equal(stacks_add(s, 88, b, 3), 0);
	assert_int_equal(stacks_add(s, 99, a, 3), 0);
	assert_int_equal(stacks_count(s), STACKS_OVERFLOW + 1 + 4);
	assert_int_equal(stacks_node(s, 77), stacks_node(s, 99));
	assert_int_equal(stacks_parent(s, stacks_node(s, 77)),
			 stacks_parent(s, stacks_node(s, 88)));
	assert_int_equal(stacks_frame(s, stacks_node(s, 88)), 4);
	assert_int_equal(stacks_node(s, 12345), STACKS_ROOT);
	stacks_free(s);
}

static void a_stack_sent_again_under_its_id_stays_the_same_node(void **state)
{
	const uint64_t a[] = { 5, 6 };
	struct stacks *s = stacks_new();
	uint32_t node;

	(void)state;
	assert_int_equal(stacks_add(s, 1, a, 2), 0);
	node = stacks_node(s, 1);
	assert_int_equal(stacks_add(s, 1, a, 2), 0);
	assert_int_equal(stacks_node(s, 1), node);
	stacks_free(s);
}

static void too_many_stacks_become_the_overflow_stack_and_are_counted(void **state)
{
	struct stacks *s = stacks_new();
	uint64_t overflowed = 0;

	(void)state;
	for (uint64_t i = 1; i <= STACKS_NODES_MAX + 100; i++) {
		uint64_t frame = i * 3;

		if (stacks_add(s, i, &frame, 1))
			overflowed++;
	}
	assert_true(overflowed >= 100);
	assert_int_equal(stacks_overflowed(s), overflowed);
	assert_int_equal(stacks_node(s, STACKS_NODES_MAX + 100), STACKS_OVERFLOW);
	assert_true(stacks_count(s) <= STACKS_NODES_MAX);
	stacks_free(s);
}

/* Whose nodes are all known needs no room: only its id may find none. */
static void a_full_tree_still_takes_ids_of_stacks_it_knows(void **state)
{
	const uint64_t known = 3, unknown = 7;
	struct stacks *s = stacks_new();
	uint64_t *deep = calloc(STACKS_NODES_MAX, sizeof(*deep));

	(void)state;
	assert_non_null(deep);
	assert_int_equal(stacks_add(s, 1, &known, 1), 0);
	for (size_t i = 0; i < STACKS_NODES_MAX; i++)
		deep[i] = 1000 + i;
	assert_int_equal(stacks_add(s, 2, deep, STACKS_NODES_MAX), -ENOSPC);
	assert_int_equal(stacks_node(s, 2), STACKS_OVERFLOW);
	assert_int_equal(stacks_count(s), STACKS_NODES_MAX);
	assert_int_equal(stacks_add(s, 3, &known, 1), 0);
	assert_int_equal(stacks_node(s, 3), stacks_node(s, 1));
	assert_int_equal(stacks_add(s, 4, &unknown, 1), -ENOSPC);
	assert_int_equal(stacks_node(s, 4), STACKS_OVERFLOW);
	assert_int_equal(stacks_overflowed(s), 2);
	free(deep);
	stacks_free(s);
}

static void too_many_ids_are_the_overflow_stack_and_those_before_stay(void **state)
{
	const uint64_t frame = 9;
	struct stacks *s = stacks_new();

	(void)state;
	for (uint64_t id = 1; id <= STACKS_IDS_MAX; id++)
		assert_int_equal(stacks_add(s, id, &frame, 1), 0);
	assert_int_equal(stacks_add(s, STACKS_IDS_MAX + 1, &frame, 1), -ENOSPC);
	assert_int_equal(stacks_overflowed(s), 1);
	assert_int_equal(stacks_node(s, STACKS_IDS_MAX + 1), STACKS_OVERFLOW);
	assert_int_equal(stacks_node(s, 0), STACKS_ROOT);
	assert_int_equal(stacks_frame(s, stacks_node(s, STACKS_IDS_MAX)), frame);
	assert_int_equal(stacks_count(s), STACKS_OVERFLOW + 1 + 1);
	stacks_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_stacks_are_one_and_share_their_roots),
		cmocka_unit_test(a_stack_sent_again_under_its_id_stays_the_same_node),
		cmocka_unit_test(too_many_stacks_become_the_overflow_stack_and_are_counted),
		cmocka_unit_test(a_full_tree_still_takes_ids_of_stacks_it_knows),
		cmocka_unit_test(too_many_ids_are_the_overflow_stack_and_those_before_stay),
	};

	return cmocka_run_group_tests_name("aggregate/stacks", tests, NULL, NULL);
}
