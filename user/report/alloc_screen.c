/* alloc_screen.c - see alloc_screen.h */
#include "report/alloc_screen.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/alloc_facts.h"

#define COLUMNS_MIN 80u
#define COLUMNS_FILE 120u /* where there is no terminal */
#define NUMBER_COLUMNS 34u
#define ERROR_COLUMNS 13u

void alloc_screen_sgr(const struct alloc_screen *s, const char *codes)
{
	if (s->style->colour)
		fprintf(s->out, "\033[%sm", codes);
}

static int print_line(const struct alloc_screen *s, const char *codes, const char *text)
{
	_cleanup_free_ char *safe = escape_terminal(text, s->style->utf8, 0);

	if (!safe)
		return -ENOMEM;
	alloc_screen_sgr(s, codes);
	fputs(safe, s->out);
	alloc_screen_sgr(s, "0");
	fputc('\n', s->out);
	return 0;
}

static int print_head(const struct alloc_screen *s)
{
	const struct allocations *a = s->view.allocations;
	const char *id = run_string(s->run, "task.id");
	_cleanup_free_ char *total = fact_alloc_total(s->run, a, s->view.kind),
			    *rest = fact_alloc_remainder(s->run, a), *line = NULL;
	int err;

	if (!total || !rest || asprintf(&line, "%s: %s", id ? id : "unnamed task", total) < 0)
		return -ENOMEM;
	err = print_line(s, "1", line);
	if (!err && *rest && s->view.kind == ALLOC_PEAK)
		err = print_line(s, "0", rest);
	return err;
}

void alloc_screen_heads(const struct alloc_screen *s, const char *rest)
{
	alloc_screen_sgr(s, "2");
	fprintf(s->out, "\n%11s ", "bytes");
	if (s->errors)
		fprintf(s->out, "%-12s ", "(95 %)");
	fprintf(s->out, "%8s %11s  %s\n", "share", alloc_piece(s->view.allocations, 2), rest);
	alloc_screen_sgr(s, "0");
}

void alloc_screen_numbers(const struct alloc_screen *s, double bytes, double squares, double pieces)
{
	double all = (double)alloc_view_total(&s->view).bytes;

	fprintf(s->out, "%11s ", fact_bytes(bytes).s);
	if (s->errors)
		fprintf(s->out, "%s %-10s ", alloc_plus_minus(s->style->utf8),
			fact_bytes(sqrt(squares)).s);
	fprintf(s->out, "%6.1f %% %11s  ", all > 0 ? 100 * bytes / all : 0, fact_count(pieces).s);
}

int alloc_screen_cell(const struct alloc_screen *s, const char *text, unsigned columns, bool pad)
{
	_cleanup_free_ char *safe = escape_terminal(text, s->style->utf8, columns);

	if (!safe)
		return -ENOMEM;
	fprintf(s->out, "%s%*s", safe,
		pad ? (int)(columns - escape_columns(safe, s->style->utf8)) : 0, "");
	return 0;
}

int alloc_screen_function(const struct alloc_screen *s, uint32_t function, unsigned columns)
{
	const struct function_info *f = &s->view.functions.all[function];
	_cleanup_free_ char *place = function_place(f), *name = NULL, *safe = NULL;
	size_t used;

	if (!place)
		return -ENOMEM;
	name = escape_terminal(f->name, s->style->utf8, columns);
	if (!name)
		return -ENOMEM;
	used = escape_columns(name, s->style->utf8) + 2;
	alloc_screen_sgr(s, function_kind_sgr[f->kind]);
	fputs(name, s->out);
	alloc_screen_sgr(s, "0");
	if (!*place || used + 8 > columns)
		return 0;
	safe = escape_terminal(place, s->style->utf8, columns - used);
	if (!safe)
		return -ENOMEM;
	alloc_screen_sgr(s, "2");
	fprintf(s->out, "  %s", safe);
	alloc_screen_sgr(s, "0");
	return 0;
}

void alloc_screen_omitted(const struct alloc_screen *s, size_t n, double bytes, const char *what)
{
	if (!n)
		return;
	alloc_screen_sgr(s, "2");
	fprintf(s->out, "%11s in %s more %s; --full shows all\n", fact_bytes(bytes).s,
		fact_count((double)n).s, what);
	alloc_screen_sgr(s, "0");
}

int alloc_screen_show(const struct run *r, const struct report_style *style, FILE *out,
		      unsigned shape, bool each_line, int (*print)(struct alloc_screen *s))
{
	const struct allocations *a = run_allocations(r, style->resident);
	struct alloc_screen s = { .out = out, .run = r, .style = style };
	int err;

	if (!a)
		return -ENODATA;
	err = alloc_view_init(&s.view, a, style->kind, shape, each_line);
	if (err)
		return err;
	s.errors = alloc_view_error(&s.view, CALLS_ROOT) > 0;
	s.columns = !style->columns		   ? COLUMNS_FILE
		    : style->columns < COLUMNS_MIN ? COLUMNS_MIN
						   : style->columns;
	s.name_columns = s.columns - NUMBER_COLUMNS - (s.errors ? ERROR_COLUMNS : 0);
	err = print_head(&s);
	if (!err)
		err = print(&s);
	alloc_view_done(&s.view);
	return !err && (fflush(out) || ferror(out)) ? -EIO : err;
}
