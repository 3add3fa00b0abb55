/* report_alloc_view_test.c - sums of allocations by call, and what changed between two runs;
 * oracles: sums made beside, entry by entry.
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

#include "report/alloc_change.h"
#include "report/alloc_facts.h"
#include "report/alloc_view.h"

#define FUNCTIONS 12u
#define ENTRIES 400u

static struct allocations *empty(void)
{
	struct allocations *a = allocations_new(&(struct allocations_facts){ .exact = true });
	struct profile *p = allocations_tree(a);

	for (uint32_t i = 0; i < 2; i++) {
		struct profile_process process = { .name = i ? "b-2" : "a-1", .pid = i + 1 };
		struct profile_thread thread = { .name = "main", .tid = i + 1 };

		thread.process = profile_process(p, &process);
		profile_thread(p, &thread);
		thread.tid += 100;
		profile_thread(p, &thread);
	}
	return a;
}

/* @path: a letter for every frame, outermost first; @line: of them all. */
static uint32_t stack_of(struct allocations *a, const char *path, uint32_t line)
{
	uint32_t stack = PROFILE_NO_STACK;

	for (; *path; path++) {
		char name[] = { *path, 0 };
		struct profile_frame f = {
			.name = name, .file = "/x.c", .line = line, .mapping = PROFILE_NONE
		};

		stack = profile_stack(allocations_tree(a), stack,
				      profile_frame(allocations_tree(a), &f));
	}
	return stack;
}

static void add(struct allocations *a, const char *path, uint32_t line, uint32_t thread,
		uint64_t bytes, uint64_t error)
{
	struct allocation_entry e = { .stack = stack_of(a, path, line),
				      .thread = thread,
				      .peak = { bytes, 1 },
				      .leaked = { bytes / 2, 1 },
				      .error_95_bytes = error };

	assert_int_equal(allocations_add(a, &e), 0);
}

/* The node at @path below @root; CALLS_NONE: none. */
static uint32_t find(const struct calls *c, const struct functions *f, uint32_t root,
		     const char *path)
{
	uint32_t i = root;

	for (; *path && i != CALLS_NONE; path++) {
		for (i = c->nodes[i].first_child; i != CALLS_NONE; i = c->nodes[i].next_sibling)
			if (c->nodes[i].kind == CALLS_FUNCTION &&
			    *f->all[c->nodes[i].id].name == *path)
				break;
	}
	return i;
}

static void bytes_and_pieces_are_summed_along_the_calls(void **state)
{
	struct allocations *a = empty();
	struct alloc_view v;
	uint32_t node;

	(void)state;
	add(a, "mab", 1, 0, 100, 0);
	add(a, "mab", 1, 1, 10, 0); /* another thread of the process */
	add(a, "ma", 1, 0, 1, 0);
	assert_int_equal(alloc_view_init(&v, a, ALLOC_PEAK, CALLS_MERGED, true), 0);
	assert_int_equal(alloc_view_total(&v).bytes, 111);
	assert_int_equal(alloc_view_total(&v).count, 3);
	node = find(&v.calls, &v.functions, CALLS_ROOT, "ma");
	assert_int_equal(v.calls.nodes[node].marks, 111);
	assert_int_equal(v.calls.nodes[node].self_marks, 1);
	node = find(&v.calls, &v.functions, CALLS_ROOT, "mab");
	assert_int_equal(v.calls.nodes[node].marks, 110);
	assert_int_equal(v.calls.nodes[node].cpu_marks, 2);
	alloc_view_done(&v);
	allocations_free(a);
}

static void the_kind_chooses_the_sum(void **state)
{
	struct allocations *a = empty();
	struct alloc_view v;

	(void)state;
	add(a, "m", 1, 0, 100, 40);
	assert_int_equal(alloc_view_init(&v, a, ALLOC_LEAKED, CALLS_MERGED, true), 0);
	assert_int_equal(alloc_view_total(&v).bytes, 50);
	assert_true(alloc_view_error(&v, CALLS_ROOT) == 0); /* the error is the peak's */
	alloc_view_done(&v);
	assert_int_equal(alloc_view_init(&v, a, ALLOC_TEMPORARY, CALLS_MERGED, true), 0);
	assert_int_equal(v.n, 0);
	assert_int_equal(v.calls.n, 1);
	alloc_view_done(&v);
	allocations_free(a);
}

static void errors_of_independent_entries_add_up_as_squares(void **state)
{
	struct allocations *a = empty();
	struct alloc_view v;

	(void)state;
	add(a, "mb", 1, 0, 100, 30);
	add(a, "mc", 1, 0, 100, 40);
	assert_int_equal(alloc_view_init(&v, a, ALLOC_PEAK, CALLS_MERGED, true), 0);
	assert_true(fabs(alloc_view_error(&v, find(&v.calls, &v.functions, CALLS_ROOT, "m")) - 50) <
		    1e-9);
	assert_true(
	    fabs(alloc_view_error(&v, find(&v.calls, &v.functions, CALLS_ROOT, "mc")) - 40) < 1e-9);
	alloc_view_done(&v);
	allocations_free(a);
}

static void processes_are_told_apart_when_there_are_several(void **state)
{
	struct allocations *a = empty();
	struct alloc_view v;
	const struct calls_node *first;

	(void)state;
	assert_int_equal(alloc_view_shape(a), CALLS_BY_PROCESS);
	add(a, "mx", 1, 0, 1, 0); /* threads 0 and 1 are of process 0 */
	add(a, "mx", 1, 3, 50, 0);
	add(a, "mx", 1, 1, 2, 0);
	assert_int_equal(alloc_view_init(&v, a, ALLOC_PEAK, CALLS_BY_PROCESS, true), 0);
	first = &v.calls.nodes[v.calls.nodes[CALLS_ROOT].first_child];
	assert_int_equal(first->kind, CALLS_PROCESS);
	assert_int_equal(first->id, 1);
	assert_int_equal(first->marks, 50);
	first = &v.calls.nodes[first->next_sibling];
	assert_int_equal(first->marks, 3);
	assert_int_equal(first->next_sibling, CALLS_NONE);
	assert_int_equal(v.calls.nodes[first->first_child].marks, 3);
	alloc_view_done(&v);
	allocations_free(a);
}

static void what_changed_is_found_by_name_whatever_the_lines_are(void **state)
{
	struct allocations *a = empty(), *b = empty();
	struct alloc_change c;
	uint32_t node;

	(void)state;
	add(a, "mab", 10, 0, 100, 30);
	add(a, "mac", 10, 0, 70, 0);
	add(b, "mab", 99, 3, 160, 40);
	add(b, "mad", 99, 0, 5, 0);
	assert_int_equal(alloc_change_init(&c, a, b, ALLOC_PEAK), 0);
	assert_int_equal(c.n_ends, 3);
	node = find(&c.calls, &c.functions, CALLS_ROOT, "mab");
	assert_int_equal(c.ends[0], node);
	assert_int_equal(alloc_change_bytes(&c, node), 60);
	assert_true(fabs(alloc_change_error(&c, node) - 50) < 1e-9);
	assert_int_equal(alloc_change_bytes(&c, find(&c.calls, &c.functions, CALLS_ROOT, "mad")),
			 5);
	assert_int_equal(c.ends[2], find(&c.calls, &c.functions, CALLS_ROOT, "mac"));
	assert_int_equal(alloc_change_bytes(&c, c.ends[2]), -70);
	assert_string_equal(c.functions.all[c.order[0]].name, "b");
	for (uint32_t i = 0; i < c.functions.n; i++)
		if (*c.functions.all[i].name == 'm')
			assert_int_equal(alloc_change_total(&c, i), 160 + 5 - 100 - 70);
	alloc_change_done(&c);
	allocations_free(a);
	allocations_free(b);
}

/* A number that is the same for the same @seed. */
static uint32_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

/* @own: bytes of each function in itself, by letter. */
static uint64_t fill(struct allocations *a, uint64_t seed, int64_t *own, int sign)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < ENTRIES; i++) {
		char path[8] = "";
		uint64_t bytes = next(&seed) % 100000;
		unsigned depth = 1 + next(&seed) % 6;

		for (unsigned k = 0; k < depth; k++)
			path[k] = (char)('a' + next(&seed) % FUNCTIONS);
		add(a, path, 1 + next(&seed) % 5, next(&seed) % 4, bytes, 0);
		own[path[depth - 1] - 'a'] += sign * (int64_t)bytes;
		sum += bytes;
	}
	return sum;
}

static void no_byte_is_lost_in_a_tree_or_a_difference(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < 20; seed++) {
		struct allocations *a = empty(), *b = empty();
		int64_t own[FUNCTIONS] = {}, sum = 0, change;
		struct alloc_change c;

		change = -(int64_t)fill(a, seed, own, -1);
		change += (int64_t)fill(b, seed + 1000, own, 1);
		assert_int_equal(alloc_change_init(&c, a, b, ALLOC_PEAK), 0);
		for (size_t i = 0; i < c.n_ends; i++)
			sum += alloc_change_bytes(&c, c.ends[i]);
		assert_int_equal(sum, change);
		for (uint32_t i = 0; i < c.functions.n; i++)
			assert_int_equal(alloc_change_own(&c, i),
					 own[*c.functions.all[i].name - 'a']);
		alloc_change_done(&c);
		allocations_free(a);
		allocations_free(b);
	}
}

static void bytes_are_told_in_the_unit_that_fits(void **state)
{
	static const struct {
		double bytes;
		const char *text;
	} rows[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ 1536, "1.5 KiB" },
		{ 1048575, "1.0 MiB" },
		{ 345.0 * 1048576, "345.0 MiB" },
		{ -2.5 * 1024, "-2.5 KiB" },
		{ 3e12, "2.7 TiB" },
		{ NAN, "not measured" },
		{ 9.2e18, "8.0 EiB" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(fact_bytes(rows[i].bytes).s, rows[i].text);
	assert_string_equal(fact_change(2048).s, "+2.0 KiB");
	assert_string_equal(fact_change(-2048).s, "-2.0 KiB");
	assert_string_equal(fact_change(0).s, "0 B");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_and_pieces_are_summed_along_the_calls),
		cmocka_unit_test(the_kind_chooses_the_sum),
		cmocka_unit_test(errors_of_independent_entries_add_up_as_squares),
		cmocka_unit_test(processes_are_told_apart_when_there_are_several),
		cmocka_unit_test(what_changed_is_found_by_name_whatever_the_lines_are),
		cmocka_unit_test(no_byte_is_lost_in_a_tree_or_a_difference),
		cmocka_unit_test(bytes_are_told_in_the_unit_that_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
