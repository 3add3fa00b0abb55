/* ci_diagnostics.c - see ci_diagnostics.h */
#include "cli/ci_diagnostics.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "session/abilities.h"

static const struct {
	const char *name;
	enum ability_of of;
} rows[] = {
	{ "memory", OF_MEMORY },
	{ "profile", OF_PROFILE },
	{ "allocations", OF_ALLOCATIONS },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

int ci_diagnostics_choose(struct ci_diagnostics *ret, const struct budget *budget,
			  const char *asked, struct problem *problem)
{
	_cleanup_free_ char *list = NULL;
	const char *separator = "";
	size_t size;
	FILE *f = open_memstream(&list, &size);

	*ret = (struct ci_diagnostics){};
	for (size_t i = 0; f && i < ROWS; i++) {
		if (!budget_needs(budget, rows[i].name))
			continue;
		fprintf(f, "%s%s", separator, rows[i].name);
		separator = ",";
	}
	if (f && asked)
		fprintf(f, "%s%s", separator, asked);
	else if (f && !*separator)
		fputs("memory", f);
	if (!f || fclose(f))
		return problem_set(problem, -ENOMEM, "%s", strerror(ENOMEM));
	ret->list = take_ptr(list);
	return 0;
}

__attribute__((format(printf, 2, 3))) static void say(struct ci_diagnostics *d, const char *format,
						      ...)
{
	va_list args;

	if (d->n_said == CI_SAID_MAX)
		return;
	va_start(args, format);
	if (vasprintf(&d->said[d->n_said], format, args) >= 0)
		d->n_said++;
	va_end(args);
}

/* The first that is missing of what @of needs. */
static const struct ability *missing_of(const struct ability *all, size_t n, unsigned of)
{
	for (size_t i = 0; i < n; i++)
		if (all[i].of & of && all[i].state == ABILITY_MISSING)
			return &all[i];
	return NULL;
}

static bool remove_diagnostic(struct session_options *so, const char *name)
{
	size_t kept = 0, i = 0;

	for (; so->diagnostics[i]; i++)
		if (strcmp(so->diagnostics[i], name))
			so->diagnostics[kept++] = so->diagnostics[i];
	for (size_t k = kept; k < i; k++)
		so->diagnostics[k] = NULL;
	return kept < i;
}

/* One sentence for all that lack the same. */
static void say_refused(struct ci_diagnostics *d, const struct ability *const *missing)
{
	for (size_t i = 0; i < ROWS; i++) {
		char names[64];
		bool said = false;

		snprintf(names, sizeof(names), "%s", rows[i].name);
		for (size_t k = 0; missing[i] && k < ROWS; k++) {
			size_t used = strlen(names);

			said |= k < i && missing[k] == missing[i];
			if (k > i && missing[k] == missing[i])
				snprintf(names + used, sizeof(names) - used, ", %s", rows[k].name);
		}
		if (missing[i] && !said)
			say(d, "%s: refused here: %s: %s%s%s", names, missing[i]->name,
			    missing[i]->detail, missing[i]->remedy[0] ? "; " : "",
			    missing[i]->remedy);
		else if (!missing[i])
			say(d, "%s: works here", names);
	}
}

void ci_diagnostics_refuse(struct ci_diagnostics *d, struct session_options *so)
{
	const struct ability *missing[ROWS];
	struct ability all[ABILITIES_MAX];
	size_t n = abilities_try(0, all);
	bool wanted = false;

	for (size_t i = 0; i < ROWS; i++) {
		const struct ability *a = missing_of(all, n, rows[i].of);

		missing[i] = a;
		if (!a || !remove_diagnostic(so, rows[i].name))
			continue;
		wanted = true;
		/* the first thing that is missing; the rest is said once, see say_refused() */
		if (!d->missing[0])
			snprintf(d->missing, sizeof(d->missing), "%s: %.*s", a->name,
				 (int)strcspn(a->detail, ","), a->detail);
		if (asprintf(&d->refused[i], "%s refused here: %s: %.*s", rows[i].name, a->name,
			     (int)strcspn(a->detail, ","), a->detail) < 0)
			d->refused[i] = NULL;
	}
	if (!wanted)
		return;
	say_refused(d, missing);
	if (so->diagnostics[0])
		return;
	say(d, "without BPF: peak RSS of the largest process, wall, CPU time and page faults are "
	       "judged by wait4(2); see: taskdiag-bpf doctor");
	if (so->memory_limit)
		say(d, "without BPF: --memory-limit is not set");
}

const char *ci_diagnostic_refused(const struct ci_diagnostics *d, const char *name)
{
	for (size_t i = 0; name && i < ROWS; i++)
		if (!strcmp(rows[i].name, name))
			return d->refused[i];
	return NULL;
}

void ci_diagnostics_done(struct ci_diagnostics *d)
{
	for (size_t i = 0; i < ROWS; i++)
		free(d->refused[i]);
	for (size_t i = 0; i < d->n_said; i++)
		free(d->said[i]);
	free(d->list);
	*d = (struct ci_diagnostics){};
}
