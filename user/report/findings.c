/* findings.c - the table of kinds; the weightiest of what they find. */
#include "report/findings.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#include "lib/escape.h"
#include "report/findings_private.h"

#define PARTS_MAX 8u

static const struct {
	const char *name, *tab;
	finding_fn *find;
	double weight; /* what a person wants to know first; the kind adds less than 10 */
	unsigned parts;
} kinds[] = {
	{ "oom", "memory", finding_oom, 100, 1 },
	{ "growth", "allocations", finding_growth, 80, 1 },
	{ "lost", "profile", finding_lost, 60, PARTS_MAX },
	{ "cache", "memory", finding_cache, 40, 1 },
	{ "burst", "memory", finding_burst, 30, 1 },
	{ "retained", "memory", finding_retained, 20, 1 },
};

int finding_text(char **ret, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(ret, format, args);
	va_end(args);
	if (n >= 0)
		return 0;
	*ret = NULL;
	return -ENOMEM;
}

static void finding_done(struct finding *f)
{
	free(f->sentence);
	free(f->evidence);
	free(f->why);
	*f = (struct finding){};
}

void findings_done(struct findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		finding_done(&f->all[i]);
	f->n = 0;
}

/* Takes over @one. */
static void insert(struct findings *f, struct finding *one)
{
	size_t at = f->n;

	if (f->n == FINDINGS_MAX) {
		at--;
		if (f->all[at].weight >= one->weight) {
			finding_done(one);
			return;
		}
		finding_done(&f->all[at]);
		f->n--;
	}
	for (; at && f->all[at - 1].weight < one->weight; at--)
		f->all[at] = f->all[at - 1];
	f->all[at] = *one;
	f->n++;
}

int findings_init(struct findings *ret, const struct run *r)
{
	struct findings f = {};
	int err = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (unsigned part = 0; !err && part < kinds[i].parts; part++) {
			struct finding one = { .kind = kinds[i].name,
					       .tab = kinds[i].tab,
					       .from_s = NAN,
					       .to_s = NAN };

			err = kinds[i].find(&one, r, part);
			one.weight = kinds[i].weight + fmax(0, fmin(one.weight, 9.9));
			if (err || !one.sentence)
				finding_done(&one);
			else
				insert(&f, &one);
		}
	if (err)
		findings_done(&f);
	*ret = f;
	return err;
}

static void put_range(FILE *out, const char *name, double s)
{
	if (!isnan(s))
		fprintf(out, ",\"%s\":%.3f", name, s);
}

int findings_json(const struct findings *f, FILE *out)
{
	fputc('[', out);
	for (size_t i = 0; i < f->n; i++) {
		const struct finding *one = &f->all[i];

		fprintf(out, "%s{\"kind\":\"%s\",\"tab\":\"%s\",\"confidence\":\"%s\"",
			i ? ",\n" : "", one->kind, one->tab, one->sure ? "high" : "medium");
		put_range(out, "from_s", one->from_s);
		put_range(out, "to_s", one->to_s);
		fputs(",\"sentence\":", out);
		escape_json(out, one->sentence);
		fputs(",\"evidence\":", out);
		escape_json(out, one->evidence ? one->evidence : "");
		fputs(",\"why\":", out);
		escape_json(out, one->why ? one->why : "");
		fputc('}', out);
	}
	fputc(']', out);
	return ferror(out) ? -EIO : 0;
}
