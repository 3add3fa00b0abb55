/* top.c - profile → tables of functions, causes and threads on the console. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/calls.h"
#include "report/facts.h"
#include "report/profile_facts.h"
#include "report/report.h"

#define ROWS 30u
#define NUMBER_COLUMNS 40u
#define NAME_COLUMNS 24u /* at least */

struct top {
	FILE *out;
	const struct run *run;
	const struct report_style *style;
	unsigned columns;
};

static void sgr(const struct top *t, const char *codes)
{
	if (t->style->colour)
		fprintf(t->out, "\033[%sm", codes);
}

static void put_head(const struct top *t, const char *text)
{
	sgr(t, "2");
	fprintf(t->out, "%s\n", text);
	sgr(t, "0");
}

/* @text, cut to @columns and, when @pad, filled up to them. */
static int put_cell(const struct top *t, const char *text, unsigned columns, bool pad)
{
	_cleanup_free_ char *safe = escape_terminal(text, t->style->utf8, columns);

	if (!safe)
		return -ENOMEM;
	fprintf(t->out, "%s%*s", safe,
		pad ? (int)(columns - escape_columns(safe, t->style->utf8)) : 0, "");
	return 0;
}

static void put_omitted(const struct top *t, size_t n, const char *what)
{
	sgr(t, "2");
	if (n)
		fprintf(t->out, "%*s%s more %s; --full shows all\n", NUMBER_COLUMNS, "",
			fact_count((double)n).s, what);
	sgr(t, "0");
}

static int put_function(const struct top *t, const struct functions *f,
			const struct calls_total *total)
{
	const struct profile *p = t->run->profile;
	const struct function_info *info = &f->all[total->function];
	unsigned room = t->columns - NUMBER_COLUMNS, name = room * 3 / 5;
	_cleanup_free_ char *place = function_place(info), *text = NULL;
	double all = (double)profile_marks(p);
	int err;

	if (!place)
		return -ENOMEM;
	if (info->file && info->module && asprintf(&text, "%s (%s)", place, info->module) < 0)
		return -ENOMEM;
	fprintf(t->out, "%10.3f %5.1f %% %9.3f %10.3f  ", fact_wall(p, total->self),
		100 * (double)total->self / all, fact_wall(p, total->self_cpu),
		fact_wall(p, total->total));
	sgr(t, function_kind_sgr[info->kind]);
	err = put_cell(t, info->name, name, true);
	sgr(t, "0;2");
	fputs("  ", t->out);
	if (!err)
		err = put_cell(t, text ? text : place, room - name - 2, false);
	sgr(t, "0");
	fputc('\n', t->out);
	return err;
}

static int put_functions(const struct top *t, const struct functions *f, const struct calls *c)
{
	_cleanup_free_ struct calls_total *totals = NULL;
	size_t i, limit = t->style->full ? f->n : ROWS;
	int err = calls_totals(c, f, &totals);

	if (err)
		return err;
	put_head(t, "    self s    self     CPU s    total s  function");
	for (i = 0; !err && i < f->n && i < limit; i++)
		err = put_function(t, f, &totals[i]);
	put_omitted(t, f->n - i, "functions");
	return err;
}

struct cause_row {
	uint64_t marks;
	uint32_t cause;
};

static int by_marks(const void *x, const void *y)
{
	const struct cause_row *a = x, *b = y;

	if (a->marks != b->marks)
		return a->marks > b->marks ? -1 : 1;
	return a->cause < b->cause ? -1 : a->cause > b->cause;
}

static int put_causes(const struct top *t)
{
	const struct profile *p = t->run->profile;
	size_t n = profile_cause_count(p), i, limit = t->style->full ? n : ROWS;
	_cleanup_free_ uint64_t *marks = fact_cause_marks(p);
	_cleanup_free_ struct cause_row *rows = calloc(n + 1, sizeof(*rows));
	int err = 0;

	if (!marks || !rows)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		rows[i] = (struct cause_row){ marks[i], (uint32_t)i };
	qsort(rows, n, sizeof(*rows), by_marks);
	put_head(t, "\n    wall s   share  cause");
	for (i = 0; !err && i < n && i < limit; i++) {
		fprintf(t->out, "%10.3f %5.1f %%  ", fact_wall(p, rows[i].marks),
			100 * (double)rows[i].marks / (double)profile_marks(p));
		err = put_cell(t, profile_cause_at(p, rows[i].cause)->name, t->columns - 21, false);
		fputc('\n', t->out);
	}
	put_omitted(t, n - i, "causes");
	return err;
}

/* Seconds that may not have been measured. */
static void put_seconds(const struct top *t, double s)
{
	if (isnan(s))
		fprintf(t->out, " %9s", "-");
	else
		fprintf(t->out, " %9.3f", fmin(s, 1e12));
}

static int put_thread(const struct top *t, const json_t *thread)
{
	double marks = run_member_number(thread, "marks");
	const char *name = run_member_string(thread, "name"),
		   *process = run_member_string(thread, "process");
	unsigned room = t->columns - 54;
	int err;

	put_seconds(t, isnan(marks) ? marks
				    : marks * (double)profile_period_ns(t->run->profile) / 1e9);
	put_seconds(t, run_member_number(thread, "cpu_s"));
	put_seconds(t, run_member_number(thread, "run_queue_s"));
	put_seconds(t, run_member_number(thread, "blocked_s"));
	fprintf(t->out, " %9.0f  ", fmax(0, fmin(run_member_number(thread, "tid"), 999999999)));
	err = put_cell(t, name ? name : "?", room * 2 / 5, true);
	fputs("  ", t->out);
	if (!err)
		err = put_cell(t, process ? process : "?", room - room * 2 / 5 - 2, false);
	fputc('\n', t->out);
	return err;
}

/* What the kernel itself has counted stands beside what was sampled. */
static int put_threads(const struct top *t)
{
	json_t *threads = run_get(t->run, "diagnostics.profile.threads"), *thread;
	double omitted = run_number(t->run, "diagnostics.profile.threads_omitted");
	size_t i, n = json_array_size(threads), limit = t->style->full ? n : ROWS;
	int err = 0;

	if (!n)
		return 0;
	put_head(t, "\n  wall s     CPU s   queued s blocked s       tid  thread and process");
	json_array_foreach(threads, i, thread)
	{
		if (err || i == limit)
			break;
		err = put_thread(t, thread);
	}
	put_omitted(t, n > limit ? n - limit : 0, "threads");
	if (omitted > 0)
		fprintf(t->out, "%s threads are not listed in the manifest\n",
			fact_count(omitted).s);
	return err;
}

static int put_facts(const struct top *t)
{
	_cleanup_free_ char *time = fact_profile_time(t->run),
			    *sampling = fact_profile_sampling(t->run);
	int err = time && sampling ? put_cell(t, time, 0, false) : -ENOMEM;

	fputc('\n', t->out);
	sgr(t, "2");
	if (!err)
		err = put_cell(t, sampling, 0, false);
	sgr(t, "0");
	fputs("\n\n", t->out);
	return err;
}

static int put_tables(const struct top *t, const struct functions *f, const struct calls *c)
{
	int err = put_facts(t);

	if (!err)
		err = put_functions(t, f, c);
	if (!err)
		err = put_causes(t);
	if (!err)
		err = put_threads(t);
	return !err && (fflush(t->out) || ferror(t->out)) ? -EIO : err;
}

int report_top(const struct run *r, const struct report_style *style, FILE *out)
{
	struct top t = { .out = out,
			 .run = r,
			 .style = style,
			 .columns = style->columns < 100 ? 100 : style->columns };
	struct functions f = {};
	struct calls c = {};
	int err;

	if (!r->profile)
		return -ENODATA;
	if (style->columns && style->columns < 100)
		t.columns = style->columns < 80 ? 80 : style->columns;
	err = functions_init(&f, r->profile, style->lines);
	if (!err)
		err = calls_init(&c, r->profile, &f, CALLS_MERGED);
	if (!err)
		err = put_tables(&t, &f, &c);
	calls_done(&c);
	functions_done(&f);
	return err;
}
