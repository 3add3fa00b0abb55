/* verdict_junit.c - verdicts as JUnit XML: a test case per limit. Over is a failure, not measurable
 * an error; what is near passes and says so in system-out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/verdict_words.h"

#define SUITE "taskdiag-bpf"

/* @text is freed. */
static int put_xml(FILE *out, char *text)
{
	_cleanup_free_ char *raw = text, *safe = raw ? escape_xml(raw) : NULL;

	if (!safe)
		return -ENOMEM;
	fputs(safe, out);
	return 0;
}

/* The sentence, the runs, the stacks. */
static int put_details(FILE *out, const struct verdict *v)
{
	_cleanup_free_ char *spread = verdict_spread(v);
	int err = spread ? put_xml(out, verdict_sentence(v)) : -ENOMEM;

	if (!err && *spread) {
		fputc('\n', out);
		err = put_xml(out, take_ptr(spread));
	}
	for (size_t i = 0; !err && i < v->n_places; i++) {
		fputc('\n', out);
		err = put_xml(out, verdict_place_text(v, &v->places[i]));
	}
	return err;
}

static int put_result(FILE *out, const struct verdict *v, const char *tag, const char *type)
{
	int err;

	fprintf(out, "\n      <%s message=\"", tag);
	err = put_xml(out, verdict_sentence(v));
	fprintf(out, "\" type=\"%s\">", type);
	if (!err)
		err = put_details(out, v);
	fprintf(out, "</%s>\n    ", tag);
	return err;
}

static int put_case(FILE *out, const struct verdict *v)
{
	int err;

	fputs("    <testcase classname=\"" SUITE "\" name=\"", out);
	err = put_xml(out, verdict_name(v));
	fputs("\" time=\"0\">", out);
	if (!err && v->state == VERDICT_OVER)
		err = put_result(out, v, "failure", "over");
	else if (!err && v->state == VERDICT_UNMEASURABLE && v->limit->told)
		err = put_result(out, v, "skipped", "not-measurable");
	else if (!err && v->state == VERDICT_UNMEASURABLE)
		err = put_result(out, v, "error", "not-measurable");
	else if (!err) {
		fputs("\n      <system-out>", out);
		err = put_details(out, v);
		fputs("</system-out>\n    ", out);
	}
	fputs("</testcase>\n", out);
	return err;
}

static int put_failed(FILE *out, const struct verdicts *v)
{
	int err;

	fputs("    <testcase classname=\"" SUITE
	      "\" name=\"command\" time=\"0\">\n      <error message=\"",
	      out);
	err = put_xml(out, strdup(v->failed));
	fputs("\" type=\"command\"></error>\n    </testcase>\n", out);
	return err;
}

int verdict_junit(const struct verdicts *v, FILE *out)
{
	size_t failures = verdicts_count(v, VERDICT_OVER), errors = 0, skipped = 0;
	int err = 0;

	for (size_t i = 0; i < v->n; i++) {
		bool missing = v->all[i].state == VERDICT_UNMEASURABLE;

		errors += missing && !v->all[i].limit->told;
		skipped += missing && v->all[i].limit->told;
	}
	if (v->failed)
		errors = 1, failures = skipped = 0;
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", out);
	fprintf(out,
		"<testsuites>\n  <testsuite name=\"" SUITE
		"\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" time=\"0\">\n",
		v->failed ? (size_t)1 : v->n, failures, errors, skipped);
	if (v->failed)
		err = put_failed(out, v);
	for (size_t i = 0; !err && !v->failed && i < v->n; i++)
		err = put_case(out, &v->all[i]);
	if (!err && (v->title || v->n_said)) {
		fputs("    <system-out>", out);
		err = put_xml(out, strdup(v->title ? v->title : ""));
		for (size_t i = 0; !err && i < v->n_said; i++) {
			fputc('\n', out);
			err = put_xml(out, strdup(v->said[i]));
		}
		fputs("</system-out>\n", out);
	}
	fputs("  </testsuite>\n</testsuites>\n", out);
	return !err && ferror(out) ? -EIO : err;
}
