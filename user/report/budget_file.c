/* budget_file.c - a budget as text → limits, by libinih.
 *
 * inih cuts what is too long for its buffers and tells no line to its handler: the reader below,
 * which gives it line after line, refuses the one and counts the other.
 */
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "report/budget_private.h"

#define SECTION_MAX 49u /* inih's buffer less its NUL */
#define FUNCTION "function"

struct file {
	const char *text; /* what is not read yet */
	struct budget *budget;
	char *function;	 /* of the section; NULL: [task] */
	unsigned line;	 /* the last one read */
	size_t limits;	 /* when the section began */
	bool in_section; /* its header is understood */
	char **ret_error;
	int err;
};

__attribute__((format(printf, 3, 4))) static int refuse(struct file *f, int err, const char *format,
							...)
{
	_cleanup_free_ char *what = NULL;
	va_list args;

	if (f->err)
		return f->err;
	f->err = err;
	va_start(args, format);
	if (vasprintf(&what, format, args) < 0)
		what = NULL;
	va_end(args);
	if (!what || asprintf(f->ret_error, "%.300s:%u: %s", f->budget->name, f->line, what) < 0)
		*f->ret_error = NULL;
	return err;
}

static void check_header(struct file *f, const char *header)
{
	f->in_section = false;
	if (!strchr(header, ']'))
		refuse(f, -EINVAL, "a section without its ]");
	else if (strcspn(header, "]") > SECTION_MAX)
		refuse(f, -EINVAL,
		       "a section of more than %u bytes; name the function by a key: name = "
		       "FUNCTION",
		       SECTION_MAX);
}

/* As fgets(). A continued line is Python's, not ours: leading blanks are left out. */
static char *read_line(char *line, int size, void *stream)
{
	struct file *f = stream;
	size_t length, blank;

	if (f->err || !*f->text)
		return NULL;
	length = strcspn(f->text, "\n");
	f->line++;
	blank = strspn(f->text, " \t\r\v\f");
	if (blank > length)
		blank = length;
	if (length - blank + 2 > (size_t)size) {
		refuse(f, -EINVAL, "longer than %d bytes", size - 2);
		return NULL;
	}
	memcpy(line, f->text + blank, length - blank);
	strcpy(line + length - blank, "\n");
	f->text += length + (f->text[length] == '\n');
	if (*line == '[')
		check_header(f, line + 1);
	return line;
}

/* "function "parse"" or "function parse" → "parse"; "function" → "": a key will name it. */
static int begin_section(struct file *f, const char *section)
{
	size_t length = strlen(FUNCTION);
	const char *name = section + length;

	free(f->function);
	f->function = NULL;
	f->in_section = true;
	f->limits = f->budget->n;
	if (!strcmp(section, "task"))
		return 0;
	if (!*section)
		return refuse(f, -EINVAL, "a key before any section; begin with: [task]");
	if (strncmp(section, FUNCTION, length) || !strchr(" \t\"", *name))
		return refuse(f, -EINVAL,
			      "[%s]: no such section; there is: [task], [function NAME]", section);
	name += strspn(name, " \t");
	length = strlen(name);
	while (length && strchr(" \t", name[length - 1]))
		length--;
	if (length >= 2 && *name == '"' && name[length - 1] == '"') {
		name++;
		length -= 2;
	}
	f->function = strndup(name, length);
	return f->function ? 0 : refuse(f, -ENOMEM, "%s", strerror(ENOMEM));
}

static int set_name(struct file *f, const char *value)
{
	if (f->budget->n != f->limits)
		return refuse(f, -EINVAL, "name: has to be the first key of its section");
	if (!*value)
		return refuse(f, -EINVAL, "name: empty");
	free(f->function);
	f->function = strdup(value);
	return f->function ? 0 : refuse(f, -ENOMEM, "%s", strerror(ENOMEM));
}

static bool has_key(const struct file *f, size_t m)
{
	return !f->function || measures[m].of_function;
}

static int unknown_key(struct file *f, const char *name)
{
	_cleanup_free_ char *known = NULL;
	const char *separator = "";
	size_t size;
	FILE *list = open_memstream(&known, &size);

	for (size_t i = 0; list && i < MEASURES; i++) {
		if (!has_key(f, i))
			continue;
		fprintf(list, "%s%s", separator, measures[i].key);
		separator = ", ";
	}
	if (!list || fclose(list))
		return refuse(f, -ENOMEM, "%s", strerror(ENOMEM));
	return refuse(f, -EINVAL, "%s: not known; there is: %s%s", name, known,
		      f->function ? ", name" : "");
}

static bool same_subject(const struct budget_limit *l, const char *function)
{
	return !l->function == !function && (!function || !strcmp(l->function, function));
}

static int take_limit(struct file *f, const char *name, const char *value)
{
	struct budget *b = f->budget;
	struct budget_limit *l;
	double limit = 0;
	size_t m = 0;

	while (m < MEASURES && (strcmp(measures[m].key, name) || !has_key(f, m)))
		m++;
	if (m == MEASURES)
		return unknown_key(f, name);
	if (f->function && !*f->function)
		return refuse(f, -EINVAL, "[function]: no name; write [function NAME]");
	if (budget_amount(measures[m].unit, value, &limit))
		return refuse(f, -EINVAL, "%s = %s: not %s", name, value,
			      budget_unit_example(measures[m].unit));
	for (size_t i = 0; i < b->n; i++)
		if (b->limits[i].measure == m && same_subject(&b->limits[i], f->function))
			return refuse(f, -EINVAL, "%s: given twice, first in line %u", name,
				      b->limits[i].line);
	if (b->n == BUDGET_LIMITS_MAX)
		return refuse(f, -E2BIG, "more than %u limits", BUDGET_LIMITS_MAX);
	l = budget_new_limit(b);
	if (!l)
		return refuse(f, -ENOMEM, "%s", strerror(ENOMEM));
	*l = (struct budget_limit){ .measure = m, .limit = limit, .line = f->line };
	l->function = f->function ? strdup(f->function) : NULL;
	l->text = strdup(value);
	if (!l->text || (f->function && !l->function))
		return refuse(f, -ENOMEM, "%s", strerror(ENOMEM));
	return 0;
}

/* For inih: 1: go on. */
static int take_key(void *context, const char *section, const char *name, const char *value)
{
	struct file *f = context;

	if (!f->err && !f->in_section)
		begin_section(f, section);
	if (!f->err && f->function && !strcmp(name, "name"))
		set_name(f, value);
	else if (!f->err)
		take_limit(f, name, value);
	return !f->err;
}

int budget_parse(const char *text, const char *name, struct budget **ret, char **ret_error)
{
	struct file f = { .text = text, .ret_error = ret_error };
	int line;

	*ret_error = NULL;
	f.budget = calloc(1, sizeof(*f.budget));
	if (f.budget)
		f.budget->name = strdup(name);
	if (!f.budget || !f.budget->name) {
		budget_free(f.budget);
		return -ENOMEM;
	}
	line = ini_parse_stream(read_line, &f, take_key, &f);
	if (!f.err && line) {
		f.line = line < 0 ? 0 : (unsigned)line;
		refuse(&f, line < 0 ? -ENOMEM : -EINVAL, "not [SECTION] and not KEY = VALUE");
	}
	if (!f.err && !f.budget->n)
		refuse(&f, -EINVAL, "no limit in it");
	free(f.function);
	if (f.err) {
		budget_free(f.budget);
		return f.err;
	}
	*ret = f.budget;
	return 0;
}
