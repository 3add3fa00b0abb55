/* lib_clock_test.c - durations as a person writes them; oracle: lib/clock.h and arithmetic. */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "lib/clock.h"

#define UNTOUCHED 0x5eed5eed5eed5eedULL

static const struct {
	const char *text;
	uint64_t ns;
} good[] = {
	{ "1ns", 1 },
	{ "999ns", 999 },
	{ "0.6ns", 1 }, /* to the nearest */
	{ "1us", 1000 },
	{ "1.5us", 1500 },
	{ "1ms", NS_PER_MS },
	{ "500ms", 500 * NS_PER_MS },
	{ "0.1s", 100 * NS_PER_MS },
	{ ".5s", 500 * NS_PER_MS },
	{ "2.s", 2 * NS_PER_S },
	{ "+2s", 2 * NS_PER_S },
	{ "2s", 2 * NS_PER_S },
	{ "90", 90 * NS_PER_S },
	{ "007", 7 * NS_PER_S },
	{ "1e3ms", NS_PER_S },
	{ "1.5m", 90 * NS_PER_S },
	{ "2h", 7200 * NS_PER_S },
	{ "1d", 86400 * NS_PER_S },
	{ "3650d", 3650 * 86400 * NS_PER_S }, /* ten years, the last that is in range */
	{ "315360000", 315360000 * NS_PER_S },
};

static const struct {
	const char *text;
	int err;
} bad[] = {
	{ "", -EINVAL },	  { " ", -EINVAL },
	{ "s", -EINVAL },	  { "ms", -EINVAL },
	{ ".", -EINVAL },	  { "-", -EINVAL },
	{ "+", -EINVAL },	  { "+-1", -EINVAL },
	{ " 1s", -EINVAL },	  { "\t1s", -EINVAL },
	{ "1 s", -EINVAL },	  { "1s ", -EINVAL },
	{ "1s\n", -EINVAL },	  { "1 ", -EINVAL },
	{ "1S", -EINVAL },	  { "1MS", -EINVAL },
	{ "1x", -EINVAL },	  { "1sec", -EINVAL },
	{ "1w", -EINVAL },	  { "1s1", -EINVAL },
	{ "1m30s", -EINVAL },	  { "1,5s", -EINVAL },
	{ "1..5s", -EINVAL },	  { "two", -EINVAL },
	{ "inf", -EINVAL },	  { "INF", -EINVAL },
	{ "+inf", -EINVAL },	  { "-inf", -EINVAL },
	{ "infinity", -EINVAL },  { "+infinity", -EINVAL },
	{ "nan", -EINVAL },	  { "+nan", -EINVAL },
	{ "-nan(1)", -EINVAL },	  { "0x10", -EINVAL },
	{ "0x10s", -EINVAL },	  { "+0x1p3", -EINVAL },
	{ "0", -ERANGE },	  { "0s", -ERANGE },
	{ "0.0h", -ERANGE },	  { "-0", -ERANGE },
	{ "-1s", -ERANGE },	  { "-1e-9", -ERANGE },
	{ "0.4ns", -ERANGE }, /* rounds to nothing */
	{ "1e-300", -ERANGE },	  { "3651d", -ERANGE },
	{ "315360001", -ERANGE }, { "18446744073709551616ns", -ERANGE }, /* 2^64 */
	{ "1e300", -ERANGE },
};

static void a_good_duration_is_its_nanoseconds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t ns = UNTOUCHED;
		int err = duration_parse(good[i].text, &ns);

		if (err || ns != good[i].ns)
			fail_msg("\"%s\": %d, %llu ns instead of %llu", good[i].text, err,
				 (unsigned long long)ns, (unsigned long long)good[i].ns);
	}
}

static void a_bad_duration_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t ns = UNTOUCHED;
		int err = duration_parse(bad[i].text, &ns);

		if (err != bad[i].err)
			fail_msg("\"%s\": %d instead of %d", bad[i].text, err, bad[i].err);
	}
}

/* strtod knows both cases of the hexadecimal mark */
static void hexadecimal_is_refused_in_capitals_too(void **state)
{
	static const char *const texts[] = { "0X10", "0X10s", "+0X1P3", "0X.8ms" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		uint64_t ns = UNTOUCHED;
		int err = duration_parse(texts[i], &ns);

		if (err != -EINVAL)
			fail_msg("\"%s\": %d instead of -EINVAL", texts[i], err);
	}
}

/* more than a double holds is still a duration, and beyond ten years; less than it holds is 0 */
static void beyond_what_a_double_holds_is_refused(void **state)
{
	char digits[512];
	uint64_t ns = UNTOUCHED;

	(void)state;
	memset(digits, '9', sizeof(digits) - 1);
	digits[sizeof(digits) - 1] = 0;
	assert_true(duration_parse(digits, &ns) < 0);
	assert_true(duration_parse("1e400", &ns) < 0);
	assert_int_equal(duration_parse("1e-400", &ns), -ERANGE);
	assert_true(ns == UNTOUCHED);
}

static uint64_t now_of(clockid_t id)
{
	struct timespec t;

	assert_int_equal(clock_gettime(id, &t), 0);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void every_clock_is_the_one_it_says(void **state)
{
	static const struct {
		uint64_t (*ours)(void);
		clockid_t id;
	} clocks[] = { { clock_boot_ns, CLOCK_BOOTTIME },
		       { clock_monotonic_ns, CLOCK_MONOTONIC },
		       { clock_utc_ns, CLOCK_REALTIME } };

	(void)state;
	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		uint64_t before = now_of(clocks[i].id), ours = clocks[i].ours();

		assert_in_range(ours, before, now_of(clocks[i].id));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_duration_is_its_nanoseconds),
		cmocka_unit_test(a_bad_duration_is_refused),
		cmocka_unit_test(hexadecimal_is_refused_in_capitals_too),
		cmocka_unit_test(beyond_what_a_double_holds_is_refused),
		cmocka_unit_test(every_clock_is_the_one_it_says),
	};

	return cmocka_run_group_tests_name("lib/clock", tests, NULL, NULL);
}
