/* facts.c - run → the sentences that every report shares (see facts.h). */
#include "report/facts.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

int fact_peak(const struct run *r, double *ret_bytes, double *ret_time_s)
{
	double bytes = run_number(r, "diagnostics.memory.peak_rss_bytes");
	double time_s = run_number(r, "diagnostics.memory.peak_time_s");
	const struct run_row *best = NULL;
	enum run_column c = RUN_RSS_PEAK;

	if (bytes >= 0 && !isnan(time_s)) {
		*ret_bytes = bytes;
		*ret_time_s = time_s;
		return 0;
	}
	for (size_t i = 0; i < r->n_rows; i++)
		if (!isnan(r->rows[i].v[c]) && (!best || r->rows[i].v[c] > best->v[c]))
			best = &r->rows[i];
	if (!best) {
		c = RUN_RSS;
		for (size_t i = 0; i < r->n_rows; i++)
			if (!isnan(r->rows[i].v[c]) && (!best || r->rows[i].v[c] > best->v[c]))
				best = &r->rows[i];
	}
	if (!best)
		return -ENODATA;
	*ret_bytes = best->v[c];
	*ret_time_s =
	    isnan(best->v[RUN_RSS_PEAK_TIME]) ? best->v[RUN_TIME] : best->v[RUN_RSS_PEAK_TIME];
	return 0;
}

double fact_duration(const struct run *r)
{
	double told = run_number(r, "task.duration_s");
	double last = r->n_rows ? r->rows[r->n_rows - 1].v[RUN_TIME] : NAN;

	return fmax(0, fmax(told, last)); /* fmax() passes over NaN */
}

static void put_quoted(FILE *f, const char *argument)
{
	static const char plain[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";

	if (*argument && strspn(argument, plain) == strlen(argument)) {
		fputs(argument, f);
		return;
	}
	fputc('\'', f);
	for (; *argument; argument++) {
		if (*argument == '\'')
			fputs("'\\''", f);
		else
			fputc(*argument, f);
	}
	fputc('\'', f);
}

char *fact_command(const struct run *r)
{
	json_t *command = run_get(r, "task.command"), *argument;
	const char *id = run_string(r, "task.id");
	_cleanup_free_ char *text = NULL;
	size_t i, size = 0;
	FILE *f;

	if (json_is_string(command))
		return strdup(json_string_value(command));
	if (!json_array_size(command))
		return strdup(id ? id : "(unnamed task)");
	f = open_memstream(&text, &size);
	if (!f)
		return NULL;
	json_array_foreach(command, i, argument)
	{
		if (i)
			fputc(' ', f);
		put_quoted(f, json_is_string(argument) ? json_string_value(argument) : "?");
	}
	return fclose(f) ? NULL : take_ptr(text);
}

static __attribute__((format(printf, 1, 2))) char *format_text(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return text;
}

char *fact_end(const json_t *object)
{
	const char *end = run_member_string(object, "end"), *name = NULL;
	double status = run_member_number(object, "exit_status");
	double signal = run_member_number(object, "signal");

	if (!end)
		return strdup("end unknown");
	if (!strcmp(end, "exited"))
		return isnan(status) ? strdup("exited")
				     : format_text("exited with status %.0f", status);
	if (!strcmp(end, "killed-by-signal")) {
		if (signal > 0 && signal < 128)
			name = sigabbrev_np((int)signal);
		return isnan(signal) ? strdup("killed by a signal")
		       : name	     ? format_text("killed by SIG%s", name)
				     : format_text("killed by signal %.0f", signal);
	}
	if (!strcmp(end, "oom"))
		return strdup("killed by the OOM killer");
	if (!strcmp(end, "detached"))
		return strdup("still running when the observation ended");
	if (!strcmp(end, "running"))
		return strdup("still running");
	if (!strcmp(end, "left"))
		return strdup("left the cgroup");
	if (!strcmp(end, "unknown"))
		return strdup("end unknown (its exit record was lost)");
	return format_text("ended: %s", end);
}

/* "ring_full 10, late 2": the nonzero members of @counters. */
static char *nonzero(json_t *counters)
{
	_cleanup_free_ char *text = NULL;
	const char *key, *separator = "";
	size_t size = 0;
	json_t *value;
	FILE *f;

	f = open_memstream(&text, &size);
	if (!f)
		return NULL;
	json_object_foreach(counters, key, value)
	{
		if (json_is_number(value) && json_number_value(value) == 0)
			continue;
		fprintf(f, "%s%s %s", separator, key,
			fact_count(run_member_number(counters, key)).s);
		separator = ", ";
	}
	return fclose(f) ? NULL : take_ptr(text);
}

char *fact_ledger(const struct run *r, enum fact_verdict *ret)
{
	json_t *lost = run_get(r, "ledger.lost"), *value;
	double offered = run_number(r, "ledger.offered"),
	       recorded = run_number(r, "ledger.recorded");
	_cleanup_free_ char *causes = NULL;
	const char *key;
	double sum = 0;

	*ret = FACT_UNKNOWN;
	if (isnan(offered) || isnan(recorded) || !json_is_object(lost))
		return strdup("unknown: the manifest holds no ledger");
	json_object_foreach(lost, key, value) sum +=
	    run_member_number(lost, key); /* NaN spreads: it then does not add up */
	if (!(offered == recorded + sum))
		return format_text("does not add up: %s offered, %s recorded, %s lost",
				   fact_count(offered).s, fact_count(recorded).s,
				   fact_count(sum).s);
	if (sum == 0) {
		*ret = FACT_COMPLETE;
		return format_text("complete: %s record%s, none lost", fact_count(recorded).s,
				   recorded == 1 ? "" : "s");
	}
	*ret = FACT_LOSSES;
	causes = nonzero(lost);
	return causes ? format_text("incomplete: %s of %s records lost: %s", fact_count(sum).s,
				    fact_count(offered).s, causes)
		      : NULL;
}

static int append(json_t *array, char *text)
{
	int err = text ? json_array_append_new(array, json_string_nocheck(text)) : -1;

	free(text);
	return err;
}

static int append_gaps(json_t *array, const struct run *r)
{
	json_t *gaps = run_get(r, "diagnostics.memory.gaps"), *gap;
	double seconds, sum = 0;
	const char *cause, *first = NULL;
	size_t i;

	json_array_foreach(gaps, i, gap)
	{
		seconds = run_member_number(gap, "seconds");
		cause = run_member_string(gap, "cause");
		sum += isnan(seconds) ? 0 : seconds;
		first = first ? first : cause;
	}
	if (!json_array_size(gaps))
		return 0;
	return append(array, format_text("gaps: %zu, together %s without ticks (%s%s)",
					 json_array_size(gaps), fact_seconds(sum).s,
					 first ? first : "cause unknown",
					 json_array_size(gaps) > 1 ? " first" : ""));
}

static int append_limits(json_t *array, const struct run *r, const char *diagnostic)
{
	json_t *of = json_object_get(run_get(r, "diagnostics"), diagnostic), *limit;
	const char *status = run_member_string(of, "status");
	size_t i;
	int err = 0;

	if (status && strcmp(status, "ok") && strcmp(status, "limited"))
		err |= append(array, format_text("%s: %s", diagnostic, status));
	json_array_foreach(json_object_get(of, "limits"), i, limit) if (json_is_string(limit))
	    err |= append(array, strdup(json_string_value(limit)));
	return err;
}

/* Notes of what was found and put right: they limit nothing. */
static bool is_cured(const char *note)
{
	return !strcmp(note, "untold_switches") || !strcmp(note, "foreign_pages");
}

json_t *fact_conditions(const struct run *r)
{
	json_t *array = json_array(), *notes = run_get(r, "ledger.notes"), *value;
	const char *key;
	int err = 0;

	if (!array)
		return NULL;
	err |= append_limits(array, r, "memory");
	err |= append_gaps(array, r);
	err |= append_limits(array, r, "profile");
	err |= append_limits(array, r, "allocations");
	json_object_foreach(notes, key, value)
	{
		if (is_cured(key) || (json_is_number(value) && json_number_value(value) == 0))
			continue;
		err |= append(array, format_text("note: %s %s", key,
						 fact_count(run_member_number(notes, key)).s));
	}
	if (!err)
		return array;
	json_decref(array);
	return NULL;
}

char *fact_observer(const struct run *r)
{
	double cpu_s = run_number(r, "observer.cpu_s"),
	       rss = run_number(r, "observer.rss_peak_bytes");
	double attach_s = run_number(r, "observer.attach_s"), duration_s = fact_duration(r);
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *f;

	if (isnan(cpu_s) && isnan(rss) && isnan(attach_s))
		return strdup("not measured");
	f = open_memstream(&text, &size);
	if (!f)
		return NULL;
	fprintf(f, "CPU %s", fact_seconds(cpu_s).s);
	if (duration_s > 0 && !isnan(cpu_s))
		fprintf(f, " (%s of the run)", fact_percent(cpu_s / duration_s).s);
	fprintf(f, ", RSS %s", fact_mb(rss).s);
	if (!isnan(attach_s))
		fprintf(f, ", attached in %s", fact_seconds(attach_s).s);
	return fclose(f) ? NULL : take_ptr(text);
}
