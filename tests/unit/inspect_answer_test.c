/* inspect_answer_test.c - the buffer between worker and client; oracle: what was put in. */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "inspect/answer.h"
#include "inspect/names.h"

static struct names_answer small_answer(void)
{
	struct answer_builder b = { 0 };
	struct names_answer answer = { 0 };
	struct answer_name rows[] = {
		{ .address = 0, .start = 16, .inlined = 1, .line = 7 },
		{ .address = 0, .start = 8 },
		{ .address = 1 },
	};

	rows[0].name = answer_string(&b, "inner");
	rows[0].file = answer_string(&b, "a.c");
	rows[1].name = answer_string(&b, "outer");
	assert_int_equal(answer_string(&b, "inner"), rows[0].name); /* kept once */
	assert_int_equal(answer_string(&b, ""), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(answer_add(&b, &rows[i]), 0);
	assert_int_equal(answer_finish(&b, &answer), 0);
	answer_free(&b);
	return answer;
}

static void an_answer_comes_back_as_it_was(void **state)
{
	struct names_answer answer = small_answer();
	struct inspect_name *n;
	size_t count;

	(void)state;
	assert_int_equal(names_decode(answer.bytes, answer.size, 2, &n, &count), 0);
	assert_int_equal(count, 3);
	assert_string_equal(n[0].name, "inner");
	assert_string_equal(n[0].file, "a.c");
	assert_true(n[0].inlined && !n[1].inlined && !n[2].inlined);
	assert_int_equal(n[0].line, 7);
	assert_int_equal(n[0].start, 16);
	assert_string_equal(n[1].name, "outer");
	assert_null(n[1].file);
	assert_int_equal(n[1].address, 0);
	assert_null(n[2].name);
	assert_int_equal(n[2].address, 1);
	free(n);
	free(answer.bytes);
}

/* Field by field: what a worker that has been taken over might send. */
static void a_malformed_answer_is_refused(void **state)
{
	static const struct {
		size_t offset;
		uint32_t value;
	} rows[] = {
		{ 0, 1 },	   { 4, 4 },	      { 4, 2 },	       { 4, UINT32_MAX },
		{ 8, 0 },	   { 8, UINT32_MAX }, { 12, 1 },       { 16 + 8, 1 },
		{ 16 + 16, 1000 }, { 16 + 16, 6 },    { 16 + 20, 99 }, { 16 + 24, 2 },
		{ 16 + 24, 0 },	   { 16 + 28, 1 },    { 48 + 8, 2 },   { 48 + 24, 1 },
		{ 80 + 8, 0 },	   { 80 + 8, 2 },     { 80 + 24, 1 },
	};
	struct names_answer answer = small_answer();
	struct inspect_name *n;
	size_t count;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint32_t kept;

		memcpy(&kept, answer.bytes + rows[i].offset, 4);
		assert_int_not_equal(kept, rows[i].value);
		memcpy(answer.bytes + rows[i].offset, &rows[i].value, 4);
		if (names_decode(answer.bytes, answer.size, 2, &n, &count) != -EBADMSG)
			fail_msg("row %zu is taken", i);
		memcpy(answer.bytes + rows[i].offset, &kept, 4);
	}
	for (size_t size = 0; size < answer.size; size++)
		assert_int_equal(names_decode(answer.bytes, size, 2, &n, &count), -EBADMSG);
	assert_int_equal(names_decode(answer.bytes, answer.size, 1, &n, &count), -EBADMSG);
	assert_int_equal(names_decode(answer.bytes, answer.size, 3, &n, &count), -EBADMSG);
	answer.bytes[answer.size - 1] = 'x'; /* no NUL at the end */
	assert_int_equal(names_decode(answer.bytes, answer.size, 2, &n, &count), -EBADMSG);
	free(answer.bytes);
}

/* A million strings, a few of them different: none is lost or mixed up when the table grows. */
static void strings_are_kept_once(void **state)
{
	struct answer_builder b = { 0 };
	uint32_t offsets[5000];
	char text[32];

	(void)state;
	for (int round = 0; round < 20; round++) {
		for (uint32_t i = 0; i < 5000; i++) {
			uint32_t offset;

			snprintf(text, sizeof(text), "name %u", i * 7919);
			offset = answer_string(&b, text);
			assert_int_not_equal(offset, 0);
			if (round)
				assert_int_equal(offset, offsets[i]);
			offsets[i] = offset;
			assert_string_equal(b.strings + offset, text);
		}
	}
	answer_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_comes_back_as_it_was),
		cmocka_unit_test(a_malformed_answer_is_refused),
		cmocka_unit_test(strings_are_kept_once),
	};

	return cmocka_run_group_tests_name("inspect/answer", tests, NULL, NULL);
}
