/* summary.c - run → one screen of text: what ran, its peak and who held it, the curve, the losses,
 * our cost. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/curve.h"
#include "report/facts.h"
#include "report/report.h"
#include "report/textchart.h"

#define HOLDERS_MAX 5u /* processes listed */
#define NAME_COLUMNS 16
#define LIMITS_MAX 6u /* conditions listed */
#define LABEL "%-9s"

#define SGR_BOLD "1"
#define SGR_DIM "2"
#define SGR_GREEN "32"
#define SGR_YELLOW "1;33"

struct screen {
	FILE *out;
	const struct run *run;
	unsigned columns;
	bool utf8, colour;
};

/* Prints "label    text", the text escaped, cut to the line and, when told, coloured. */
static int put(const struct screen *s, const char *label, const char *sgr, const char *text)
{
	_cleanup_free_ char *safe = text ? escape_terminal(text, s->utf8, s->columns - 9) : NULL;

	if (!safe)
		return -ENOMEM;
	if (s->colour && sgr)
		fprintf(s->out, LABEL "\033[%sm%s\033[0m\n", label, sgr, safe);
	else
		fprintf(s->out, LABEL "%s\n", label, safe);
	return 0;
}

static int put_new(const struct screen *s, const char *label, const char *sgr, char *text)
{
	_cleanup_free_ char *owned = text;

	return put(s, label, sgr, owned);
}

static int print_task(const struct screen *s)
{
	_cleanup_free_ char *end = fact_end(run_get(s->run, "task")), *text = NULL;
	const char *id = run_string(s->run, "task.id");
	double seen = run_number(s->run, "task.processes_seen");
	_cleanup_free_ char *processes = NULL;
	int err;

	if (!end || (seen > 0 && asprintf(&processes, ", %s process%s", fact_count(seen).s,
					  seen == 1 ? "" : "es") < 0))
		return -ENOMEM;
	if (asprintf(&text, "%s: %s after %s%s", id ? id : "unnamed task", end,
		     fact_seconds(fact_duration(s->run)).s, processes ? processes : "") < 0)
		return -ENOMEM;
	err = put(s, "task", SGR_BOLD, text);
	return err ? err : put_new(s, "command", NULL, fact_command(s->run));
}

static int print_peak(const struct screen *s)
{
	const char *source = run_string(s->run, "diagnostics.memory.source");
	bool every_change = source && !strcmp(source, "rss_stat");
	_cleanup_free_ char *text = NULL;
	double bytes, time_s;

	if (fact_peak(s->run, &bytes, &time_s))
		return put(s, "peak RSS", SGR_YELLOW, "not measured");
	if (asprintf(&text, "%s at %s%s; %s at the end", fact_mb(bytes).s, fact_seconds(time_s).s,
		     every_change ? "" : " (seen at ticks only)",
		     fact_mb(run_number(s->run, "diagnostics.memory.final_rss_bytes")).s) < 0)
		return -ENOMEM;
	return put(s, "peak RSS", SGR_BOLD, text);
}

static int print_holder(const struct screen *s, const json_t *process, double peak_bytes)
{
	double bytes = run_member_number(process, "rss_at_peak_bytes");
	const char *name = run_member_string(process, "name");
	_cleanup_free_ char *end = fact_end(process), *safe_name = NULL, *safe_end = NULL;

	if (!end)
		return -ENOMEM;
	safe_name = escape_terminal(name ? name : "?", s->utf8, NAME_COLUMNS);
	safe_end = escape_terminal(end, s->utf8, s->columns - 57);
	if (!safe_name || !safe_end)
		return -ENOMEM;
	fprintf(s->out, LABEL "%7s %12s %8.0f %s%*s  %s\n", "", fact_percent(bytes / peak_bytes).s,
		fact_mb(bytes).s, fmax(0, fmin(run_member_number(process, "pid"), 99999999)),
		safe_name, NAME_COLUMNS - (int)escape_columns(safe_name, s->utf8), "", safe_end);
	return 0;
}

/* The processes that hold the peak, largest first as the manifest has them; then what all others
 * hold. */
static int print_holders(const struct screen *s)
{
	json_t *processes = run_get(s->run, "diagnostics.memory.processes"), *process;
	double omitted = run_number(s->run, "diagnostics.memory.processes_omitted");
	double rest = run_number(s->run, "diagnostics.memory.omitted_at_peak_bytes");
	double peak_bytes, time_s, n = isnan(omitted) ? 0 : omitted, bytes;
	size_t i;
	int err;

	if (fact_peak(s->run, &peak_bytes, &time_s) || !(peak_bytes > 0))
		return 0;
	rest = isnan(rest) ? 0 : rest;
	json_array_foreach(processes, i, process)
	{
		bytes = run_member_number(process, "rss_at_peak_bytes");
		if (i < HOLDERS_MAX && bytes > 0) {
			err = print_holder(s, process, peak_bytes);
			if (err)
				return err;
			continue;
		}
		n++;
		rest += isnan(bytes) ? 0 : bytes;
	}
	if (n > 0)
		fprintf(s->out, LABEL "%7s %12s in %s other process%s\n", "",
			fact_percent(rest / peak_bytes).s, fact_mb(rest).s, fact_count(n).s,
			n == 1 ? "" : "es");
	return 0;
}

static int print_chart(const struct screen *s)
{
	struct textchart_style style = { .columns = s->columns,
					 .utf8 = s->utf8,
					 .colour = s->colour };
	struct curve curve;
	int err;

	err = curve_init(&curve, s->run);
	if (err)
		return err;
	if (curve.n)
		err = textchart_print(s->out, &curve, &style);
	curve_done(&curve);
	return err;
}

static int print_memory_line(const struct screen *s)
{
	double pss = run_number(s->run, "diagnostics.memory.pss_bytes");
	_cleanup_free_ char *text = NULL, *at = NULL;

	if (!isnan(pss) &&
	    asprintf(&at, " at %s",
		     fact_seconds(run_number(s->run, "diagnostics.memory.pss_time_s")).s) < 0)
		return -ENOMEM;
	if (asprintf(&text, "%s minor, %s major; swap peak %s; PSS %s%s",
		     fact_count(run_number(s->run, "diagnostics.memory.minor_faults")).s,
		     fact_count(run_number(s->run, "diagnostics.memory.major_faults")).s,
		     fact_mb(run_number(s->run, "diagnostics.memory.swap_peak_bytes")).s,
		     fact_mb(pss).s, at ? at : "") < 0)
		return -ENOMEM;
	return put(s, "faults", NULL, text);
}

static int print_quality(const struct screen *s)
{
	enum fact_verdict verdict;
	_cleanup_free_ char *ledger = fact_ledger(s->run, &verdict);
	json_t *conditions = fact_conditions(s->run), *condition;
	size_t i;
	int err;

	err = put(s, "records", verdict == FACT_COMPLETE ? SGR_GREEN : SGR_YELLOW, ledger);
	if (!conditions)
		return -ENOMEM;
	json_array_foreach(conditions, i, condition) if (!err && i < LIMITS_MAX) err =
	    put(s, i ? "" : "limits", SGR_YELLOW, json_string_value(condition));
	if (json_array_size(conditions) > LIMITS_MAX)
		fprintf(s->out, LABEL "%zu more, see manifest.json\n", "",
			json_array_size(conditions) - LIMITS_MAX);
	json_decref(conditions);
	return err ? err : put_new(s, "observer", SGR_DIM, fact_observer(s->run));
}

static int print_page(const struct screen *s)
{
	_cleanup_free_ char *path = NULL, *safe = NULL;
	size_t n = s->run->path ? strlen(s->run->path) : 0;

	if (faccessat(s->run->dirfd, "report.html", F_OK, AT_SYMLINK_NOFOLLOW))
		return 0;
	if (asprintf(&path, "%s%sreport.html", n ? s->run->path : "",
		     n && s->run->path[n - 1] != '/' ? "/" : "") < 0)
		return -ENOMEM;
	safe = escape_terminal(path, s->utf8, 0); /* never cut: a person copies it */
	if (!safe)
		return -ENOMEM;
	fprintf(s->out, LABEL "%s\n", "report", safe);
	return 0;
}

int report_summary(const struct run *r, const struct report_style *style, FILE *out)
{
	static int (*const parts[])(const struct screen *) = {
		print_task,	   print_peak,	  print_holders, print_chart,
		print_memory_line, print_quality, print_page,
	};
	struct screen s = {
		.out = out,
		.run = r,
		.columns = style->columns < 80 ? 80 : style->columns,
		.utf8 = style->utf8,
		.colour = style->colour,
	};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(parts) / sizeof(parts[0]); i++)
		err = parts[i](&s);
	if (!err && (fflush(out) || ferror(out)))
		err = -EIO;
	return err;
}
