/* numbers.c - numbers as people read them (the fact_text part of facts.h). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/facts.h"

static const struct fact_text not_measured = { "not measured" };

/* "1234567.8" → "1,234,567.8" */
static struct fact_text grouped(double v, int decimals)
{
	struct fact_text t;
	char digits[40];
	size_t whole, used = 0;

	snprintf(digits, sizeof(digits), "%.*f", decimals, fabs(v));
	whole = strcspn(digits, ".");
	if (v < 0 && strpbrk(digits, "123456789"))
		t.s[used++] = '-';
	for (size_t i = 0; i < whole; i++) {
		if (i && (whole - i) % 3 == 0)
			t.s[used++] = ',';
		t.s[used++] = digits[i];
	}
	snprintf(t.s + used, sizeof(t.s) - used, "%s", digits + whole);
	return t;
}

static struct fact_text with_unit(struct fact_text number, const char *unit)
{
	size_t n = strlen(number.s);

	snprintf(number.s + n, sizeof(number.s) - n, " %s", unit);
	return number;
}

struct fact_text fact_mb(double bytes)
{
	double mb = bytes / FACT_MB;

	if (isnan(bytes))
		return not_measured;
	return with_unit(grouped(mb, mb != 0 && fabs(mb) < 0.095 ? 3 : 1), "MB");
}

struct fact_text fact_count(double n)
{
	return isnan(n) ? not_measured : grouped(n, 0);
}

struct fact_text fact_percent(double ratio)
{
	double percent = 100 * ratio;

	if (isnan(ratio))
		return not_measured;
	return with_unit(grouped(percent, percent != 0 && fabs(percent) < 0.095 ? 3 : 1), "%");
}

struct fact_text fact_seconds(double s)
{
	struct fact_text t;

	if (isnan(s))
		return not_measured;
	if (fabs(s) < 0.9995)
		return with_unit(grouped(s, 3), "s");
	if (fabs(s) < 599.5)
		return with_unit(grouped(s, fabs(s) < 99.995 ? 2 : 1), "s");
	if (s < 0 || s > 1e12)
		return with_unit(grouped(s, 0), "s");
	s = round(s);
	if (s < 7200)
		snprintf(t.s, sizeof(t.s), "%.0f min %.0f s", floor(s / 60), fmod(s, 60));
	else if (s < 2 * 86400)
		snprintf(t.s, sizeof(t.s), "%.0f h %.0f min", floor(s / 3600),
			 floor(fmod(s, 3600) / 60));
	else
		snprintf(t.s, sizeof(t.s), "%.0f d %.0f h", floor(s / 86400),
			 floor(fmod(s, 86400) / 3600));
	return t;
}
