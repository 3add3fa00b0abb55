/* summary.c - run → one screen of text: what ran, its peak and who held it, the curve, who
 * allocated, where the time went, the losses, our cost. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/alloc_facts.h"
#include "report/cgroup_ledger.h"
#include "report/curve.h"
#include "report/facts.h"
#include "report/calls.h"
#include "report/findings.h"
#include "report/profile_facts.h"
#include "report/report.h"
#include "report/textchart.h"

/* Lines of each part: the more diagnostics are on the screen, the less room each of them has. */
static const struct {
	unsigned holders; /* processes listed */
	unsigned chart;
	unsigned functions; /* of the profile, of the allocations */
	unsigned ledger;    /* of a cgroup */
} rooms[] = { { 5, 8, 3, 6 }, { 3, 4, 3, 5 }, { 1, 3, 2, 4 } };

#define NAME_COLUMNS 16
#define LIMITS_MAX 6u	   /* conditions listed */
#define ALL_LIMITS_MAX 64u /* counted */
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
	unsigned room; /* index of rooms */
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

/* As put_new(), on two lines when one is too short for it; cut at ", " or "; ". */
static int put_wrapped(const struct screen *s, const char *label, const char *sgr, char *text)
{
	_cleanup_free_ char *owned = text;
	size_t room = s->columns - 9, cut = 0;
	int err;

	if (!owned || strlen(owned) <= room)
		return put(s, label, sgr, owned);
	for (size_t i = 1; i < room; i++)
		if (owned[i] == ' ' && (owned[i - 1] == ',' || owned[i - 1] == ';'))
			cut = i;
	if (!cut)
		return put(s, label, sgr, owned);
	owned[cut] = '\0';
	err = put(s, label, sgr, owned);
	return err ? err : put(s, "", sgr, owned + cut + 1);
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

/* Silence when nothing stands out; else the rest of the screen makes room. */
static int print_findings(struct screen *s)
{
	struct findings f;
	int err = findings_init(&f, s->run);

	if (err)
		return err;
	err = findings_print(&f, s->columns, s->utf8, s->out);
	if (f.n && s->room + 1 < sizeof(rooms) / sizeof(rooms[0]))
		s->room++;
	findings_done(&f);
	return err;
}

/* A run that was to do something else has nothing to say about memory. */
static bool without_memory(const struct screen *s)
{
	return (s->run->profile || s->run->allocations) && !run_get(s->run, "diagnostics.memory");
}

static int print_peak(const struct screen *s)
{
	const char *source = run_string(s->run, "diagnostics.memory.source");
	bool every_change = source && !strcmp(source, "rss_stat");
	_cleanup_free_ char *text = NULL;
	double bytes, time_s;

	if (without_memory(s))
		return 0;
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
		if (i < rooms[s->room].holders && bytes > 0) {
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

static int print_ledger_rows(const struct screen *s, const struct ledger_row *rows, size_t count)
{
	double rest = 0, share = 0;

	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *text = NULL, *safe = NULL;

		if (i >= rooms[s->room].ledger) {
			rest += rows[i].bytes;
			share += rows[i].share;
			continue;
		}
		text = ledger_row_text(&rows[i]);
		safe = text ? escape_terminal(text, s->utf8, s->columns - 31) : NULL;
		if (!safe)
			return -ENOMEM;
		fprintf(s->out, LABEL "%7s %12s  %s\n", "", fact_percent(rows[i].share).s,
			fact_mb(rows[i].bytes).s, safe);
	}
	if (rest > 0)
		fprintf(s->out, LABEL "%7s %12s  in %zu other rows, see manifest.json\n", "",
			fact_percent(share).s, fact_mb(rest).s, count - rooms[s->room].ledger);
	return 0;
}

/* Where the bytes of the cgroup were: a table that adds up to its peak. */
static int print_cgroup(const struct screen *s)
{
	_cleanup_free_ struct ledger_row *rows = NULL;
	bool none;
	char *text = fact_cgroup(s->run, &none);
	size_t count;
	int err;

	if (none)
		return 0;
	err = put_new(s, "cgroup", SGR_BOLD, text);
	if (!err)
		err = ledger_rows(s->run, &rows, &count);
	return err ? err : print_ledger_rows(s, rows, count);
}

#define OOMS_SHOWN 3

static int print_ooms(const struct screen *s)
{
	for (size_t i = 0; i < OOMS_SHOWN; i++) {
		bool none;
		char *text = fact_oom(s->run, i, &none);
		int err;

		if (none)
			return 0;
		err = put_wrapped(s, i ? "" : "oom", SGR_YELLOW, text);
		if (err)
			return err;
	}
	return 0;
}

static int print_chart(const struct screen *s)
{
	struct textchart_style style = { .columns = s->columns,
					 .utf8 = s->utf8,
					 .colour = s->colour,
					 .rows = rooms[s->room].chart };
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

	if (without_memory(s))
		return 0;
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

/* "61.2 %  48.00 s  compute  compute.c:12" */
static int put_function(const struct screen *s, const struct function_info *info, double share,
			const char *size)
{
	_cleanup_free_ char *place = function_place(info), *name = NULL, *safe_place = NULL;
	unsigned room = s->columns - 32, columns = room * 3 / 5;

	name = escape_terminal(info->name, s->utf8, columns);
	safe_place = place ? escape_terminal(place, s->utf8, room - columns - 2) : NULL;
	if (!name || !safe_place)
		return -ENOMEM;
	fprintf(s->out, LABEL "%7s %12s  %s%*s  %s\n", "", fact_percent(share).s, size, name,
		(int)(columns - escape_columns(name, s->utf8)), "", safe_place);
	return 0;
}

static int print_function(const struct screen *s, const struct functions *f,
			  const struct calls_total *total)
{
	double all = (double)profile_marks(s->run->profile);

	if (!total->self)
		return 0;
	return put_function(s, &f->all[total->function], (double)total->self / all,
			    fact_seconds(fact_wall(s->run->profile, total->self)).s);
}

/* The functions in which most time went by, in themselves. */
static int print_functions(const struct screen *s)
{
	_cleanup_free_ struct calls_total *totals = NULL;
	struct functions f;
	struct calls c = {};
	int err = functions_init(&f, s->run->profile, false);

	if (err)
		return err;
	err = calls_init(&c, s->run->profile, &f, CALLS_MERGED);
	if (!err)
		err = calls_totals(&c, &f, &totals);
	for (size_t i = 0; !err && i < f.n && i < rooms[s->room].functions; i++)
		err = print_function(s, &f, &totals[i]);
	calls_done(&c);
	functions_done(&f);
	return err;
}

static int print_profile(const struct screen *s)
{
	int err;

	if (!s->run->profile)
		return 0;
	err = put_wrapped(s, "profile", SGR_BOLD, fact_profile_time(s->run));
	if (!err)
		err = print_functions(s);
	return err ? err : put_wrapped(s, "sampling", SGR_DIM, fact_profile_sampling(s->run));
}

/* The functions that held most, in themselves. */
static int print_holding(const struct screen *s, const struct allocations *a)
{
	_cleanup_free_ struct calls_total *totals = NULL;
	struct alloc_view v;
	double all;
	int err = alloc_view_init(&v, a, ALLOC_PEAK, CALLS_MERGED, false);

	if (err)
		return err;
	all = (double)alloc_view_total(&v).bytes;
	err = calls_totals(&v.calls, &v.functions, &totals);
	for (size_t i = 0; !err && i < v.functions.n && i < rooms[s->room].functions; i++)
		if (totals[i].self)
			err = put_function(s, &v.functions.all[totals[i].function],
					   (double)totals[i].self / all,
					   fact_mb((double)totals[i].self).s);
	alloc_view_done(&v);
	return err;
}

static int print_leaked(const struct screen *s, const struct allocations *a)
{
	struct allocation_entry all = allocations_sum(a);
	char *text = NULL;

	if (!all.leaked.bytes)
		return put(s, "at end", NULL, "nothing of it was live");
	if (asprintf(&text, "%s live in %s %s; see taskdiag-bpf leaks",
		     fact_mb((double)all.leaked.bytes).s, fact_count((double)all.leaked.count).s,
		     alloc_piece(a, (double)all.leaked.count)) < 0)
		return -ENOMEM;
	return put_new(s, "at end", NULL, text);
}

static int print_allocations(const struct screen *s)
{
	const struct allocations *a = s->run->allocations;
	int err;

	if (!a)
		return 0;
	err = put_wrapped(s, "alloc", SGR_BOLD, fact_alloc_peak(s->run, a));
	if (!err)
		err = print_holding(s, a);
	return err ? err : print_leaked(s, a);
}

/* fact_conditions() knows the other diagnostics. */
static int add_alloc_limits(const struct screen *s, json_t *conditions)
{
	json_t *limit;
	size_t i;

	json_array_foreach(run_get(s->run, "diagnostics.allocations.limits"), i, limit)
	{
		bool known = false;
		json_t *other;
		size_t k;

		json_array_foreach(conditions, k, other) known |= json_equal(other, limit);
		if (!known && json_is_string(limit) && json_array_append(conditions, limit))
			return -ENOMEM;
		if (json_array_size(conditions) > ALL_LIMITS_MAX)
			break;
	}
	return 0;
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
	if (!err)
		err = add_alloc_limits(s, conditions);
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
		print_ooms,   print_peak,	 print_holders, print_chart,   print_memory_line,
		print_cgroup, print_allocations, print_profile, print_quality, print_page,
	};
	struct screen s = {
		.out = out,
		.run = r,
		.columns = style->columns < 80 ? 80 : style->columns,
		.utf8 = style->utf8,
		.colour = style->colour,
		.room = !!r->profile + !!r->allocations,
	};
	int err = print_task(&s);

	if (!err)
		err = print_findings(&s);
	for (size_t i = 0; !err && i < sizeof(parts) / sizeof(parts[0]); i++)
		err = parts[i](&s);
	if (!err && (fflush(out) || ferror(out)))
		err = -EIO;
	return err;
}
