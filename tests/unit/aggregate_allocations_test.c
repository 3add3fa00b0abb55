/* aggregate_allocations_test.c - the finished record of who held the memory. Oracle: sums of what
 * was put in, by hand or by a plain loop.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "aggregate/allocations.h"

static const struct allocations_facts facts = { .exact = true,
						.peak_bytes = 60,
						.command = "demo" };

/* Two stacks, main and main;work, and two threads. */
static struct allocations *made(void)
{
	struct allocations *a = allocations_new(&facts);
	struct profile *p;
	uint32_t root, frame;

	assert_non_null(a);
	p = allocations_tree(a);
	profile_process(p, &(struct profile_process){ "demo-7", 7 });
	profile_thread(p, &(struct profile_thread){ .name = "demo", .tid = 7 });
	profile_thread(p, &(struct profile_thread){ .name = "work", .tid = 8 });
	frame =
	    profile_frame(p, &(struct profile_frame){ .name = "main", .mapping = PROFILE_NONE });
	root = profile_stack(p, PROFILE_NO_STACK, frame);
	frame =
	    profile_frame(p, &(struct profile_frame){ .name = "work", .mapping = PROFILE_NONE });
	assert_int_equal(profile_stack(p, root, frame), 1);
	return a;
}

static struct allocation_entry entry(uint32_t stack, uint32_t thread, uint32_t allocator,
				     uint64_t bytes)
{
	return (struct allocation_entry){
		.stack = stack,
		.thread = thread,
		.allocator = allocator,
		.peak = { bytes, 1 },
		.leaked = { bytes * 2, 2 },
		.allocated = { bytes * 3, 3 },
		.temporary = { bytes * 4, 4 },
	};
}

static void assert_sums(const struct allocation_entry *e, uint64_t bytes, uint64_t times)
{
	assert_int_equal(e->peak.bytes, bytes);
	assert_int_equal(e->peak.count, times);
	assert_int_equal(e->leaked.bytes, bytes * 2);
	assert_int_equal(e->leaked.count, times * 2);
	assert_int_equal(e->allocated.bytes, bytes * 3);
	assert_int_equal(e->allocated.count, times * 3);
	assert_int_equal(e->temporary.bytes, bytes * 4);
	assert_int_equal(e->temporary.count, times * 4);
}

static void one_stack_thread_and_allocator_is_one_entry(void **state)
{
	static const uint32_t others[][3] = {
		{ PROFILE_NO_STACK, 0, ALLOCATOR_MALLOC },
		{ 1, 1, ALLOCATOR_MALLOC },
		{ 1, 0, ALLOCATOR_CALLOC },
	};
	struct allocations *a = made();
	struct allocation_entry e = entry(1, 0, ALLOCATOR_MALLOC, 10), sum;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(allocations_add(a, &e), 0);
	assert_int_equal(allocations_count(a), 1);
	assert_sums(allocations_at(a, 0), 30, 3);
	for (size_t i = 0; i < 3; i++) {
		e = entry(others[i][0], others[i][1], others[i][2], 10);
		assert_int_equal(allocations_add(a, &e), 0);
		assert_int_equal(allocations_count(a), i + 2);
		assert_int_equal(allocations_at(a, i + 1)->stack, others[i][0]);
		assert_int_equal(allocations_at(a, i + 1)->thread, others[i][1]);
		assert_int_equal(allocations_at(a, i + 1)->allocator, others[i][2]);
		assert_sums(allocations_at(a, i + 1), 10, 1);
	}
	sum = allocations_sum(a);
	assert_sums(&sum, 60, 6);
	allocations_free(a);
}

/* 3, 4 and 12: the root of 169 is 13. */
static void errors_add_as_those_of_independent_estimates(void **state)
{
	struct allocations *a = made();
	struct allocation_entry e = entry(0, 0, ALLOCATOR_MALLOC, 1);

	(void)state;
	assert_int_equal(allocations_sum(a).error_95_bytes, 0);
	e.error_95_bytes = 3;
	allocations_add(a, &e);
	assert_int_equal(allocations_at(a, 0)->error_95_bytes, 3);
	e.error_95_bytes = 4;
	allocations_add(a, &e);
	assert_int_equal(allocations_at(a, 0)->error_95_bytes, 5);
	e.stack = 1;
	e.error_95_bytes = 12;
	allocations_add(a, &e);
	assert_int_equal(allocations_at(a, 1)->error_95_bytes, 12);
	assert_int_equal(allocations_sum(a).error_95_bytes, 13);
	e.error_95_bytes = UINT64_MAX; /* no number of a format is negative */
	allocations_add(a, &e);
	assert_int_equal(allocations_sum(a).error_95_bytes, INT64_MAX);
	allocations_free(a);
}

static void what_is_not_known_or_too_large_changes_nothing(void **state)
{
	struct allocations *a = made();
	struct allocation_entry e = entry(1, 1, ALLOCATOR_MALLOC, 5), sum;

	(void)state;
	allocations_add(a, &e);
	e = entry(2, 0, ALLOCATOR_MALLOC, 1);
	assert_int_equal(allocations_add(a, &e), -EINVAL);
	e = entry(1, 2, ALLOCATOR_MALLOC, 1);
	assert_int_equal(allocations_add(a, &e), -EINVAL);
	e = entry(1, 0, ALLOCATORS, 1);
	assert_int_equal(allocations_add(a, &e), -EINVAL);
	e = (struct allocation_entry){ .stack = 1, .temporary.bytes = INT64_MAX - 19 };
	assert_int_equal(allocations_add(a, &e), -EOVERFLOW); /* 20 are there */
	e.temporary.bytes = UINT64_MAX;
	assert_int_equal(allocations_add(a, &e), -EOVERFLOW);
	assert_int_equal(allocations_count(a), 1);
	sum = allocations_sum(a);
	assert_sums(&sum, 5, 1);
	e.temporary.bytes = INT64_MAX - 20;
	assert_int_equal(allocations_add(a, &e), 0);
	assert_int_equal(allocations_sum(a).temporary.bytes, INT64_MAX);
	allocations_free(a);
}

static void points_stay_in_the_order_of_time(void **state)
{
	struct allocations *a = made();

	(void)state;
	for (uint64_t i = 0; i < 10000; i++) /* two at each time */
		assert_int_equal(
		    allocations_point(a, &(struct allocation_point){ i / 2, i, i + 1, i + 2 }), 0);
	assert_int_equal(allocations_point(a, &(struct allocation_point){ .time_ns = 4998 }),
			 -EINVAL);
	assert_int_equal(allocations_point_count(a), 10000);
	for (uint64_t i = 0; i < 10000; i++) {
		const struct allocation_point *p = allocations_point_at(a, i);

		assert_int_equal(p->time_ns, i / 2);
		assert_int_equal(p->live_bytes, i);
		assert_int_equal(p->highest_bytes, i + 1);
		assert_int_equal(p->rss_bytes, i + 2);
	}
	allocations_free(a);
}

static void every_allocator_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ALLOCATORS; i++)
		for (unsigned j = 0; j <= i; j++)
			assert_int_equal(!strcmp(allocator_name(i), allocator_name(j)), i == j);
	assert_string_equal(allocator_name(ALLOCATOR_POSIX_MEMALIGN), "posix_memalign");
	assert_string_equal(allocator_name(ALLOCATOR_PAGE_ANON), "anonymous page");
	assert_string_equal(allocator_name(ALLOCATORS), "unknown");
}

static void the_facts_are_those_told(void **state)
{
	struct allocations *a = made();

	(void)state;
	assert_memory_equal(allocations_facts(a), &facts, sizeof(facts));
	assert_ptr_equal(allocations_names(a), allocations_tree(a));
	assert_int_equal(allocations_count(a), 0);
	allocations_free(a);
	allocations_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_stack_thread_and_allocator_is_one_entry),
		cmocka_unit_test(errors_add_as_those_of_independent_estimates),
		cmocka_unit_test(what_is_not_known_or_too_large_changes_nothing),
		cmocka_unit_test(points_stay_in_the_order_of_time),
		cmocka_unit_test(every_allocator_has_a_name_of_its_own),
		cmocka_unit_test(the_facts_are_those_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
