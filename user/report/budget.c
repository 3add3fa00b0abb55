/* budget.c - see budget.h: the table of measures, and what a limit is. The file is budget_file.c.
 */
#include "report/budget.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/budget_private.h"

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/size.h"

#define PERCENT_MAX 1e6
#define COUNT_MAX 9e15 /* a double tells them apart */

const struct measure_row measures[MEASURES] = {
	[MEASURE_PEAK_RSS] = { "peak-rss", "peak RSS", "rss", UNIT_BYTES, "memory", NULL },
	[MEASURE_HEAP_PEAK] = { "heap-peak", "heap at the peak", "peak", UNIT_BYTES, "allocations",
				"allocations" },
	[MEASURE_LEAKED] = { "leaked", "heap live at the end", "leaked", UNIT_BYTES, "allocations",
			     "allocations" },
	[MEASURE_WALL] = { "wall", "wall time", "wall", UNIT_SECONDS, "memory", "profile" },
	[MEASURE_CPU] = { "cpu", "CPU time", "cpu", UNIT_SECONDS, "profile", "profile" },
	[MEASURE_FAULTS] = { "faults", "page faults", "faults", UNIT_COUNT, "memory", NULL },
	[MEASURE_MINOR_FAULTS] = { "minor-faults", "minor page faults", NULL, UNIT_COUNT, "memory",
				   NULL },
	[MEASURE_MAJOR_FAULTS] = { "major-faults", "major page faults", NULL, UNIT_COUNT, "memory",
				   NULL },
	[MEASURE_PROCESSES] = { "processes", "processes", NULL, UNIT_COUNT, NULL, NULL },
};

/* Only digits: a sign, a fraction or an exponent is no count. */
static int count_parse(const char *text, double *ret)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || text[digits])
		return -EINVAL;
	*ret = strtod(text, NULL);
	return *ret > COUNT_MAX ? -ERANGE : 0;
}

int budget_amount(enum measure_unit unit, const char *text, double *ret)
{
	uint64_t whole = 0;
	int err;

	if (unit == UNIT_COUNT)
		return count_parse(text, ret);
	err = unit == UNIT_BYTES ? size_parse(text, &whole) : duration_parse(text, &whole);
	*ret = unit == UNIT_BYTES ? (double)whole : (double)whole / 1e9;
	return err;
}

const char *budget_unit_example(enum measure_unit unit)
{
	static const char *const examples[] = {
		[UNIT_BYTES] = "a size such as 512M",
		[UNIT_SECONDS] = "a time such as 1.5s",
		[UNIT_COUNT] = "a whole number",
	};

	return examples[unit];
}

struct budget_limit *budget_new_limit(struct budget *b)
{
	struct budget_limit *grown;

	if (!(b->n & (b->n - 1))) { /* a power of two is full */
		grown = reallocarray(b->limits, b->n ? 2 * b->n : 1, sizeof(*grown));
		if (!grown)
			return NULL;
		b->limits = grown;
	}
	b->limits[b->n] = (struct budget_limit){};
	return &b->limits[b->n++];
}

void budget_free(struct budget *b)
{
	for (size_t i = 0; b && i < b->n; i++) {
		free(b->limits[i].function);
		free(b->limits[i].text);
	}
	if (b) {
		free(b->limits);
		free(b->name);
	}
	free(b);
}

bool budget_needs(const struct budget *b, const char *diagnostic)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct measure_row *row = &measures[b->limits[i].measure];
		const char *needed = b->limits[i].function ? row->of_function : row->of_task;

		if (needed && !strcmp(needed, diagnostic))
			return true;
	}
	return false;
}

static char *known_rules(void)
{
	_cleanup_free_ char *text = NULL;
	const char *separator = "";
	size_t size;
	FILE *f = open_memstream(&text, &size);

	for (size_t i = 0; f && i < MEASURES; i++) {
		if (!measures[i].rule)
			continue;
		fprintf(f, "%s%s", separator, measures[i].rule);
		separator = ", ";
	}
	return !f || fclose(f) ? NULL : take_ptr(text);
}

static int rule_error(char **ret_error, const char *text, const char *what, const char *rest)
{
	if (asprintf(ret_error, "--fail-on %.64s: %s%s", text, what, rest ? rest : "") < 0)
		*ret_error = NULL;
	return -EINVAL;
}

/* "10%" or an amount of the unit. */
static int rule_amount(const char *text, enum measure_unit unit, struct budget_limit *l)
{
	char *end;

	l->relative = text[0] && text[strlen(text) - 1] == '%';
	if (!l->relative)
		return budget_amount(unit, text, &l->limit);
	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	l->limit = strtod(text, &end) / 100;
	return strcmp(end, "%") || !(l->limit <= PERCENT_MAX) ? -EINVAL : 0;
}

int budget_add_rule(struct budget **b, const char *text, char **ret_error)
{
	const char *plus = strchr(text, '+');
	_cleanup_free_ char *name = strndup(text, plus ? (size_t)(plus - text) : strlen(text));
	_cleanup_free_ char *known = known_rules();
	struct budget_limit rule = {}, *l;
	unsigned m = 0;

	*ret_error = NULL;
	if (!*b)
		*b = calloc(1, sizeof(**b));
	if (!*b || !name || !known)
		return -ENOMEM;
	while (m < MEASURES && (!measures[m].rule || strcmp(measures[m].rule, name)))
		m++;
	if (m == MEASURES)
		return rule_error(ret_error, text,
				  "not known; there is, with +10% or +5M: ", known);
	if (!plus || rule_amount(plus + 1, measures[m].unit, &rule))
		return rule_error(ret_error, text, "needs + and a share such as 10%, or ",
				  budget_unit_example(measures[m].unit));
	for (size_t i = 0; i < (*b)->n; i++)
		if ((*b)->limits[i].measure == m)
			return rule_error(ret_error, text, "a second rule for the same", NULL);
	rule.measure = m;
	rule.text = strdup(text);
	l = rule.text ? budget_new_limit(*b) : NULL;
	if (!l) {
		free(rule.text);
		return -ENOMEM;
	}
	*l = rule;
	return 0;
}

int budget_add_told(struct budget **b)
{
	if (!*b)
		*b = calloc(1, sizeof(**b));
	for (unsigned m = 0; *b && m < MEASURES; m++) {
		bool there = !measures[m].rule;
		struct budget_limit *l;

		for (size_t i = 0; i < (*b)->n; i++)
			there |= (*b)->limits[i].measure == m;
		if (there)
			continue;
		l = budget_new_limit(*b);
		if (!l)
			return -ENOMEM;
		l->measure = m;
		l->told = true;
	}
	return *b ? 0 : -ENOMEM;
}
