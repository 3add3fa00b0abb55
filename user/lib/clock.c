/* clock.c - see clock.h */
#include "lib/clock.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DURATION_MAX_S (10.0 * 365 * 86400)

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t = {};

	clock_gettime(id, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

uint64_t clock_boot_ns(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

uint64_t clock_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t clock_utc_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

int duration_parse(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = { { "ns", 1e-9 }, { "us", 1e-6 }, { "ms", 1e-3 }, { "s", 1 },
		      { "", 1 },      { "m", 60 },    { "h", 3600 },  { "d", 86400 } };
	double value;
	char *end;

	/* strtod alone would take "inf", "nan", hexadecimal and leading space */
	if (!strchr("0123456789.+-", text[0]) || strpbrk(text, "xX") || !text[0])
		return -EINVAL;
	value = strtod(text, &end);
	if (end == text || !isfinite(value))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].name))
			continue;
		value *= units[i].seconds;
		if (value <= 0 || value > DURATION_MAX_S)
			return -ERANGE;
		*ret_ns = (uint64_t)(value * 1e9 + 0.5);
		return *ret_ns ? 0 : -ERANGE;
	}
	return -EINVAL;
}
