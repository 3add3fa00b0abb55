/* profile_facts.c - see profile_facts.h */
#include "report/profile_facts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "report/facts.h"

#define CAUSES_SHOWN 5u

double fact_wall(const struct profile *p, uint64_t marks)
{
	return (double)marks * (double)profile_period_ns(p) / 1e9;
}

uint64_t *fact_cause_marks(const struct profile *p)
{
	uint64_t *marks = calloc(profile_cause_count(p) + 1, sizeof(*marks));

	for (size_t i = 0; marks && i < profile_sample_count(p); i++) {
		const struct profile_sample *s = profile_sample_at(p, (uint32_t)i);

		marks[s->cause] += s->marks;
	}
	return marks;
}

bool fact_names_tid(const struct profile_thread *t)
{
	size_t length = strlen(t->name), n;
	char tid[16];

	n = (size_t)snprintf(tid, sizeof(tid), "-%u", t->tid);
	return length >= n && !strcmp(t->name + length - n, tid);
}

/* Of what is left in @marks the largest, which it takes out. */
static size_t take_largest(uint64_t *marks, size_t n, uint64_t *ret)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		best = marks[i] > marks[best] ? i : best;
	*ret = marks[best];
	marks[best] = 0;
	return best;
}

static void put_causes(FILE *f, const struct profile *p, uint64_t *marks)
{
	double all = (double)profile_marks(p);
	size_t n = profile_cause_count(p), others = 0, i;
	uint64_t largest, rest = 0;

	for (i = 0; i < n && i < CAUSES_SHOWN; i++) {
		size_t cause = take_largest(marks, n, &largest);

		if (!largest)
			return;
		fprintf(f, "%s %s %s", i ? "," : ":", fact_percent((double)largest / all).s,
			profile_cause_at(p, (uint32_t)cause)->name);
	}
	for (i = 0; i < n; i++) {
		others += marks[i] > 0;
		rest += marks[i];
	}
	if (others)
		fprintf(f, ", %s in %zu other cause%s", fact_percent((double)rest / all).s, others,
			others == 1 ? "" : "s");
}

char *fact_profile_time(const struct run *r)
{
	_cleanup_free_ uint64_t *marks = fact_cause_marks(r->profile);
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = marks ? open_memstream(&text, &size) : NULL;

	if (!f)
		return NULL;
	fprintf(f, "%s of thread time",
		fact_seconds(fact_wall(r->profile, profile_marks(r->profile))).s);
	put_causes(f, r->profile, marks);
	return fclose(f) ? NULL : take_ptr(text);
}

/* " (truncated 3, unreadable 1)": what became of the stacks that are not complete. */
static void put_outcomes(FILE *f, json_t *stacks)
{
	const char *name, *separator = " (";
	json_t *value;

	json_object_foreach(stacks, name, value)
	{
		double n = run_member_number(stacks, name);

		if (!(n > 0) || !strcmp(name, "complete"))
			continue;
		fprintf(f, "%s%s %s", separator, name, fact_count(n).s);
		separator = ", ";
	}
	if (*separator == ',')
		fputc(')', f);
}

static void put_fidelity(FILE *f, const struct run *r)
{
	static const struct {
		const char *key, *name;
	} parts[] = {
		{ "diagnostics.profile.fidelity.cpu", "CPU" },
		{ "diagnostics.profile.fidelity.run_queue", "run queue" },
		{ "diagnostics.profile.fidelity.blocked", "blocked" },
	};
	const char *separator = "; sampled/exact: ";

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		double ratio = run_number(r, parts[i].key);

		if (isnan(ratio))
			continue;
		fprintf(f, "%s%s %.3f", separator, parts[i].name, ratio);
		separator = ", ";
	}
}

char *fact_profile_sampling(const struct run *r)
{
	double hz = run_number(r, "diagnostics.profile.frequency_hz");
	double complete = run_number(r, "diagnostics.profile.stacks_complete_ratio");
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	if (hz > 0)
		fprintf(f, "%.4g Hz, ", hz);
	fprintf(f, "%s marks", fact_count((double)profile_marks(r->profile)).s);
	/* rounded down: 99.99 % must not read as all */
	if (!isnan(complete))
		fprintf(f, "; %.*f %% of stacks complete", complete == 1 ? 0 : 2,
			floor(complete * 1e4) / 1e2);
	put_outcomes(f, run_get(r, "diagnostics.profile.stacks"));
	put_fidelity(f, r);
	return fclose(f) ? NULL : take_ptr(text);
}

char *fact_profile_absent(const struct run *r)
{
	const char *status = run_string(r, "diagnostics.profile.status");
	char *text = NULL;

	if (asprintf(&text, "%.300s: has no profile%s%s; make one with: taskdiag-bpf -d profile",
		     r->path ? r->path : "run", status ? ": its status is " : "",
		     status ? status : "") < 0)
		return NULL;
	return text;
}
