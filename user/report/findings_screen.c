/* findings_screen.c - findings as lines of a screen, broken between words. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/facts.h"
#include "report/findings.h"

#define LABEL "%-9s"
#define LABEL_COLUMNS 9u

/* Names are cut by escape_terminal(), so that no word is longer than a line for long. */
static size_t line_length(const char *text, size_t room)
{
	size_t cut = 0;

	if (strlen(text) <= room)
		return strlen(text);
	for (size_t i = 1; i <= room; i++)
		if (text[i] == ' ')
			cut = i;
	return cut ? cut : strcspn(text, " ");
}

static void print_lines(FILE *out, const char *label, const char *text, size_t room)
{
	while (*text) {
		size_t n = line_length(text, room);

		fprintf(out, LABEL "%.*s\n", label, (int)n, text);
		text += n + (text[n] == ' ');
		label = "";
	}
}

static int where(const struct finding *f, char **ret)
{
	int n;

	if (!isnan(f->from_s) && f->to_s > f->from_s)
		n = asprintf(ret, "%s, %s to %s", f->tab, fact_seconds(f->from_s).s,
			     fact_seconds(f->to_s).s);
	else if (!isnan(f->from_s))
		n = asprintf(ret, "%s, %s", f->tab, fact_seconds(f->from_s).s);
	else
		n = asprintf(ret, "%s", f->tab);
	if (n < 0)
		*ret = NULL;
	return n < 0 ? -ENOMEM : 0;
}

int findings_print(const struct findings *f, unsigned columns, bool utf8, FILE *out)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct finding *one = &f->all[i];
		_cleanup_free_ char *place = NULL, *text = NULL, *safe = NULL;
		int err = where(one, &place);

		if (err)
			return err;
		if (asprintf(&text, "%s (%s; confidence %s)", one->sentence, place,
			     one->sure ? "high" : "medium") < 0)
			return -ENOMEM;
		safe = escape_terminal(text, utf8, 1000);
		if (!safe)
			return -ENOMEM;
		print_lines(out, i ? "" : "finding", safe, columns - LABEL_COLUMNS);
	}
	return 0;
}
