/* verdict_reading.c - see verdict_reading.h: the table of measures, and those of memory. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "report/verdict_reading_private.h"

#define LIMIT_PATH_MAX 80

int reading_between(struct reading *ret, double value, double low, double high)
{
	ret->value = value;
	ret->low = low;
	ret->high = high;
	return 0;
}

int reading_exact(struct reading *ret, double value)
{
	return reading_between(ret, value, value, value);
}

static __attribute__((format(printf, 2, 0))) int set_text(char **ret, const char *format,
							  va_list args)
{
	if (!*ret && vasprintf(ret, format, args) < 0) {
		*ret = NULL;
		return -ENOMEM;
	}
	return 0;
}

int reading_absent(struct reading *ret, const char *format, ...)
{
	va_list args;
	int err;

	va_start(args, format);
	err = set_text(&ret->why, format, args);
	va_end(args);
	return err;
}

int reading_note(struct reading *ret, const char *format, ...)
{
	va_list args;
	int err;

	va_start(args, format);
	err = set_text(&ret->note, format, args);
	va_end(args);
	return err;
}

void reading_done(struct reading *r)
{
	free(r->why);
	free(r->note);
	*r = (struct reading){};
}

double reading_chance(double n)
{
	return n > 0 ? fmax(3, 1.96 * sqrt(n)) : 3;
}

const char *reading_limit(const struct run *r, const char *diagnostic)
{
	char path[LIMIT_PATH_MAX];

	snprintf(path, sizeof(path), "diagnostics.%s.limits", diagnostic);
	return json_string_value(json_array_get(run_get(r, path), 0));
}

bool reading_has(const struct run *r, const char *diagnostic, struct reading *ret)
{
	const char *limit = reading_limit(r, diagnostic), *status;
	char path[LIMIT_PATH_MAX];

	snprintf(path, sizeof(path), "diagnostics.%s", diagnostic);
	if (!json_is_object(run_get(r, path))) {
		reading_absent(ret, "the run has no %s diagnostic (-d %s)", diagnostic, diagnostic);
		return false;
	}
	snprintf(path, sizeof(path), "diagnostics.%s.status", diagnostic);
	status = run_string(r, path);
	if (status && strcmp(status, "failed"))
		return true;
	reading_absent(ret, "the %s diagnostic has failed%s%.300s", diagnostic, limit ? ": " : "",
		       limit ? limit : "");
	return false;
}

/* Records that never came may have been larger than all that did. */
static double lost_records(const struct run *r)
{
	double sum = 0, n;
	const char *cause;
	json_t *value;

	json_object_foreach(run_get(r, "ledger.lost"), cause, value)
	{
		n = json_is_number(value) ? json_number_value(value) : 0;
		sum += n > 0 ? n : 0;
	}
	return sum;
}

static int peak_rss(const struct run *r, const char *function, struct reading *ret)
{
	double value = run_number(r, "diagnostics.memory.peak_rss_bytes"), high = value;
	double resolution = run_number(r, "diagnostics.memory.resolution_bytes"), threads = 1;
	const char *source = run_string(r, "diagnostics.memory.source");
	double lost = lost_records(r);

	(void)function;
	if (!reading_has(r, "memory", ret))
		return ret->why ? 0 : -ENOMEM;
	if (!(value >= 0))
		return reading_absent(ret, "the run has no peak of its RSS");
	for (size_t i = 0; i < r->n_rows; i++)
		threads = fmax(threads, r->rows[i].v[RUN_THREADS]);
	if (resolution > 0)
		high += resolution * threads;
	reading_between(ret, value, value, high);
	if (source && !strcmp(source, "rss_stat") && lost == 0)
		return 0;
	ret->high = INFINITY;
	if (lost > 0)
		return reading_note(ret, "%.0f records were lost: the peak may be higher", lost);
	return reading_note(ret, "seen at ticks only: a peak between two of them may be higher");
}

static int count_of(const struct run *r, const char *path, struct reading *ret)
{
	double value = run_number(r, path), lost = lost_records(r);

	if (!(value >= 0))
		return reading_absent(ret, "the run does not have it (%s)", path);
	reading_between(ret, value, value, lost > 0 ? INFINITY : value);
	return lost > 0 ? reading_note(ret, "%.0f records were lost: it may be more", lost) : 0;
}

static int minor_faults(const struct run *r, const char *function, struct reading *ret)
{
	(void)function;
	if (!reading_has(r, "memory", ret))
		return ret->why ? 0 : -ENOMEM;
	return count_of(r, "diagnostics.memory.minor_faults", ret);
}

static int major_faults(const struct run *r, const char *function, struct reading *ret)
{
	(void)function;
	if (!reading_has(r, "memory", ret))
		return ret->why ? 0 : -ENOMEM;
	return count_of(r, "diagnostics.memory.major_faults", ret);
}

static int all_faults(const struct run *r, const char *function, struct reading *ret)
{
	struct reading major = {};
	int err = minor_faults(r, function, ret);

	if (!err && !ret->why)
		err = major_faults(r, function, &major);
	if (!ret->why)
		ret->why = take_ptr(major.why);
	reading_between(ret, ret->value + major.value, ret->low + major.low,
			ret->high + major.high);
	reading_done(&major);
	return err;
}

static int processes(const struct run *r, const char *function, struct reading *ret)
{
	(void)function;
	return count_of(r, "task.processes_seen", ret);
}

int reading_take(const struct run *r, const struct budget_limit *l, struct reading *ret)
{
	static reading_fn *const rows[MEASURES] = {
		[MEASURE_PEAK_RSS] = peak_rss,
		[MEASURE_HEAP_PEAK] = reading_heap_peak,
		[MEASURE_LEAKED] = reading_heap_leaked,
		[MEASURE_WALL] = reading_wall,
		[MEASURE_CPU] = reading_cpu,
		[MEASURE_FAULTS] = all_faults,
		[MEASURE_MINOR_FAULTS] = minor_faults,
		[MEASURE_MAJOR_FAULTS] = major_faults,
		[MEASURE_PROCESSES] = processes,
	};

	*ret = (struct reading){};
	return rows[l->measure](r, l->function, ret);
}

static int usage_rss(const struct usage *u, const char *missing, struct reading *ret)
{
	double rss = u->largest_rss_bytes;

	/* it began as a copy of us: what is not above our own size may be ours */
	reading_between(ret, rss, rss > u->own_rss_bytes ? rss : 0, u->alone ? rss : INFINITY);
	return reading_note(ret, "peak RSS of its largest process%s (without BPF: %.300s)",
			    u->alone ? "" : ", there were others", missing);
}

int reading_of_usage(const struct usage *u, const struct budget_limit *l, const char *missing,
		     struct reading *ret)
{
	const double numbers[MEASURES] = {
		[MEASURE_WALL] = u->wall_s,
		[MEASURE_CPU] = u->cpu_s,
		[MEASURE_FAULTS] = u->minor_faults + u->major_faults,
		[MEASURE_MINOR_FAULTS] = u->minor_faults,
		[MEASURE_MAJOR_FAULTS] = u->major_faults,
	};

	*ret = (struct reading){};
	if (l->function || l->measure == MEASURE_HEAP_PEAK || l->measure == MEASURE_LEAKED)
		return reading_absent(ret, "without BPF: %.300s", missing);
	if (l->measure == MEASURE_PEAK_RSS)
		return usage_rss(u, missing, ret);
	if (l->measure == MEASURE_PROCESSES && !u->alone)
		return reading_absent(ret, "more than one; without BPF: %.300s", missing);
	return reading_exact(ret, l->measure == MEASURE_PROCESSES ? 1 : numbers[l->measure]);
}
