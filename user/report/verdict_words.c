/* verdict_words.c - see verdict_words.h */
#include "report/verdict_words.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "report/alloc_facts.h"

const char *const verdict_state_words[VERDICT_STATES] = {
	[VERDICT_WITHIN] = "within", [VERDICT_NEAR] = "near",
	[VERDICT_OVER] = "over",     [VERDICT_UNMEASURABLE] = "not measurable",
	[VERDICT_TOLD] = "no rule",
};

const char *const verdict_state_keys[VERDICT_STATES] = {
	[VERDICT_WITHIN] = "within", [VERDICT_NEAR] = "near",
	[VERDICT_OVER] = "over",     [VERDICT_UNMEASURABLE] = "not-measurable",
	[VERDICT_TOLD] = "told",
};

struct fact_text verdict_amount(enum measure_unit unit, double value)
{
	if (unit == UNIT_BYTES)
		return fact_bytes(value);
	return unit == UNIT_SECONDS ? fact_seconds(value) : fact_count(value);
}

struct fact_text verdict_signed(enum measure_unit unit, double value)
{
	struct fact_text bare = verdict_amount(unit, fabs(value)), t;

	snprintf(t.s, sizeof(t.s), "%s%.40s", value < 0 ? "-" : "+", bare.s);
	return t;
}

static enum measure_unit unit_of(const struct verdict *v)
{
	return measures[v->limit->measure].unit;
}

char *verdict_subject(const struct verdict *v)
{
	const char *words = measures[v->limit->measure].words, *function = v->limit->function;
	char *text = NULL;

	if (asprintf(&text, "%s%s%s", words, function ? " of " : "", function ? function : "") < 0)
		return NULL;
	return text;
}

bool verdict_is_silent(const struct verdict *v)
{
	return v->limit->told && v->state == VERDICT_UNMEASURABLE;
}

char *verdict_name(const struct verdict *v)
{
	const struct measure_row *row = &measures[v->limit->measure];
	const char *function = v->limit->function;
	char *text = NULL;

	if (asprintf(&text, "%s%s%s", function ? function : "", function ? " " : "", row->key) < 0)
		return NULL;
	return text;
}

/* A number that has an interval, with it. */
static void put_amount(FILE *f, enum measure_unit unit, const struct verdict_side *s)
{
	fputs(verdict_amount(unit, s->value).s, f);
	if (isinf(s->high))
		fputs(" or more", f);
	else if (s->low < s->high)
		fprintf(f, " (%s to %s)", verdict_amount(unit, s->low).s,
			verdict_amount(unit, s->high).s);
}

static void put_difference(FILE *f, enum measure_unit unit, double difference, double base)
{
	fputs(verdict_signed(unit, difference).s, f);
	if (base > 0)
		fprintf(f, " (%+.1f %%)", 100 * difference / base);
}

static void put_budget(FILE *f, const struct verdict *v)
{
	enum measure_unit unit = unit_of(v);
	double limit = v->limit->limit, beyond = v->now.value - limit;

	put_amount(f, unit, &v->now);
	fprintf(f, "; budget %s", verdict_amount(unit, limit).s);
	if (v->state == VERDICT_OVER) {
		fprintf(f, ": over by %s", verdict_amount(unit, beyond).s);
		if (limit > 0)
			fprintf(f, " (%+.1f %%)", 100 * beyond / limit);
	} else if (v->state == VERDICT_NEAR) {
		fputs(": what is known does not tell whether it is over", f);
	}
}

static void put_comparison(FILE *f, const struct verdict *v)
{
	enum measure_unit unit = unit_of(v);
	double growth = v->now.value - v->base.value;

	put_amount(f, unit, &v->now);
	fprintf(f, ", was ");
	put_amount(f, unit, &v->base);
	fputs(": ", f);
	put_difference(f, unit, growth, v->base.value);
	if (v->noise > 0 && !isinf(v->noise))
		fprintf(f, ", noise %s", verdict_amount(unit, v->noise).s);
	if (!v->limit->told)
		fprintf(f, "; rule %s", v->limit->text);
	if (v->state == VERDICT_OVER)
		fprintf(f, ": beyond it by %s", verdict_amount(unit, growth - v->allowed).s);
	else if (v->state == VERDICT_NEAR)
		fputs(": beyond it, but not beyond the noise", f);
}

char *verdict_sentence(const struct verdict *v)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	if (v->state == VERDICT_UNMEASURABLE && v->now.runs) {
		put_amount(f, unit_of(v), &v->now);
		fputs(": ", f);
	}
	if (v->state == VERDICT_UNMEASURABLE)
		fputs(v->why ? v->why : "no reason is known", f);
	else if (v->base.runs)
		put_comparison(f, v);
	else
		put_budget(f, v);
	if (v->note && v->state != VERDICT_UNMEASURABLE)
		fprintf(f, "; %s", v->note);
	return fclose(f) ? NULL : take_ptr(text);
}

static void put_runs(FILE *f, const struct verdict *v, const struct verdict_side *s)
{
	fprintf(f, "median of %zu runs, %s to %s", s->runs, verdict_amount(unit_of(v), s->min).s,
		verdict_amount(unit_of(v), s->max).s);
}

char *verdict_spread(const struct verdict *v)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	if (v->now.runs > 1)
		put_runs(f, v, &v->now);
	if (v->base.runs > 1) {
		fputs(v->now.runs > 1 ? "; was " : "was ", f);
		put_runs(f, v, &v->base);
	}
	return fclose(f) ? NULL : take_ptr(text);
}

char *verdict_place_text(const struct verdict *v, const struct verdict_place *p)
{
	struct fact_text amount = v->base.runs ? verdict_signed(unit_of(v), p->value)
					       : verdict_amount(unit_of(v), p->value);
	char *text = NULL;

	if (asprintf(&text, "%s, %.1f %%: %s", amount.s, 100 * p->share, p->text) < 0)
		return NULL;
	return text;
}

char *verdict_summary(const struct verdicts *v)
{
	size_t over = verdicts_count(v, VERDICT_OVER), near = verdicts_count(v, VERDICT_NEAR),
	       missing = verdicts_count(v, VERDICT_UNMEASURABLE), told = 0, limits;
	const char *kind = v->compared ? "rule" : "limit";
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (size_t i = 0; i < v->n; i++) {
		told += v->all[i].limit->told;
		missing -= v->all[i].limit->told && v->all[i].state == VERDICT_UNMEASURABLE;
	}
	limits = v->n - told;
	if (v->failed)
		fprintf(f, "not judged: %s", v->failed);
	else if (over)
		fprintf(f, "%s: %zu of %zu %s%s", v->compared ? "grown too much" : "over budget",
			over, limits, kind, limits == 1 ? "" : "s");
	else if (missing)
		fprintf(f, "not measurable: %zu of %zu %s%s", missing, limits, kind,
			limits == 1 ? "" : "s");
	else
		fprintf(f, "within %s: %zu %s%s", v->compared ? "the rules" : "budget", limits,
			kind, limits == 1 ? "" : "s");
	if (over && missing)
		fprintf(f, ", %zu not measurable", missing);
	if (near)
		fprintf(f, ", %zu near", near);
	return fclose(f) ? NULL : take_ptr(text);
}

/* Annotations show files by their path in the checkout. */
static char *from_here(const char *file)
{
	_cleanup_free_ char *here = getcwd(NULL, 0);
	size_t length = here ? strlen(here) : 0;

	if (length > 1 && !strncmp(file, here, length) && file[length] == '/')
		file += length + 1;
	return strdup(file);
}

int verdict_where(const struct verdicts *v, const struct verdict *one, char **ret_file,
		  unsigned *ret_line)
{
	const char *file = v->budget->name;

	*ret_file = NULL;
	*ret_line = one->limit->line;
	for (size_t i = 0; i < one->n_places; i++)
		if (one->places[i].file && one->places[i].line) {
			file = one->places[i].file;
			*ret_line = one->places[i].line;
			break;
		}
	if (!file)
		return 0;
	*ret_file = from_here(file);
	return *ret_file ? 0 : -ENOMEM;
}
