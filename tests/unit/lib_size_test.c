/* lib_size_test.c - sizes as a person writes them; oracle: lib/size.h and arithmetic. */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/size.h"

static void what_is_a_size(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 },
		{ "1", 1 },
		{ "4096", 4096 },
		{ "12B", 12 },
		{ "512K", 512 << 10 },
		{ "1KB", 1024 },
		{ "3MiB", 3 << 20 },
		{ "2G", 2ULL << 30 },
		{ "7T", 7ULL << 40 },
		{ "9223372036854775807", INT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t bytes = UINT64_MAX;

		assert_int_equal(size_parse(good[i].text, &bytes), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
}

static void what_is_none(void **state)
{
	static const struct {
		const char *text;
		int err;
	} bad[] = {
		{ "", -EINVAL },	 { "K", -EINVAL },
		{ "-1", -EINVAL },	 { "+1", -EINVAL },
		{ " 1", -EINVAL },	 { "1.5M", -EINVAL },
		{ "1k", -EINVAL },	 { "1 K", -EINVAL },
		{ "0x10", -EINVAL },	 { "1iB", -EINVAL },
		{ "1KiBs", -EINVAL },	 { "9223372036854775808", -ERANGE },
		{ "8388608T", -ERANGE }, { "99999999999999999999999", -ERANGE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t bytes = 77;

		assert_int_equal(size_parse(bad[i].text, &bytes), bad[i].err);
		assert_int_equal(bytes, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_a_size),
		cmocka_unit_test(what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
