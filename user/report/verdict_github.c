/* verdict_github.c - verdicts as workflow commands of GitHub Actions: an annotation at the line
 *that holds most, else at the line of the budget.
 *
 *	::error file=load.py,line=12,title=…::first line%0Asecond line
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/verdict_words.h"

/* A value or a message; of a value ':' and ',' end it, too. A newline of ours only: those of names
 * are visible by then. @text is freed. */
static int put_value(FILE *out, char *text, bool property)
{
	_cleanup_free_ char *raw = text, *safe = raw ? escape_terminal(raw, true, 0) : NULL;

	if (!safe)
		return -ENOMEM;
	for (const char *s = safe; *s; s++) {
		if (*s == '%' || (property && (*s == ':' || *s == ',')))
			fprintf(out, "%%%02X", (unsigned char)*s);
		else
			fputc(*s, out);
		/* the older form of a command may stand anywhere in a line */
		if (s[0] == '#' && s[1] == '#')
			fputc(' ', out);
	}
	return 0;
}

static const char *level_of(const struct verdict *v)
{
	if (v->state == VERDICT_OVER)
		return "error";
	if (v->state == VERDICT_UNMEASURABLE && !v->limit->told)
		return "error";
	return v->state == VERDICT_NEAR ? "warning" : NULL;
}

static int put_annotation(const struct verdicts *all, const struct verdict *v, const char *level,
			  FILE *out)
{
	_cleanup_free_ char *file = NULL;
	unsigned line;
	int err = verdict_where(all, v, &file, &line);

	fprintf(out, "::%s ", level);
	if (!err && file) {
		fputs("file=", out);
		err = put_value(out, take_ptr(file), true);
		fprintf(out, ",line=%u,", line ? line : 1);
	}
	fprintf(out, "title=%s ", verdict_state_words[v->state]);
	if (!err)
		err = put_value(out, verdict_subject(v), true);
	fputs("::", out);
	if (!err)
		err = put_value(out, verdict_sentence(v), false);
	for (size_t i = 0; !err && i < v->n_places; i++) {
		fputs("%0A", out);
		err = put_value(out, verdict_place_text(v, &v->places[i]), false);
	}
	fputc('\n', out);
	return err;
}

int verdict_github(const struct verdicts *v, FILE *out)
{
	int err = 0;

	if (v->failed) {
		fputs("::error title=taskdiag-bpf::", out);
		err = put_value(out, strdup(v->failed), false);
		fputc('\n', out);
	}
	for (size_t i = 0; !err && i < v->n_said; i++) {
		fputs("::notice title=taskdiag-bpf::", out);
		err = put_value(out, strdup(v->said[i]), false);
		fputc('\n', out);
	}
	for (size_t i = 0; !err && !v->failed && i < v->n; i++)
		if (level_of(&v->all[i]))
			err = put_annotation(v, &v->all[i], level_of(&v->all[i]), out);
	if (!err) {
		fputs("taskdiag-bpf: ", out);
		err = put_value(out, verdict_summary(v), false);
		fputc('\n', out);
	}
	return !err && ferror(out) ? -EIO : err;
}
