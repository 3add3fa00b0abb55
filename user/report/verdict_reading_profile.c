/* verdict_reading_profile.c - wall and CPU time, of the task and by function. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "report/verdict_reading_private.h"

#define PROFILE "diagnostics.profile"

bool reading_names_function(const char *name, const char *function)
{
	size_t length = strlen(function);

	return !strncmp(name, function, length) && (!name[length] || name[length] == '(');
}

/* What is shown for callers that were not found. */
static bool is_placeholder(const struct profile_frame *f, const char *word)
{
	static const char *const names[] = { "[incomplete", "[no stack", "[stack unknown",
					     "[other stacks", "[python code gone" };

	(void)word;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(f->name, names[i], strlen(names[i])))
			return true;
	return false;
}

/* The interpreter's loop: a Python function runs in it. */
static bool is_python_loop(const struct profile_frame *f, const char *word)
{
	return !strncmp(f->name, word, strlen(word));
}

static bool is_python(const struct profile_frame *f, const char *word)
{
	(void)word;
	return f->python;
}

static bool is_function(const struct profile_frame *f, const char *word)
{
	return reading_names_function(f->name, word);
}

/* A stack is made after its parent, so that is known. */
static bool *stacks_where(const struct profile *p,
			  bool (*is)(const struct profile_frame *f, const char *word),
			  const char *word)
{
	size_t frames = profile_frame_count(p), stacks = profile_stack_count(p);
	_cleanup_free_ bool *frame = calloc(frames + 1, sizeof(*frame));
	bool *with = calloc(stacks + 1, sizeof(*with));

	if (!frame || !with) {
		free(with);
		return NULL;
	}
	for (uint32_t i = 0; i < frames; i++)
		frame[i] = is(profile_frame_at(p, i), word);
	for (uint32_t i = 0; i < stacks; i++) {
		uint32_t parent = profile_stack_parent(p, i);

		with[i] = frame[profile_stack_frame(p, i)] || (parent < i && with[parent]);
	}
	return with;
}

bool *reading_stacks_with(const struct profile *p, const char *function)
{
	return stacks_where(p, is_function, function);
}

/* Also where the interpreter ran Python, and none of it is shown: before it was known as one. */
bool *reading_stacks_unclear(const struct profile *p)
{
	_cleanup_free_ bool *loop = stacks_where(p, is_python_loop, "_PyEval_EvalFrame");
	_cleanup_free_ bool *python = stacks_where(p, is_python, NULL);
	bool *unclear = stacks_where(p, is_placeholder, NULL);

	if (!loop || !python || !unclear) {
		free(unclear);
		return NULL;
	}
	for (uint32_t i = 0; i < profile_stack_count(p); i++)
		unclear[i] |= loop[i] && !python[i];
	return unclear;
}

struct time {
	double marks, unclear; /* unclear: it may be the function's */
	bool found;
};

static int time_of(const struct profile *p, const char *function, bool cpu, struct time *ret)
{
	_cleanup_free_ bool *with = reading_stacks_with(p, function);
	_cleanup_free_ bool *unclear = reading_stacks_unclear(p);

	*ret = (struct time){};
	if (!with || !unclear)
		return -ENOMEM;
	for (uint32_t i = 0; i < profile_sample_count(p); i++) {
		const struct profile_sample *s = profile_sample_at(p, i);

		if (cpu && !profile_cause_at(p, s->cause)->running)
			continue;
		if (s->stack == PROFILE_NO_STACK || unclear[s->stack])
			ret->unclear += (double)s->marks;
		if (s->stack == PROFILE_NO_STACK || !with[s->stack])
			continue;
		ret->marks += (double)s->marks;
		ret->unclear -= unclear[s->stack] ? (double)s->marks : 0;
		ret->found = true;
	}
	return 0;
}

static int of_function(const struct run *r, const char *function, bool cpu, struct reading *ret)
{
	double lost = run_number(r, PROFILE ".marks_lost"), period, chance;
	const char *mode = run_string(r, PROFILE ".mode");
	struct time t;
	int err;

	if (!reading_has(r, "profile", ret))
		return ret->why ? 0 : -ENOMEM;
	if (!r->profile)
		return reading_absent(ret, "the run has no profile.pb.gz");
	if (!cpu && mode && !strcmp(mode, "cpu-only"))
		return reading_absent(ret, "the profile has no waits (--cpu-only)");
	err = time_of(r->profile, function, cpu, &t);
	if (err)
		return err;
	period = (double)profile_period_ns(r->profile) / 1e9;
	chance = reading_chance(t.marks);
	reading_between(ret, t.marks * period, fmax(0, t.marks - chance) * period,
			(t.marks + chance + t.unclear + (lost > 0 ? lost : 0)) * period);
	if (!t.found)
		return reading_note(ret, "in no stack of the profile: is the name right?");
	return 0;
}

/* The observation goes on a little after the task: until the last process has ended is better,
 * where each is listed with its end. NaN: not known. */
static double last_end(const struct run *r)
{
	json_t *process;
	double last = NAN;
	size_t i;

	if (run_number(r, "diagnostics.memory.processes_omitted") != 0)
		return NAN;
	json_array_foreach(run_get(r, "diagnostics.memory.processes"), i, process)
	{
		double end = run_member_number(process, "end_s");

		if (!(end > 0))
			return NAN;
		last = isnan(last) ? end : fmax(last, end);
	}
	return last;
}

int reading_wall(const struct run *r, const char *function, struct reading *ret)
{
	double wall = run_number(r, "task.duration_s"), end_s = last_end(r);
	const char *end = run_string(r, "task.end");

	if (function)
		return of_function(r, function, false, ret);
	if (!(wall >= 0))
		return reading_absent(ret, "the run does not tell how long it took");
	if (!end || strcmp(end, "detached"))
		return reading_exact(ret, end_s < wall ? end_s : wall);
	reading_between(ret, wall, wall, INFINITY);
	return reading_note(ret, "the observation ended before the task");
}

/* The kernel's own totals, where every thread is listed with its last one. */
static int cpu_by_kernel(const struct run *r, struct reading *ret)
{
	double sum = 0, cpu;
	json_t *thread;
	size_t i;

	if (run_number(r, PROFILE ".threads_omitted") != 0 ||
	    run_number(r, PROFILE ".threads_unended") != 0)
		return -ENODATA;
	json_array_foreach(run_get(r, PROFILE ".threads"), i, thread)
	{
		cpu = run_member_number(thread, "cpu_s");
		if (!(cpu >= 0))
			return -ENODATA;
		sum += cpu;
	}
	return reading_exact(ret, sum);
}

int reading_cpu(const struct run *r, const char *function, struct reading *ret)
{
	double marks = 0, period, lost = run_number(r, PROFILE ".marks_lost"), chance;

	if (function)
		return of_function(r, function, true, ret);
	if (!reading_has(r, "profile", ret))
		return ret->why ? 0 : -ENOMEM;
	if (!cpu_by_kernel(r, ret))
		return 0;
	if (!r->profile)
		return reading_absent(ret, "the run has no profile.pb.gz");
	for (uint32_t i = 0; i < profile_sample_count(r->profile); i++) {
		const struct profile_sample *s = profile_sample_at(r->profile, i);

		if (profile_cause_at(r->profile, s->cause)->running)
			marks += (double)s->marks;
	}
	period = (double)profile_period_ns(r->profile) / 1e9;
	chance = reading_chance(marks);
	return reading_between(ret, marks * period, fmax(0, marks - chance) * period,
			       (marks + chance + (lost > 0 ? lost : 0)) * period);
}
