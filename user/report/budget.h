/* budget.h - what a task may use: the text of a budget file → limits.
 *
 *	[task]                  peak-rss = 512M
 *	[function "parse"]      wall = 2s
 *
 * INI, read by libinih. Keys are the rows of `measures`. A function is named by its section, or by
 * the section's first key `name` where the name is longer than 49 bytes less "function " or holds
 * a ']'. Pure.
 */
#ifndef TASKDIAG_REPORT_BUDGET_H
#define TASKDIAG_REPORT_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

#define BUDGET_TEXT_MAX (1u << 20)
#define BUDGET_LIMITS_MAX 1000u

enum measure {
	MEASURE_PEAK_RSS,
	MEASURE_HEAP_PEAK,
	MEASURE_LEAKED,
	MEASURE_WALL,
	MEASURE_CPU,
	MEASURE_FAULTS,
	MEASURE_MINOR_FAULTS,
	MEASURE_MAJOR_FAULTS,
	MEASURE_PROCESSES,
	MEASURES
};

enum measure_unit { UNIT_BYTES, UNIT_SECONDS, UNIT_COUNT };

struct measure_row {
	const char *key;   /* in a budget */
	const char *words; /* for a person */
	const char *rule;  /* in a rule of diff; NULL: none */
	enum measure_unit unit;
	/* the diagnostic that measures it; NULL: every run does */
	const char *of_task;
	const char *of_function; /* NULL: a function has no such thing */
};

extern const struct measure_row measures[MEASURES];

struct budget_limit {
	enum measure measure;
	char *function; /* NULL: the whole task */
	double limit;	/* bytes, seconds, a number; of a rule: what may be added to the base */
	bool relative;	/* of a rule: limit is a share of the base */
	bool told;	/* of a comparison: no rule, only said */
	unsigned line;	/* of the file; 0: none */
	char *text;	/* as it was written */
};

struct budget {
	char *name; /* of the file; NULL: rules */
	struct budget_limit *limits;
	size_t n;
};

/**
 * @text: NUL-terminated. @name: of the file, for messages. 0; -EINVAL, -ENOMEM: *ret_error is
 * "FILE:LINE: …", new, raw, NULL without memory.
 */
int budget_parse(const char *text, const char *name, struct budget **ret, char **ret_error);

/** "peak+10%", "rss+5M", "wall+2s": added to @b, which is made when *b is NULL. -EINVAL, -ENOMEM.
 */
int budget_add_rule(struct budget **b, const char *text, char **ret_error);

/** Measures that have a rule, but none in @b, as told; all when there is none. -ENOMEM. */
int budget_add_told(struct budget **b);

void budget_free(struct budget *b); /* NULL is fine */

/** Whether a limit needs the diagnostic of this name. */
bool budget_needs(const struct budget *b, const char *diagnostic);

#endif
