/* verdict_text.c - verdicts for a terminal, and as Markdown for a merge request. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/verdict_words.h"

#define SUBJECT_COLUMNS 28u

static int put_safe(FILE *out, const char *before, char *text, const char *after)
{
	_cleanup_free_ char *raw = text, *safe = raw ? escape_terminal(raw, true, 0) : NULL;

	if (!safe)
		return -ENOMEM;
	fprintf(out, "%s%s%s", before, safe, after);
	return 0;
}

static int put_verdict(FILE *out, const struct verdict *v)
{
	_cleanup_free_ char *subject = verdict_subject(v), *spread = verdict_spread(v);
	_cleanup_free_ char *safe = subject ? escape_terminal(subject, true, 0) : NULL;
	size_t columns = safe ? escape_columns(safe, true) : 0;
	int err;

	if (!safe || !spread)
		return -ENOMEM;
	fprintf(out, "%-14s  %s%*s  ", verdict_state_words[v->state], safe,
		columns < SUBJECT_COLUMNS ? (int)(SUBJECT_COLUMNS - columns) : 0, "");
	err = put_safe(out, "", verdict_sentence(v), "");
	if (*spread)
		fprintf(out, " (%s)", spread);
	fputc('\n', out);
	for (size_t i = 0; !err && i < v->n_places; i++)
		err =
		    put_safe(out, "                  ", verdict_place_text(v, &v->places[i]), "\n");
	return err;
}

int verdict_text(const struct verdicts *v, FILE *out)
{
	int err = v->title ? put_safe(out, "", strdup(v->title), "\n") : 0;

	for (size_t i = 0; !err && i < v->n_said; i++)
		err = put_safe(out, "", strdup(v->said[i]), "\n");
	for (size_t i = 0; !err && !v->failed && i < v->n; i++)
		if (!verdict_is_silent(&v->all[i]))
			err = put_verdict(out, &v->all[i]);
	if (!err)
		err = put_safe(out, "", verdict_summary(v), "\n");
	return !err && ferror(out) ? -EIO : err;
}

/* HTML, and none of the characters that Markdown, or what links names and numbers, looks for. */
static int put_markdown(FILE *out, char *text)
{
	_cleanup_free_ char *raw = text;
	_cleanup_free_ char *visible = raw ? escape_terminal(raw, true, 0) : NULL;
	_cleanup_free_ char *safe = visible ? escape_xml(visible) : NULL;

	if (!safe)
		return -ENOMEM;
	for (const char *s = safe; *s; s++) {
		bool entity = *s == '&' || (*s == '#' && s > safe && s[-1] == '&');

		if (!entity && strchr("\\`*_[]{}#|@~!$:", *s))
			fprintf(out, "&#%d;", *s);
		else
			fputc(*s, out);
	}
	return 0;
}

static int put_row(FILE *out, const struct verdict *v)
{
	static const char *const signs[VERDICT_STATES] = {
		[VERDICT_WITHIN] = "✅",	      [VERDICT_NEAR] = "⚠️", [VERDICT_OVER] = "❌",
		[VERDICT_UNMEASURABLE] = "❔", [VERDICT_TOLD] = "",
	};
	_cleanup_free_ char *spread = verdict_spread(v);
	int err;

	fprintf(out, "| %s %s | ", signs[v->state], verdict_state_words[v->state]);
	err = spread ? put_markdown(out, verdict_subject(v)) : -ENOMEM;
	fputs(" | ", out);
	if (!err)
		err = put_markdown(out, verdict_sentence(v));
	if (!err && *spread) {
		fputs("<br>", out);
		err = put_markdown(out, take_ptr(spread));
	}
	fputs(" |\n", out);
	return err;
}

static int put_stacks(FILE *out, const struct verdict *v)
{
	int err;

	fputs("\n<details><summary>", out);
	err = put_markdown(out, verdict_subject(v));
	fputs(v->base.runs ? ": what grew</summary>\n\n" : ": where it is</summary>\n\n", out);
	for (size_t i = 0; !err && i < v->n_places; i++) {
		fputs("- <code>", out);
		err = put_markdown(out, verdict_place_text(v, &v->places[i]));
		fputs("</code>\n", out);
	}
	fputs("\n</details>\n", out);
	return err;
}

int verdict_markdown(const struct verdicts *v, FILE *out)
{
	int err;

	fputs("### taskdiag-bpf&#58; ", out);
	err = put_markdown(out, verdict_summary(v));
	fputs("\n\n", out);
	if (!err && v->title) {
		fputs("<code>", out);
		err = put_markdown(out, strdup(v->title));
		fputs("</code>\n\n", out);
	}
	for (size_t i = 0; !err && i < v->n_said; i++) {
		err = put_markdown(out, strdup(v->said[i]));
		fputs("\n\n", out);
	}
	if (!v->failed)
		fprintf(out, "| verdict | %s | |\n|---|---|---|\n", v->compared ? "what" : "limit");
	for (size_t i = 0; !err && !v->failed && i < v->n; i++)
		if (!verdict_is_silent(&v->all[i]))
			err = put_row(out, &v->all[i]);
	for (size_t i = 0; !err && !v->failed && i < v->n; i++)
		if (v->all[i].n_places)
			err = put_stacks(out, &v->all[i]);
	return !err && ferror(out) ? -EIO : err;
}
