/* rows.c - memory.csv as text → rows (see rows.h). */
#include "report/rows.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#define COLUMNS_MAX 128

const char *const run_column_names[RUN_COLUMNS] = {
	[RUN_TIME] = "time_s",
	[RUN_TICKS] = "ticks",
	[RUN_RSS] = "rss_bytes",
	[RUN_RSS_MIN] = "rss_min_bytes",
	[RUN_RSS_PEAK] = "rss_peak_bytes",
	[RUN_RSS_PEAK_TIME] = "rss_peak_time_s",
	[RUN_ANON] = "anon_bytes",
	[RUN_FILE] = "file_bytes",
	[RUN_SHMEM] = "shmem_bytes",
	[RUN_SWAP] = "swap_bytes",
	[RUN_PSS] = "pss_bytes",
	[RUN_MINOR_FAULTS] = "minor_faults",
	[RUN_MAJOR_FAULTS] = "major_faults",
	[RUN_PROCESSES] = "processes",
	[RUN_THREADS] = "threads",
	[RUN_CGROUP_USAGE] = "cgroup_usage_bytes",
	[RUN_CGROUP_FILE] = "cgroup_file_bytes",
	[RUN_CGROUP_KERNEL] = "cgroup_kernel_bytes",
	[RUN_CGROUP_ANON] = "cgroup_anon_bytes",
	[RUN_CGROUP_SWAP] = "cgroup_swap_bytes",
};

static const char *const event_names[] = {
	[RUN_TICK] = "tick",
	[RUN_PEAK] = "peak",
	[RUN_GAP] = "gap",
	[RUN_MERGED] = "merged",
};

/* Where the cells of a line go. */
enum { CELL_IGNORED = -1, CELL_EVENT = -2 };

struct parser {
	int targets[COLUMNS_MAX]; /* a run_column, CELL_IGNORED or CELL_EVENT */
	size_t n_targets;
	size_t line; /* counts from 1 */
	struct run_row *rows;
	size_t n, allocated;
	char **ret_error;
};

static __attribute__((format(printf, 2, 3))) int fail(struct parser *p, const char *format, ...)
{
	_cleanup_free_ char *cause = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&cause, format, args) < 0)
		cause = NULL;
	va_end(args);
	if (!cause || asprintf(p->ret_error, "line %zu: %s", p->line, cause) < 0)
		*p->ret_error = NULL;
	return -EINVAL;
}

/* Cuts the next field off *cursor at @separator; NULL at the end. */
static char *next_field(char **cursor, char separator)
{
	char *field = *cursor, *end;

	if (!field)
		return NULL;
	end = strchrnul(field, separator);
	*cursor = *end ? end + 1 : NULL;
	*end = '\0';
	return field;
}

static char *next_line(struct parser *p, char **cursor)
{
	char *line = next_field(cursor, '\n');
	size_t n;

	if (!line)
		return NULL;
	p->line++;
	n = strlen(line);
	if (n && line[n - 1] == '\r')
		line[n - 1] = '\0';
	return line;
}

static int target_of(const char *name)
{
	if (!strcmp(name, "event"))
		return CELL_EVENT;
	for (int c = 0; c < RUN_COLUMNS; c++)
		if (!strcmp(name, run_column_names[c]))
			return c;
	return CELL_IGNORED;
}

static int parse_header(struct parser *p, char *line)
{
	bool seen[RUN_COLUMNS] = { false };
	char *cell;
	int target;

	while ((cell = next_field(&line, ','))) {
		if (p->n_targets == COLUMNS_MAX)
			return fail(p, "more than %d columns", COLUMNS_MAX);
		target = target_of(cell);
		if (target >= 0 && seen[target])
			return fail(p, "column %s stands twice", cell);
		if (target >= 0)
			seen[target] = true;
		p->targets[p->n_targets++] = target;
	}
	if (!seen[RUN_TIME] || !seen[RUN_RSS])
		return fail(p, "the header has no %s column",
			    run_column_names[seen[RUN_TIME] ? RUN_RSS : RUN_TIME]);
	return 0;
}

static int parse_event(struct parser *p, const char *cell, enum run_event *ret)
{
	for (size_t i = 0; i < sizeof(event_names) / sizeof(event_names[0]); i++)
		if (!strcmp(cell, event_names[i])) {
			*ret = (enum run_event)i;
			return 0;
		}
	return fail(p, "event '%.40s' is not known", cell);
}

static int parse_number(struct parser *p, const char *cell, int column, double *ret)
{
	bool is_time = column == RUN_TIME || column == RUN_RSS_PEAK_TIME;
	char *end;
	double v;

	if (!*cell)
		return 0; /* stays NaN: not measured */
	if (strspn(cell, "0123456789.eE+-") !=
	    strlen(cell)) /* strtod would take nan, inf, hex and blanks */
		return fail(p, "%s: '%.40s' is not a number", run_column_names[column], cell);
	v = strtod(cell, &end);
	if (*end)
		return fail(p, "%s: '%.40s' is not a number", run_column_names[column], cell);
	if (!isfinite(v) || fabs(v) > RUN_NUMBER_MAX || (v < 0 && !is_time))
		return fail(p, "%s: %.40s is out of range", run_column_names[column], cell);
	*ret = v;
	return 0;
}

static int parse_row(struct parser *p, char *line, struct run_row *ret)
{
	char *cell;
	int err, target;

	ret->event = RUN_TICK;
	for (int c = 0; c < RUN_COLUMNS; c++)
		ret->v[c] = NAN;
	for (size_t i = 0; (cell = next_field(&line, ',')); i++) {
		if (i == p->n_targets)
			return fail(p, "more cells than the header has columns");
		target = p->targets[i];
		err = target == CELL_EVENT ? parse_event(p, cell, &ret->event)
		      : target >= 0	   ? parse_number(p, cell, target, &ret->v[target])
					   : 0;
		if (err)
			return err;
	}
	if (isnan(ret->v[RUN_TIME]))
		return fail(p, "time_s is empty");
	if (p->n && ret->v[RUN_TIME] < p->rows[p->n - 1].v[RUN_TIME])
		return fail(p, "time_s goes back");
	return 0;
}

static int grow(struct parser *p)
{
	size_t n = p->allocated ? 2 * p->allocated : 1024;
	struct run_row *rows;

	if (p->n < p->allocated)
		return 0;
	rows = reallocarray(p->rows, n, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	p->rows = rows;
	p->allocated = n;
	return 0;
}

static int parse_lines(struct parser *p, char *text)
{
	char *line;
	int err;

	line = next_line(p, &text);
	err = parse_header(p, line);
	while (!err && (line = next_line(p, &text))) {
		if (!*line)
			continue;
		if (p->n == RUN_ROWS_MAX) {
			fail(p, "more than %u rows", RUN_ROWS_MAX);
			return -E2BIG;
		}
		err = grow(p);
		if (!err)
			err = parse_row(p, line, &p->rows[p->n]);
		if (!err)
			p->n++;
	}
	return err;
}

int rows_parse(char *text, struct run_row **ret_rows, size_t *ret_n, char **ret_error)
{
	struct parser p = { .ret_error = ret_error };
	int err;

	*ret_error = NULL;
	err = parse_lines(&p, text);
	if (err) {
		free(p.rows);
		return err;
	}
	*ret_rows = p.rows;
	*ret_n = p.n;
	return 0;
}
