/* report_budget_test.c - a budget file becomes limits, or one line that names file and line;
 * oracle: docs/ci.md, the text that the test itself has written.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "report/budget.h"

static struct budget *parsed(const char *text)
{
	struct budget *b = NULL;
	char *error = NULL;

	if (budget_parse(text, "b.ini", &b, &error))
		fail_msg("%s", error);
	return b;
}

static void refused(const char *text, const char *expected)
{
	struct budget *b = NULL;
	char *error = NULL;
	int err = budget_parse(text, "b.ini", &b, &error);

	assert_null(b);
	assert_int_not_equal(err, 0);
	assert_non_null(error);
	if (!strstr(error, expected))
		fail_msg("'%s' does not have: %s", error, expected);
	free(error);
}

static const struct budget_limit *find(const struct budget *b, enum measure m, const char *function)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->limits[i].measure == m && !b->limits[i].function == !function &&
		    (!function || !strcmp(b->limits[i].function, function)))
			return &b->limits[i];
	fail_msg("%s of %s: not there", measures[m].key, function ? function : "the task");
	return NULL;
}

static void every_key_of_a_task_is_read_in_its_unit(void **state)
{
	static const struct {
		enum measure m;
		double limit;
	} expected[] = {
		{ MEASURE_PEAK_RSS, 512.0 * 1048576 },
		{ MEASURE_HEAP_PEAK, 300.0 * 1048576 },
		{ MEASURE_LEAKED, 0 },
		{ MEASURE_WALL, 20 },
		{ MEASURE_CPU, 1.5 },
		{ MEASURE_FAULTS, 7 },
		{ MEASURE_MINOR_FAULTS, 100000 },
		{ MEASURE_MAJOR_FAULTS, 10 },
		{ MEASURE_PROCESSES, 3 },
	};
	struct budget *b = parsed("# a comment\n[task]\npeak-rss = 512M\nheap-peak=300MiB ; note\n"
				  "leaked = 0\n\twall = 20s\n  cpu = 1500ms\nfaults = 7\r\n"
				  "minor-faults: 100000\nmajor-faults = 10\nprocesses = 3");

	(void)state;
	assert_int_equal(b->n, MEASURES);
	for (size_t i = 0; i < MEASURES; i++) {
		const struct budget_limit *l = find(b, expected[i].m, NULL);

		assert_true(fabs(l->limit - expected[i].limit) < 1e-9);
		assert_int_equal(l->line, 3 + i);
	}
	budget_free(b);
}

static void a_function_is_named_bare_quoted_or_by_a_key(void **state)
{
	struct budget *b =
	    parsed("[function parse]\nwall = 1s\n[function \"two words\"]\ncpu = 2s\n"
		   "[function]\nname = ns::table<int>::operator[](unsigned long)\nleaked = 1K\n"
		   "[function parse]\nheap-peak = 1M\n");

	(void)state;
	assert_int_equal(b->n, 4);
	assert_true(find(b, MEASURE_WALL, "parse")->limit == 1);
	assert_true(find(b, MEASURE_CPU, "two words")->limit == 2);
	assert_true(find(b, MEASURE_LEAKED, "ns::table<int>::operator[](unsigned long)")->limit ==
		    1024);
	assert_true(find(b, MEASURE_HEAP_PEAK, "parse")->limit == 1048576);
	budget_free(b);
}

static void a_mistake_is_told_with_its_line_and_what_there_is(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "[task]\nwall = 1s\npeek-rss = 5M\n",
		  "b.ini:3: peek-rss: not known; there is: peak-rss, heap-peak, leaked, wall, cpu, "
		  "faults, minor-faults, major-faults, processes" },
		{ "[function f]\npeak-rss = 5M\n",
		  "b.ini:2: peak-rss: not known; there is: heap-peak, leaked, wall, cpu, name" },
		{ "[tasks]\nwall = 1s\n", "b.ini:2: [tasks]: no such section" },
		{ "[functions f]\nwall = 1s\n", "no such section" },
		{ "wall = 1s\n", "b.ini:1: a key before any section" },
		{ "[task]\n\nwall\n", "b.ini:3: not [SECTION] and not KEY = VALUE" },
		{ "[task\nwall = 1s\n", "b.ini:1: a section without its ]" },
		{ "[task]\nwall = soon\n", "b.ini:2: wall = soon: not a time such as" },
		{ "[task]\nwall = -1s\n", "not a time" },
		{ "[task]\npeak-rss = 5 apples\n", "not a size" },
		{ "[task]\npeak-rss = 99999999999999999999\n", "not a size" },
		{ "[task]\nfaults = 1e3\n", "not a whole number" },
		{ "[task]\nfaults = -1\n", "not a whole number" },
		{ "[task]\nfaults =\n", "not a whole number" },
		{ "[task]\nwall = 1s\nwall = 2s\n", "b.ini:3: wall: given twice, first in line 2" },
		{ "[task]\nwall = 1s\n[task]\nwall = 2s\n", "given twice" },
		{ "[function]\nwall = 1s\n", "b.ini:2: [function]: no name" },
		{ "[function f]\nwall = 1s\nname = g\n", "has to be the first key" },
		{ "[function f]\nname =\n", "name: empty" },
		{ "", "no limit in it" },
		{ "[task]\n# wall = 1s\n", "no limit in it" },
		{ "[function a23456789012345678901234567890123456789012345678]\n",
		  "b.ini:1: a section of more than 49 bytes" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		refused(rows[i].text, rows[i].expected);
}

static void what_the_library_would_cut_is_refused(void **state)
{
	char text[600];

	(void)state;
	/* a name that is cut would be the name of another function */
	snprintf(text, sizeof(text), "[function]\nname = %0300d\nwall = 1s\n", 7);
	refused(text, "b.ini:2: longer than");
	snprintf(text, sizeof(text), "[task]\n%0*d = 1s\n", 60, 7);
	refused(text, "not known");
}

static void a_budget_has_a_bound(void **state)
{
	size_t size = 1u << 17, used = 0;
	char *text = calloc(1, size);

	(void)state;
	for (unsigned i = 0; i <= BUDGET_LIMITS_MAX; i++)
		used +=
		    (size_t)snprintf(text + used, size - used, "[function f%u]\nwall = 1s\n", i);
	refused(text, "more than 1000 limits");
	free(text);
}

static void a_limit_needs_the_diagnostic_that_measures_it(void **state)
{
	static const struct {
		const char *text;
		bool memory, profile, allocations;
	} rows[] = {
		{ "[task]\npeak-rss = 1M\n", true, false, false },
		{ "[task]\nfaults = 1\n", true, false, false },
		{ "[task]\nleaked = 1\n", false, false, true },
		{ "[task]\nwall = 1s\n", true, false, false },
		{ "[task]\ncpu = 1s\n", false, true, false },
		{ "[task]\nprocesses = 1\n", false, false, false },
		{ "[function f]\nwall = 1s\n", false, true, false },
		{ "[function f]\nheap-peak = 1\n", false, false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct budget *b = parsed(rows[i].text);

		assert_int_equal(budget_needs(b, "memory"), rows[i].memory);
		assert_int_equal(budget_needs(b, "profile"), rows[i].profile);
		assert_int_equal(budget_needs(b, "allocations"), rows[i].allocations);
		budget_free(b);
	}
}

static void a_rule_is_a_measure_and_what_it_may_grow_by(void **state)
{
	struct budget *b = NULL;
	char *error = NULL;

	(void)state;
	assert_int_equal(budget_add_rule(&b, "peak+10%", &error), 0);
	assert_int_equal(budget_add_rule(&b, "rss+5M", &error), 0);
	assert_int_equal(budget_add_rule(&b, "wall+1.5s", &error), 0);
	assert_int_equal(budget_add_rule(&b, "faults+0", &error), 0);
	assert_true(find(b, MEASURE_HEAP_PEAK, NULL)->relative);
	assert_true(fabs(find(b, MEASURE_HEAP_PEAK, NULL)->limit - 0.1) < 1e-12);
	assert_false(find(b, MEASURE_PEAK_RSS, NULL)->relative);
	assert_true(find(b, MEASURE_PEAK_RSS, NULL)->limit == 5 * 1048576);
	assert_true(find(b, MEASURE_WALL, NULL)->limit == 1.5);
	assert_int_equal(budget_add_told(&b), 0);
	assert_int_equal(b->n, 6); /* leaked and cpu as well */
	assert_true(find(b, MEASURE_CPU, NULL)->told);
	assert_false(find(b, MEASURE_WALL, NULL)->told);
	budget_free(b);
}

static void what_is_no_rule_is_refused(void **state)
{
	static const char *const rows[] = { "",		"peak",	     "peak+",	  "peak10%",
					    "peak+-1%", "peak+1e9%", "peak+nan%", "peak+%",
					    "peak+10s", "heap+1M",   "wall+5M",	  "processes+1",
					    "peak+10%%" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct budget *b = NULL;
		char *error = NULL;

		if (budget_add_rule(&b, rows[i], &error) != -EINVAL)
			fail_msg("'%s' was taken", rows[i]);
		assert_non_null(error);
		free(error);
		budget_free(b);
	}
}

static void a_second_rule_for_the_same_is_refused(void **state)
{
	struct budget *b = NULL;
	char *error = NULL;

	(void)state;
	assert_int_equal(budget_add_rule(&b, "peak+10%", &error), 0);
	assert_int_equal(budget_add_rule(&b, "peak+1M", &error), -EINVAL);
	free(error);
	budget_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_of_a_task_is_read_in_its_unit),
		cmocka_unit_test(a_function_is_named_bare_quoted_or_by_a_key),
		cmocka_unit_test(a_mistake_is_told_with_its_line_and_what_there_is),
		cmocka_unit_test(what_the_library_would_cut_is_refused),
		cmocka_unit_test(a_budget_has_a_bound),
		cmocka_unit_test(a_limit_needs_the_diagnostic_that_measures_it),
		cmocka_unit_test(a_rule_is_a_measure_and_what_it_may_grow_by),
		cmocka_unit_test(what_is_no_rule_is_refused),
		cmocka_unit_test(a_second_rule_for_the_same_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
