/* verdict.c - see verdict.h */
#include "report/verdict.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

static int by_value(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return a < b ? -1 : a > b;
}

static double median_of(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), by_value);
	if (n % 2 || values[n / 2] == values[n / 2 - 1]) /* also of two infinities */
		return values[n / 2];
	return (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* Column @i of @runs rows. */
static int side_of(struct verdict_side *ret, const struct reading *all, size_t runs, size_t width,
		   size_t i)
{
	_cleanup_free_ double *values = calloc(3 * runs, sizeof(*values));
	double nearest = INFINITY;

	*ret = (struct verdict_side){ .runs = runs };
	if (!values)
		return -ENOMEM;
	for (size_t run = 0; run < runs; run++) {
		values[run] = all[run * width + i].value;
		values[runs + run] = all[run * width + i].low;
		values[2 * runs + run] = all[run * width + i].high;
	}
	ret->value = median_of(values, runs);
	ret->low = median_of(values + runs, runs);
	ret->high = median_of(values + 2 * runs, runs);
	ret->min = values[0];
	ret->max = values[runs - 1];
	for (size_t run = 0; run < runs; run++) {
		double distance = fabs(all[run * width + i].value - ret->value);

		if (distance < nearest) {
			nearest = distance;
			ret->median = run;
		}
	}
	return 0;
}

/* The first reason of a side for that there is no number; in how many runs. */
static int take_why(struct verdict *v, const struct reading *all, size_t runs, size_t width,
		    size_t i, const char *side)
{
	const char *why = NULL;
	size_t count = 0;

	for (size_t run = 0; run < runs; run++) {
		const struct reading *r = &all[run * width + i];

		if (r->why && !count++)
			why = r->why;
		if (r->note && !v->note && !(v->note = strdup(r->note)))
			return -ENOMEM;
	}
	if (!why || v->why)
		return 0;
	v->state = VERDICT_UNMEASURABLE;
	if (asprintf(&v->why, "%s%s", side, why) < 0) {
		v->why = NULL;
		return -ENOMEM;
	}
	if (runs > 1 && count < runs) {
		_cleanup_free_ char *bare = take_ptr(v->why);

		if (asprintf(&v->why, "in %zu of %zu runs: %s", count, runs, bare) < 0) {
			v->why = NULL;
			return -ENOMEM;
		}
	}
	return 0;
}

static int begin(struct verdicts *ret, const struct budget *budget, bool compared)
{
	*ret = (struct verdicts){ .budget = budget, .compared = compared, .n = budget->n };
	ret->all = calloc(budget->n + 1, sizeof(*ret->all));
	for (size_t i = 0; ret->all && i < budget->n; i++)
		ret->all[i].limit = &budget->limits[i];
	return ret->all ? 0 : -ENOMEM;
}

/* It may be any amount higher: what was seen says nothing of a limit above it. */
static int not_bounded(struct verdict *v)
{
	v->state = VERDICT_UNMEASURABLE;
	v->why = v->note;
	v->note = NULL;
	return v->why || (v->why = strdup("it may be more than what was seen")) ? 0 : -ENOMEM;
}

int verdicts_judge(struct verdicts *ret, const struct budget *budget, const struct reading *now,
		   size_t runs)
{
	int err = begin(ret, budget, false);

	for (size_t i = 0; !err && i < ret->n; i++) {
		struct verdict *v = &ret->all[i];
		double limit = v->limit->limit;

		err = take_why(v, now, runs, ret->n, i, "");
		if (err || v->why)
			continue;
		err = side_of(&v->now, now, runs, ret->n, i);
		v->state = v->now.low > limit	  ? VERDICT_OVER
			   : v->now.high <= limit ? VERDICT_WITHIN
						  : VERDICT_NEAR;
		if (v->state == VERDICT_NEAR && isinf(v->now.high))
			err = not_bounded(v);
	}
	if (err)
		verdicts_done(ret);
	return err;
}

static double error_of(const struct verdict_side *s)
{
	return fmax(s->value - s->low, s->high - s->value);
}

static void compare(struct verdict *v)
{
	double growth = v->now.value - v->base.value;

	v->allowed = v->limit->limit * (v->limit->relative ? v->base.value : 1);
	v->noise = (v->base.max - v->base.min) + (v->now.max - v->now.min) +
		   hypot(error_of(&v->base), error_of(&v->now));
	if (v->limit->told)
		v->state = VERDICT_TOLD;
	else if (growth > v->allowed)
		v->state = growth > v->noise ? VERDICT_OVER : VERDICT_NEAR;
	else
		v->state = VERDICT_WITHIN;
}

int verdicts_compare(struct verdicts *ret, const struct budget *rules, const struct reading *base,
		     size_t base_runs, const struct reading *now, size_t runs)
{
	int err = begin(ret, rules, true);

	for (size_t i = 0; !err && i < ret->n; i++) {
		struct verdict *v = &ret->all[i];

		err = take_why(v, base, base_runs, ret->n, i, "base: ");
		if (!err)
			err = take_why(v, now, runs, ret->n, i, "head: ");
		if (err || v->why)
			continue;
		err = side_of(&v->base, base, base_runs, ret->n, i);
		if (!err)
			err = side_of(&v->now, now, runs, ret->n, i);
		compare(v);
		if (!v->limit->told && (isinf(v->base.high) || isinf(v->now.high)))
			err = not_bounded(v);
	}
	if (err)
		verdicts_done(ret);
	return err;
}

void verdicts_done(struct verdicts *v)
{
	for (size_t i = 0; v->all && i < v->n; i++) {
		struct verdict *one = &v->all[i];

		for (size_t k = 0; k < one->n_places; k++) {
			free(one->places[k].text);
			free(one->places[k].function);
			free(one->places[k].file);
		}
		free(one->places);
		free(one->why);
		free(one->note);
	}
	for (size_t i = 0; i < v->n_said; i++)
		free(v->said[i]);
	free(v->said);
	free(v->title);
	free(v->failed);
	free(v->all);
	*v = (struct verdicts){};
}

int verdicts_say(struct verdicts *v, const char *text)
{
	char **grown = reallocarray(v->said, v->n_said + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	v->said = grown;
	grown[v->n_said] = strdup(text);
	return grown[v->n_said] ? (v->n_said++, 0) : -ENOMEM;
}

size_t verdicts_count(const struct verdicts *v, enum verdict_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++)
		n += v->all[i].state == state;
	return n;
}

enum verdict_state verdicts_worst(const struct verdicts *v)
{
	if (verdicts_count(v, VERDICT_OVER))
		return VERDICT_OVER;
	if (verdicts_count(v, VERDICT_UNMEASURABLE))
		for (size_t i = 0; i < v->n; i++)
			if (v->all[i].state == VERDICT_UNMEASURABLE && !v->all[i].limit->told)
				return VERDICT_UNMEASURABLE;
	return VERDICT_WITHIN;
}

const struct verdict_format verdict_formats[] = {
	{ "text", verdict_text },
	{ "markdown", verdict_markdown },
	{ "junit", verdict_junit },
	{ "github", verdict_github },
	{ "gitlab", verdict_gitlab },
	{ "json", verdict_json },
	{},
};

const struct verdict_format *verdict_format_find(const char *name)
{
	for (const struct verdict_format *f = verdict_formats; f->name; f++)
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}
