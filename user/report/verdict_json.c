/* verdict_json.c - verdicts as JSON, which docs/artifact-format.md defines, and as GitLab's code
 * quality report. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/verdict_words.h"

#define FORMAT 1
#define FNV_OFFSET 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

static json_t *text_or_null(const char *text)
{
	_cleanup_free_ char *safe = text ? escape_utf8(text) : NULL;

	return safe ? json_string(safe) : json_null();
}

/* Frees @text, which is NULL without memory. */
static json_t *text_of(char *text)
{
	_cleanup_free_ char *raw = text;

	return raw ? text_or_null(raw) : NULL;
}

/* JSON has no infinity: null is "not bounded". */
static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *side_json(const struct verdict_side *s)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I}", "value", number(s->value), "low",
			 number(s->low), "high", number(s->high), "min", number(s->min), "max",
			 number(s->max), "runs", (json_int_t)s->runs);
}

static json_t *places_json(const struct verdict *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n_places; i++) {
		const struct verdict_place *p = &v->places[i];

		json_array_append_new(
		    list,
		    json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "value", number(p->value), "share",
			      number(p->share), "stack", text_or_null(p->text), "function",
			      text_or_null(p->function), "file", text_or_null(p->file), "line",
			      p->line ? json_integer(p->line) : json_null()));
	}
	return list;
}

static json_t *verdict_object(const struct verdict *v)
{
	static const char *const units[] = {
		[UNIT_BYTES] = "bytes", [UNIT_SECONDS] = "seconds", [UNIT_COUNT] = "count"
	};
	const struct measure_row *row = &measures[v->limit->measure];
	bool measured = v->state != VERDICT_UNMEASURABLE;
	json_t *o = json_pack(
	    "{s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "measure", row->key, "function",
	    text_or_null(v->limit->function), "unit", units[row->unit], "verdict",
	    verdict_state_keys[v->state], "sentence", text_of(verdict_sentence(v)), "why",
	    text_or_null(v->why), "note", text_or_null(v->note), "measured",
	    measured ? side_json(&v->now) : json_null(), "places", places_json(v));

	if (!o)
		return NULL;
	if (v->limit->line) {
		json_object_set_new(o, "limit", number(v->limit->limit));
		json_object_set_new(o, "line", json_integer(v->limit->line));
		return o;
	}
	json_object_set_new(o, "rule", text_or_null(v->limit->text));
	json_object_set_new(o, "base", measured ? side_json(&v->base) : json_null());
	json_object_set_new(o, "allowed_growth",
			    measured && !v->limit->told ? number(v->allowed) : json_null());
	json_object_set_new(o, "noise", measured ? number(v->noise) : json_null());
	return o;
}

/* Consumes @root. */
static int put_json(json_t *root, FILE *out)
{
	int err = root ? 0 : -ENOMEM;

	if (root && (json_dumpf(root, out, JSON_INDENT(2)) || fputc('\n', out) == EOF))
		err = -EIO;
	json_decref(root);
	return err;
}

int verdict_json(const struct verdicts *v, FILE *out)
{
	const char *verdict = v->failed ? "failed" : verdict_state_keys[verdicts_worst(v)];
	json_t *list = json_array(), *said = json_array();

	for (size_t i = 0; !v->failed && i < v->n; i++)
		json_array_append_new(list, verdict_object(&v->all[i]));
	for (size_t i = 0; i < v->n_said; i++)
		json_array_append_new(said, text_or_null(v->said[i]));
	return put_json(json_pack("{s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "format", FORMAT,
				  "verdict", verdict, "summary", text_of(verdict_summary(v)),
				  "title", text_or_null(v->title), "budget",
				  text_or_null(v->budget->name), "failed", text_or_null(v->failed),
				  "conditions", said, "verdicts", list),
			out);
}

/* Only what stays the same from run to run: GitLab compares reports by it. */
static uint64_t hash(uint64_t h, const char *text)
{
	for (; text && *text; text++)
		h = (h ^ (unsigned char)*text) * FNV_PRIME;
	return (h ^ 0xff) * FNV_PRIME;
}

static json_t *issue(const struct verdicts *all, const struct verdict *v, const char *severity)
{
	_cleanup_free_ char *file = NULL, *subject = verdict_subject(v),
			    *sentence = verdict_sentence(v), *description = NULL,
			    *name = verdict_name(v);
	unsigned line;
	char print[24];

	if (!subject || !sentence || !name || verdict_where(all, v, &file, &line) ||
	    asprintf(&description, "%s: %s%s%s", subject, sentence,
		     v->n_places ? "; most of it: " : "", v->n_places ? v->places[0].text : "") < 0)
		return NULL;
	snprintf(print, sizeof(print), "%016" PRIx64, hash(hash(FNV_OFFSET, name), file));
	return json_pack("{s:o, s:s, s:s, s:s, s:{s:o, s:{s:i}}}", "description",
			 text_or_null(description), "check_name", "taskdiag-bpf", "fingerprint",
			 print, "severity", severity, "location", "path",
			 text_or_null(file ? file : "taskdiag-bpf"), "lines", "begin",
			 line ? (int)line : 1);
}

int verdict_gitlab(const struct verdicts *v, FILE *out)
{
	static const char *const severities[VERDICT_STATES] = {
		[VERDICT_NEAR] = "minor",
		[VERDICT_OVER] = "major",
		[VERDICT_UNMEASURABLE] = "info",
	};
	json_t *list = json_array(), *one;

	for (size_t i = 0; list && !v->failed && i < v->n; i++) {
		const char *severity = severities[v->all[i].state];

		if (!severity || v->all[i].limit->told)
			continue;
		one = issue(v, &v->all[i], severity);
		if (!one || json_array_append_new(list, one)) {
			json_decref(list);
			return -ENOMEM;
		}
	}
	return put_json(list, out);
}
