/* findings_lost.c - time in which the task wanted to run and could not: a share of the time in
 * which it ran or wanted to. Waits for work (timers, sockets, idle threads) are in neither. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "lib/cleanup.h"
#include "report/facts.h"
#include "report/findings_private.h"
#include "report/profile_facts.h"

/* A thread of a pool that waits for work is in a futex, too: only who waits for a mutex is kept
 * from its work. */
static const char *const mutexes[] = { "pthread_mutex_lock", "lll_lock_wait", "pthread_rwlock_",
				       "__lll_lock", "mtx_lock" };
/* A condition's wait ends in taking its mutex again, and until then it is a wait for work. */
static const char *const conditions[] = { "pthread_cond_", "cnd_wait", "sem_wait" };

static const struct {
	const char *name, *what;
	enum limit limit;
	bool only_mutexes;
} causes[] = {
	{ "[throttled]", "CPU quota of its cgroup (throttling)", LIMIT_LOST_MEMORY, false },
	{ "[GIL]", "the GIL", LIMIT_LOST_CPU, false },
	{ "[run queue]", "a CPU, in the run queue", LIMIT_LOST_CPU, false },
	{ "[lock]", "locks", LIMIT_LOST_CPU, true },
	{ "[reclaim]", "reclaim of pages by the kernel", LIMIT_LOST_MEMORY, false },
	{ "[page fault]", "page faults", LIMIT_LOST_MEMORY, false },
};
#define CAUSES (sizeof(causes) / sizeof(causes[0]))

static bool is_one_of(const char *name, const char *const *parts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(name, parts[i]))
			return true;
	return false;
}

static bool waits_for_mutex(const struct profile *p, uint32_t stack)
{
	bool mutex = false;

	for (; stack != PROFILE_NO_STACK; stack = profile_stack_parent(p, stack)) {
		const char *name = profile_frame_at(p, profile_stack_frame(p, stack))->name;

		if (is_one_of(name, conditions, sizeof(conditions) / sizeof(conditions[0])))
			return false;
		mutex |= is_one_of(name, mutexes, sizeof(mutexes) / sizeof(mutexes[0]));
	}
	return mutex;
}

/* Index of causes[]; CAUSES: no lost time. */
static size_t cause_of(const struct profile *p, const struct profile_sample *s)
{
	const char *name = profile_cause_at(p, s->cause)->name;

	for (size_t i = 0; i < CAUSES; i++)
		if (!strcmp(name, causes[i].name))
			return causes[i].only_mutexes && !waits_for_mutex(p, s->stack) ? CAUSES : i;
	return CAUSES;
}

struct lost {
	uint64_t wanted, lost; /* marks */
};

static int count(struct lost *ret, struct places *places, const struct profile *p, size_t cause)
{
	*ret = (struct lost){};
	for (size_t i = 0; i < profile_sample_count(p); i++) {
		const struct profile_sample *s = profile_sample_at(p, (uint32_t)i);
		size_t of = cause_of(p, s);

		if (of < CAUSES || profile_cause_at(p, s->cause)->running)
			ret->wanted += s->marks;
		if (of != cause)
			continue;
		ret->lost += s->marks;
		places_add(places, s->stack, (double)s->marks);
	}
	return 0;
}

static int tell(struct finding *ret, const struct run *r, const struct lost *l, size_t cause,
		const char *place, double place_marks)
{
	const struct profile *p = r->profile;
	double share = (double)l->lost / (double)l->wanted;
	const char *mode = run_string(r, "diagnostics.profile.mode");
	bool seen_by_itself = mode && !strcmp(mode, "phase");
	int err;

	err =
	    finding_text(&ret->sentence,
			 "%s of the time in which the task wanted to run (%s of %s) it waited for "
			 "%s%s%s%s%s",
			 fact_percent(share).s, fact_seconds(fact_wall(p, l->lost)).s,
			 fact_seconds(fact_wall(p, l->wanted)).s, causes[cause].what,
			 place ? ", most in " : "", place ? place : "", place ? ", " : "",
			 place ? fact_seconds(fact_wall(p, (uint64_t)place_marks)).s : "");
	ret->weight = 9 * share;
	ret->sure = seen_by_itself && l->lost >= 4 * finding_limit(LIMIT_LOST_MARKS);
	if (!err)
		err = finding_text(&ret->evidence, "stacks that end in %s", causes[cause].name);
	if (!err)
		err = finding_text(&ret->why, "%s marks%s", fact_count((double)l->lost).s,
				   ret->sure ? ", each seen as the wait ended"
					     : "; a longer run, on Linux 6.16 or later, has more");
	return err;
}

/* Without a profile the cgroup's own counter tells. */
static int throttled(struct finding *ret, const struct run *r)
{
	double us = run_number(r, "diagnostics.memory.cgroup.throttled_us"),
	       share = us / 1e6 / fact_duration(r);
	int err;

	if (!(fact_duration(r) >= finding_limit(LIMIT_WANTED_S)) ||
	    !(share >= finding_limit(LIMIT_LOST_MEMORY)))
		return 0;
	ret->tab = "memory";
	ret->weight = 9 * fmin(1, share);
	ret->sure = true;
	err =
	    finding_text(&ret->sentence, "its cgroup was out of CPU quota (throttled) for %s in %s",
			 fact_seconds(us / 1e6).s, fact_seconds(fact_duration(r)).s);
	if (!err)
		err = finding_text(&ret->evidence,
				   "diagnostics.memory.cgroup.throttled_us in manifest.json");
	return err ? err
		   : finding_text(&ret->why, "the kernel counts it, over all CPUs; -d profile "
					     "tells which functions waited");
}

int finding_lost(struct finding *ret, const struct run *r, unsigned part)
{
	_cleanup_free_ char *place = NULL;
	double place_marks = 0;
	struct places places;
	struct lost l;
	int err;

	if (part >= CAUSES)
		return 0;
	if (!r->profile)
		return part ? 0 : throttled(ret, r);
	err = places_init(&places, r->profile);
	if (err)
		return err;
	err = count(&l, &places, r->profile, part);
	if (!err && fact_wall(r->profile, l.wanted) >= finding_limit(LIMIT_WANTED_S) &&
	    (double)l.lost >= finding_limit(LIMIT_LOST_MARKS) &&
	    (double)l.lost >= finding_limit(causes[part].limit) * (double)l.wanted) {
		err = places_largest(&places, &place, &place_marks);
		if (!err || err == -ENODATA)
			err = tell(ret, r, &l, part, place, place_marks);
	}
	places_done(&places);
	return err;
}
