/* profile_manifest.c - diagnostics.profile of manifest.json; keys are defined in
 * docs/artifact-format.md. */
#include <stdlib.h>
#include <string.h>

#include "collect/profile.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "unwind/unwinder.h"

static const char *const outcome_keys[UNWIND_OUTCOMES] = {
	[UNWIND_COMPLETE] = "complete",
	[UNWIND_DEPTH] = "too_deep",
	[UNWIND_NO_PROCESS] = "no_process",
	[UNWIND_NO_MAPPING] = "no_mapping",
	[UNWIND_PENDING] = "rows_pending",
	[UNWIND_NO_ROW] = "no_row",
	[UNWIND_UNSUPPORTED] = "unsupported",
	[UNWIND_REGISTER] = "other_register",
	[UNWIND_READ] = "not_readable",
	[UNWIND_UNDEFINED] = "register_lost",
	[UNWIND_STUCK] = "stuck",
	[UNWIND_ZERO] = "zero",
};

/* Stacks without a place in the tree, and those given up as too many are distinct. */
static uint64_t overflowed(const struct profile_collector *c)
{
	return stacks_overflowed(c->stacks->tree) + samples_overflowed(c->samples);
}

static json_t *stacks_json(const struct profile_collector *c)
{
	json_t *stacks = json_object();

	for (size_t i = 0; i < UNWIND_OUTCOMES; i++)
		if (outcome_keys[i])
			json_object_set_new(stacks, outcome_keys[i], json_integer(c->walks[i]));
	json_object_set_new(stacks, "none", json_integer(c->stackless));
	json_object_set_new(stacks, "with_guessed_frames",
			    json_integer(c->stacks->heuristic_stacks));
	json_object_set_new(stacks, "overflowed", json_integer(overflowed(c)));
	json_object_set_new(stacks, "read_from_outside", json_integer(c->outside_reads));
	return stacks;
}

static json_t *ratio(double part, double whole)
{
	return whole > 0 ? json_real(part / whole) : json_null();
}

static json_t *fidelity_json(const struct profile_collector *c)
{
	static const char *const keys[TIME_KINDS] = { "cpu", "run_queue", "blocked" };
	json_t *fidelity = json_object();

	for (int kind = 0; kind < TIME_KINDS; kind++) {
		double sampled = 0, exact = 0;

		for (size_t i = 0; i < c->thr_count; i++) {
			sampled += (double)c->thrs[i]->recorded[kind] * c->o->period_ns;
			exact += c->thrs[i]->exact_ns[kind];
		}
		json_object_set_new(fidelity, keys[kind],
				    kind != TIME_CPU && !c->o->waits ? json_null()
								     : ratio(sampled, exact));
	}
	return fidelity;
}

static json_t *thread_json(const struct profile_collector *c, const struct profile_thr *t)
{
	const struct stack_process *p = c->stacks->procs[t->proc];
	double start = c->o->start_ns;

	return json_pack(
	    "{s:o, s:i, s:i, s:o, s:f, s:o, s:f, s:f, s:f, s:I, s:I, s:{s:I, s:I, s:I}}", "process",
	    json_text(p->name), "pid", p->pid, "tid", t->tid, "name", json_text(t->name), "start_s",
	    (t->begin_ns - start) / 1e9, "end_s",
	    t->end_ns ? json_real((t->end_ns - start) / 1e9) : json_null(), "cpu_s",
	    t->exact_ns[TIME_CPU] / 1e9, "run_queue_s", t->exact_ns[TIME_RUN_QUEUE] / 1e9,
	    "blocked_s", t->exact_ns[TIME_BLOCKED] / 1e9, "marks", (json_int_t)t->marks,
	    "marks_lost", (json_int_t)t->lost_marks, "marks_recorded", "cpu",
	    (json_int_t)t->recorded[TIME_CPU], "run_queue", (json_int_t)t->recorded[TIME_RUN_QUEUE],
	    "blocked", (json_int_t)t->recorded[TIME_BLOCKED]);
}

static uint64_t recorded(const struct profile_thr *t)
{
	return t->recorded[TIME_CPU] + t->recorded[TIME_RUN_QUEUE] + t->recorded[TIME_BLOCKED];
}

static int compare(const void *a, const void *b)
{
	const struct profile_thr *x = *(struct profile_thr *const *)a;
	const struct profile_thr *y = *(struct profile_thr *const *)b;

	if (recorded(x) != recorded(y))
		return recorded(x) < recorded(y) ? 1 : -1;
	return x->index < y->index ? -1 : 1;
}

static void threads_json(const struct profile_collector *c, json_t *profile)
{
	_cleanup_free_ struct profile_thr **sorted = calloc(c->thr_count + 1, sizeof(*sorted));
	uint64_t marks = 0, kernel_marks = 0, unended = 0, merged = 0, omitted = 0,
		 omitted_marks = 0;
	json_t *array = json_array();

	for (size_t i = 0; i < c->thr_count; i++) {
		const struct profile_thr *t = c->thrs[i];

		marks += recorded(t);
		kernel_marks += t->marks;
		unended += !t->end_ns || t->untold;
		merged += t->merged;
		if (sorted)
			sorted[i] = c->thrs[i];
	}
	if (sorted && c->thr_count)
		qsort(sorted, c->thr_count, sizeof(*sorted), compare);
	for (size_t i = 0; sorted && i < c->thr_count; i++) {
		if (i < THREADS_LISTED) {
			json_array_append_new(array, thread_json(c, sorted[i]));
			continue;
		}
		omitted++;
		omitted_marks += recorded(sorted[i]);
	}
	json_object_set_new(profile, "marks", json_integer(marks));
	json_object_set_new(profile, "marks_passed", json_integer(kernel_marks));
	json_object_set_new(profile, "marks_lost", json_integer(c->o->lost_marks));
	json_object_set_new(profile, "threads_unended", json_integer(unended));
	json_object_set_new(profile, "threads_seen", json_integer(c->thr_count + merged));
	json_object_set_new(profile, "threads", array);
	json_object_set_new(profile, "threads_omitted", json_integer(omitted + merged));
	json_object_set_new(profile, "omitted_marks", json_integer(omitted_marks));
}

static json_t *causes_json(const struct profile_collector *c)
{
	size_t samples = profile_sample_count(c->profile), count = profile_cause_count(c->profile);
	_cleanup_free_ uint64_t *marks = calloc(count + 1, sizeof(*marks));
	json_t *array = json_array();

	for (size_t i = 0; marks && i < samples; i++) {
		const struct profile_sample *s = profile_sample_at(c->profile, i);

		marks[s->cause] += s->marks;
	}
	for (size_t n = 0; marks && n < count; n++) { /* largest first; there are few */
		size_t best = 0;

		for (size_t i = 1; i < count; i++)
			if (marks[i] != UINT64_MAX &&
			    (marks[best] == UINT64_MAX || marks[i] > marks[best]))
				best = i;
		json_array_append_new(array,
				      json_pack("{s:s, s:f, s:I}", "name",
						profile_cause_at(c->profile, best)->name, "seconds",
						marks[best] * (double)c->o->period_ns / 1e9,
						"marks", (json_int_t)marks[best]));
		marks[best] = UINT64_MAX;
	}
	return array;
}

static json_t *tables_json(const struct profile_collector *c)
{
	struct unwinder_stats s;

	unwinder_stats(c->o->unwinder, &s);
	return json_pack(
	    "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "files", (json_int_t)s.files,
	    "files_without_rows", (json_int_t)s.files_without_rows, "rows", (json_int_t)s.rows,
	    "bytes", (json_int_t)s.table_bytes, "mappings", (json_int_t)s.mappings,
	    "mappings_refused", (json_int_t)s.mappings_refused, "rescans", (json_int_t)s.rescans,
	    "events_lost", (json_int_t)s.lost_events, "cache_hits", (json_int_t)s.cache_hits,
	    "cache_misses", (json_int_t)s.cache_misses);
}

static json_t *worker_json(const struct profile_collector *c)
{
	struct inspect_stats s;

	inspect_stats(c->o->inspect, &s);
	return json_pack("{s:I, s:I, s:I, s:I}", "asked", (json_int_t)s.asked, "answered",
			 (json_int_t)s.answered, "failed", (json_int_t)s.failed, "started",
			 (json_int_t)s.workers);
}

static json_t *problems_json(const struct profile_collector *c)
{
	json_t *problems = json_array();

	for (size_t i = 0; i < c->stacks->problem_count; i++)
		json_array_append_new(problems, json_text(c->stacks->problems[i]));
	return problems;
}

static const char *mode(const struct profile_collector *c)
{
	if (!c->o->waits)
		return "cpu-only";
	if (c->o->outside_ns)
		return "outside";
	return c->o->wakes ? "phase" : "phase-at-switch";
}

static void limit_count(json_t *limits, uint64_t count, const char *what)
{
	if (count)
		json_array_append_new(limits,
				      json_sprintf("%llu %s", (unsigned long long)count, what));
}

/* What the kernel lacks, and what this run has lost. */
static json_t *limits_all(const struct profile_collector *c, const json_t *limits)
{
	json_t *all = json_copy((json_t *)limits);
	struct unwinder_stats s;

	unwinder_stats(c->o->unwinder, &s);
	limit_count(all, c->o->lost_marks,
		    "marks were lost: a larger --ring-size or a lower --frequency keeps them");
	limit_count(all, overflowed(c), "stacks found no room and are one: [other stacks]");
	limit_count(all, s.mappings_refused, "executable mappings found no room: stacks end there");
	limit_count(
	    all, s.unreadable,
	    "processes' memory did not answer in time: blocked threads have no stack there");
	python_limits(c, all);
	limit_count(all, c->failed + c->stacks->failed, "records found no memory in the observer");
	if (c->o->outside_ns)
		json_array_append_new(
		    all, json_string("the task switches so often that its waits are read from "
				     "outside: those below 100 us may be wrong (--max-overhead)"));
	return all;
}

json_t *profile_manifest(void *self, json_t *limits)
{
	struct profile_collector *c = self;
	json_t *profile;

	if (!c->profile && profile_build(c, &c->profile))
		return NULL;
	profile = json_object();
	limits = limits_all(c, limits);
	json_object_set_new(profile, "status",
			    json_string(json_array_size(limits) ? "limited" : "ok"));
	json_object_set_new(profile, "limits", limits);
	json_object_set_new(profile, "problems", problems_json(c));
	json_object_set_new(profile, "problems_more", json_integer(c->stacks->problems_more));
	json_object_set_new(profile, "frequency_hz", json_integer(c->o->frequency_hz));
	json_object_set_new(profile, "period_ns", json_integer(c->o->period_ns));
	json_object_set_new(profile, "slice_ns", json_integer(samples_slice_ns(c->samples)));
	json_object_set_new(profile, "mode", json_string(mode(c)));
	json_object_set_new(profile, "outside_since_s",
			    c->o->outside_ns
				? json_real((c->o->outside_ns - (double)c->o->start_ns) / 1e9)
				: json_null());
	json_object_set_new(profile, "stacks_complete_ratio",
			    ratio(c->walks[UNWIND_COMPLETE], c->walk_count));
	json_object_set_new(profile, "stacks", stacks_json(c));
	json_object_set_new(profile, "fidelity", fidelity_json(c));
	/* the kernel's CPU times leave it out, marks do not: it lifts fidelity.cpu above 1 */
	json_object_set_new(profile, "host_steal_s", json_real(c->o->steal_s));
	threads_json(c, profile);
	json_object_set_new(profile, "causes", causes_json(c));
	json_object_set_new(profile, "python", python_manifest(c));
	json_object_set_new(profile, "tables", tables_json(c));
	json_object_set_new(profile, "worker", worker_json(c));
	json_object_set_new(profile, "records_failed", json_integer(c->failed + c->stacks->failed));
	return profile;
}
