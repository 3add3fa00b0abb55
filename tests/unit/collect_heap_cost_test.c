/* collect_heap_cost_test.c - when does telling every allocation cost too much? Oracle: arithmetic.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "collect/heap_cost.h"
#include "lib/clock.h"

#define BEGIN (1000 * NS_PER_S)

/* A task that runs one CPU wholly; @events a second for @seconds, looked at ten times a second.
 * Returns the second in which it was too much; 0: never. */
static int second_of(struct heap_cost *c, uint64_t events, uint64_t traps, int seconds,
		     double limit)
{
	for (int i = 0; i <= 10 * seconds; i++) {
		const struct heap_cost_now now = { .time_ns = BEGIN + i * NS_PER_S / 10,
						   .cpu_ns = i * NS_PER_S / 10,
						   .events = events * i / 10,
						   .traps = traps * i / 10 };

		if (heap_cost_exceeds(c, &now, limit))
			return (i + 9) / 10;
	}
	return 0;
}

static void too_much_for_two_seconds_is_too_much(void **state)
{
	struct heap_cost c = {};

	(void)state;
	/* half of a second in events: as much as what is left to the task */
	assert_int_equal(second_of(&c, NS_PER_S / 2 / HEAP_COST_EVENT_NS, 0, 10, 0.25), 2);
	assert_true(c.share > 0.99 && c.share < 1.01);
}

static void traps_count_as_events_do(void **state)
{
	struct heap_cost c = {};

	(void)state;
	assert_int_equal(second_of(&c, 0, NS_PER_S / 2 / HEAP_COST_TRAP_NS, 10, 0.25), 2);
}

static void what_is_allowed_is_never_too_much(void **state)
{
	struct heap_cost c = {};

	(void)state;
	/* a sixth: a fifth of what is left */
	assert_int_equal(second_of(&c, NS_PER_S / 6 / HEAP_COST_EVENT_NS, 0, 30, 0.25), 0);
	assert_true(c.share > 0.19 && c.share < 0.21);
}

static void all_is_allowed(void **state)
{
	struct heap_cost c = {};

	(void)state;
	assert_int_equal(second_of(&c, 2 * NS_PER_S / HEAP_COST_EVENT_NS, 0, 30, 1), 0);
}

/* One busy second, one of rest, in turn. */
static void a_burst_is_not_too_much(void **state)
{
	struct heap_cost_now now = { .time_ns = BEGIN };
	struct heap_cost c = {};

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_false(heap_cost_exceeds(&c, &now, 0.25));
		now.time_ns += NS_PER_S;
		now.cpu_ns += NS_PER_S;
		now.events += i % 2 ? 0 : NS_PER_S / 2 / HEAP_COST_EVENT_NS;
	}
}

/* Processes end, and take their figures with them: sums go down. Hostile ones are anything. */
static void figures_that_go_back_or_are_absurd(void **state)
{
	struct heap_cost_now now = { .time_ns = BEGIN, .events = UINT64_MAX, .cpu_ns = UINT64_MAX };
	struct heap_cost c = {};

	(void)state;
	assert_false(heap_cost_exceeds(&c, &now, 0.25));
	now = (struct heap_cost_now){ .time_ns = BEGIN + NS_PER_S };
	assert_false(heap_cost_exceeds(&c, &now, 0.25));
	assert_true(c.share == 0);
	now = (struct heap_cost_now){ .time_ns = BEGIN + 2 * NS_PER_S,
				      .events = UINT64_MAX,
				      .traps = UINT64_MAX };
	heap_cost_exceeds(&c, &now, 0.25);
	assert_true(c.share == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(too_much_for_two_seconds_is_too_much),
		cmocka_unit_test(traps_count_as_events_do),
		cmocka_unit_test(what_is_allowed_is_never_too_much),
		cmocka_unit_test(all_is_allowed),
		cmocka_unit_test(a_burst_is_not_too_much),
		cmocka_unit_test(figures_that_go_back_or_are_absurd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
