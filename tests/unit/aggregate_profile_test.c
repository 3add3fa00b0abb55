/* aggregate_profile_test.c - what is the same gets the same number, what differs another, no mark
 * is lost; oracles: a plain array of everything that was added, and arithmetic. */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "aggregate/intern.h"
#include "aggregate/profile.h"

#define PERIOD_NS 10000000ULL
#define SLICE_NS 1000000000ULL

static struct profile *new_profile(void)
{
	struct profile *p = profile_new(PERIOD_NS, SLICE_NS);

	assert_non_null(p);
	return p;
}

static uint32_t named(struct profile *p, const char *name)
{
	return profile_frame(p, &(struct profile_frame){ .name = name, .mapping = PROFILE_NONE });
}

static void a_frame_is_known_by_every_field(void **state)
{
	struct profile *p = new_profile();
	struct profile_mapping m = { .path = "/bin/x", .start = 1, .limit = 2 };
	struct profile_frame f = { .name = "f", .mapping = 0, .address = 16 };
	struct profile_frame other[11];

	(void)state;
	assert_int_equal(profile_mapping(p, &m), 0);
	assert_int_equal(profile_mapping(p, &m), 1); /* always new */
	for (size_t i = 0; i < 11; i++)
		other[i] = f;
	other[1].name = "g";
	other[2].system_name = "f"; /* NULL is not "f" */
	other[3].file = "f.c";
	other[4].line = 3;
	other[5].mapping = 1;
	other[6].address = 17;
	other[7].heuristic = true;
	other[8].inlined = true;
	other[9].first_line = 2;
	other[10].python = true;
	for (int round = 0; round < 2; round++)
		for (uint32_t i = 0; i < 11; i++)
			assert_int_equal(profile_frame(p, &other[i]), i);
	assert_int_equal(profile_frame_count(p), 11);
	assert_string_equal(profile_frame_at(p, 1)->name, "g");
	assert_null(profile_frame_at(p, 1)->file);
	assert_true(profile_frame_at(p, 8)->inlined);
	assert_int_equal(profile_frame_at(p, 9)->first_line, 2);
	assert_true(profile_frame_at(p, 10)->python);
	profile_free(p);
}

static void strings_are_copies(void **state)
{
	struct profile *p = new_profile();
	char name[] = "changes later";
	uint32_t frame = named(p, name), cause = profile_cause(p, name, false);

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	assert_string_equal(profile_frame_at(p, frame)->name, "changes later");
	assert_string_equal(profile_cause_at(p, cause)->name, "changes later");
	assert_int_equal(named(p, "changes later"), frame);
	profile_free(p);
}

static void a_cause_is_known_by_its_name(void **state)
{
	struct profile *p = new_profile();

	(void)state;
	assert_int_equal(profile_cause(p, "cpu", true), 0);
	assert_int_equal(profile_cause(p, "[lock]", false), 1);
	assert_int_equal(profile_cause(p, "cpu", false), 0);
	assert_true(profile_cause_at(p, 0)->running);
	assert_false(profile_cause_at(p, 1)->running);
	profile_free(p);
}

/* A process, a thread, a cause and the stack main;work. */
static uint32_t small_world(struct profile *p)
{
	uint32_t stack = profile_stack(p, PROFILE_NO_STACK, named(p, "main"));

	assert_int_equal(profile_process(p, &(struct profile_process){ "a-1", 1 }), 0);
	assert_int_equal(profile_thread(p, &(struct profile_thread){ .name = "a", .tid = 1 }), 0);
	assert_int_equal(profile_cause(p, "cpu", true), 0);
	stack = profile_stack(p, stack, named(p, "work"));
	assert_int_equal(stack, 1);
	return stack;
}

static void numbers_that_do_not_exist_are_refused(void **state)
{
	struct profile *p = new_profile();
	uint32_t stack = small_world(p);
	struct profile_frame strange = { .name = "x", .mapping = 0 }; /* no mapping was made */
	struct profile_thread homeless = { .name = "x", .process = 1 };

	(void)state;
	assert_int_equal(profile_frame(p, &strange), PROFILE_NONE);
	assert_int_equal(profile_thread(p, &homeless), PROFILE_NONE);
	assert_int_equal(profile_stack(p, stack + 1, 0), PROFILE_NONE);
	assert_int_equal(profile_stack(p, stack, 2), PROFILE_NONE);
	assert_int_equal(profile_add(p, stack + 1, 0, 0, 0, 1), -EINVAL);
	assert_int_equal(profile_add(p, stack, 1, 0, 0, 1), -EINVAL);
	assert_int_equal(profile_add(p, stack, 0, 1, 0, 1), -EINVAL);
	assert_int_equal(profile_marks(p), 0);
	assert_int_equal(profile_sample_count(p), 0);
	assert_null(profile_new(0, SLICE_NS));
	assert_null(profile_new(PERIOD_NS, 0));
	profile_free(p);
}

static void time_that_no_format_can_hold_is_refused(void **state)
{
	struct profile *p = new_profile();
	uint32_t stack = small_world(p);
	uint64_t most = (INT64_MAX - 1000) / PERIOD_NS;

	(void)state;
	assert_int_equal(profile_add(p, stack, 0, 0, 0, UINT64_MAX), -EOVERFLOW);
	assert_int_equal(profile_add(p, stack, 0, 0, 0, most + 1), -EOVERFLOW);
	assert_int_equal(profile_add(p, stack, 0, 0, 0, most), 0);
	assert_int_equal(profile_add(p, stack, 0, 0, 0, 1), -EOVERFLOW);
	assert_int_equal(profile_marks(p), most);
	assert_int_equal(profile_sample_at(p, 0)->marks, most);
	profile_free(p);
}

static void a_stack_is_known_by_parent_and_frame(void **state)
{
	struct profile *p = new_profile();
	uint32_t f = named(p, "f"), stack = PROFILE_NO_STACK;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		stack = profile_stack(p, stack, f);
		assert_int_equal(stack, i);
	}
	assert_int_equal(profile_stack(p, 98, f), 99);
	assert_int_equal(profile_stack_parent(p, 99), 98);
	assert_int_equal(profile_stack_parent(p, 0), PROFILE_NO_STACK);
	assert_int_equal(profile_stack_frame(p, 99), f);
	assert_int_equal(profile_stack_count(p), 100000);
	profile_free(p);
}

#define STACKS 50
#define SLICES 400

static void every_mark_is_in_its_sample(void **state)
{
	static uint64_t wanted[STACKS + 1][2][SLICES]; /* the last stack: the empty one */
	struct profile *p = new_profile();
	uint64_t random = 12345, sum = 0, found = 0;
	char name[16];

	(void)state;
	small_world(p);
	profile_cause(p, "[lock]", false);
	for (uint32_t i = 2; i < STACKS; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		assert_int_equal(profile_stack(p, i / 2, named(p, name)), i);
	}
	for (size_t i = 0; i < 200000; i++) {
		uint32_t stack, cause, slice;

		random = random * 6364136223846793005 + 1442695040888963407;
		stack = (random >> 33) % (STACKS + 1);
		cause = (random >> 20) % 2;
		slice = (random >> 40) % SLICES;
		wanted[stack][cause][slice] += i % 5; /* 0 marks leave no trace */
		sum += i % 5;
		assert_int_equal(profile_add(p, stack == STACKS ? PROFILE_NO_STACK : stack, 0,
					     cause, slice, i % 5),
				 0);
	}
	assert_int_equal(profile_marks(p), sum);
	for (uint32_t i = 0; i < profile_sample_count(p); i++) {
		const struct profile_sample *s = profile_sample_at(p, i);
		uint32_t stack = s->stack == PROFILE_NO_STACK ? STACKS : s->stack;

		assert_true(s->marks > 0);
		assert_int_equal(s->marks, wanted[stack][s->cause][s->slice]);
		found += s->marks;
	}
	assert_int_equal(found, sum); /* so none is there twice, none is missing */
	profile_free(p);
}

static void strings_that_differ_in_one_byte_are_two(void **state)
{
	struct strings t;
	char text[300];

	(void)state;
	strings_init(&t);
	memset(text, 'a', sizeof(text) - 1);
	for (uint32_t length = 0; length < sizeof(text); length++) {
		text[sizeof(text) - 1] = '\0';
		assert_int_equal(strings_add(&t, text + sizeof(text) - 1 - length), length);
	}
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		text[i] = 'b';
		assert_int_equal(strings_add(&t, text), sizeof(text) + i);
		text[i] = 'a';
	}
	assert_int_equal(strings_add(&t, text), sizeof(text) - 1);
	assert_int_equal(strings_count(&t), 2 * sizeof(text) - 1);
	strings_clear(&t);
	assert_int_equal(strings_add(&t, "again"), 0); /* cleared is as new */
	strings_clear(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_known_by_every_field),
		cmocka_unit_test(strings_are_copies),
		cmocka_unit_test(a_cause_is_known_by_its_name),
		cmocka_unit_test(numbers_that_do_not_exist_are_refused),
		cmocka_unit_test(time_that_no_format_can_hold_is_refused),
		cmocka_unit_test(a_stack_is_known_by_parent_and_frame),
		cmocka_unit_test(every_mark_is_in_its_sample),
		cmocka_unit_test(strings_that_differ_in_one_byte_are_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
