/* profile.c - see profile.h: records and samples in. */
#include "collect/profile.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "artifact/profile_files.h"
#include "unwind/unwinder.h"

#define SLICE_NS (NS_PER_S / 10)

void *profile_collector_new(const struct observation *o)
{
	struct profile_collector *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->o = o;
	c->stacks = o->stacks;
	c->samples = samples_new(0, SLICE_NS);
	if (!c->samples) {
		free(c);
		return NULL;
	}
	return c;
}

void profile_collector_free(void *self)
{
	struct profile_collector *c = self;

	HASH_CLEAR(hh, c->thr_table);
	for (size_t i = 0; i < c->thr_count; i++)
		free(c->thrs[i]);
	free(c->thrs);
	samples_free(c->samples);
	profile_free(c->profile);
	free(c);
}

enum time_kind profile_time_kind(uint32_t cause)
{
	switch (cause) {
	case CAUSE_CPU:
	case CAUSE_KERNEL:
	case CAUSE_UNSAMPLED:
		return TIME_CPU;
	case CAUSE_RUN_QUEUE:
	case CAUSE_THROTTLED: /* the kernel counts it as such */
		return TIME_RUN_QUEUE;
	default:
		return TIME_BLOCKED;
	}
}

static uint64_t thr_key(uint32_t tgid, uint32_t tid)
{
	return (uint64_t)tgid << 32 | tid;
}

static struct profile_thr *thr_find(const struct profile_collector *c, uint32_t tgid, uint32_t tid)
{
	uint64_t key = thr_key(tgid, tid);
	struct profile_thr *t;

	HASH_FIND(hh, c->thr_table, &key, sizeof(key), t);
	return t;
}

/* Beyond THREADS_MAX all threads are one, without a process of its own. */
static struct profile_thr *thr_rest(struct profile_collector *c)
{
	struct profile_thr *t = c->thrs[c->thr_count - 1];

	t->merged++;
	strcpy(t->name, "[others]");
	return t;
}

static struct profile_thr *thr_new(struct profile_collector *c, const struct event_header *h,
				   uint32_t tid, uint64_t begin_ns)
{
	struct profile_thr *t = thr_find(c, h->tgid, tid), **grown;
	struct stack_process *p;

	if (t) /* its end was not told, and its number is used again */
		HASH_DEL(c->thr_table, t);
	if (c->thr_count == THREADS_MAX)
		return thr_rest(c);
	p = task_stacks_process(c->stacks, h);
	t = p ? calloc(1, sizeof(*t)) : NULL;
	grown = reallocarray(c->thrs, c->thr_count + 1, sizeof(*c->thrs));
	if (grown)
		c->thrs = grown;
	if (!t || !grown) {
		free(t);
		c->failed++;
		return NULL;
	}
	t->key = thr_key(h->tgid, tid);
	t->proc = p->index;
	t->tid = tid;
	t->begin_ns = begin_ns;
	memcpy(t->name, p->name, sizeof(t->name));
	t->index = c->thr_count;
	c->thrs[c->thr_count++] = t;
	HASH_ADD(hh, c->thr_table, key, sizeof(t->key), t);
	return t;
}

static void thr_totals(struct profile_thr *t, uint64_t begin_ns, uint64_t end_ns, uint64_t cpu_ns,
		       uint64_t run_queue_ns, uint64_t marks, uint64_t lost_marks)
{
	uint64_t wall = end_ns > begin_ns ? end_ns - begin_ns : 0, ready = cpu_ns + run_queue_ns;

	t->begin_ns = begin_ns;
	t->end_ns = end_ns;
	t->exact_ns[TIME_CPU] += cpu_ns;
	t->exact_ns[TIME_RUN_QUEUE] += run_queue_ns;
	t->exact_ns[TIME_BLOCKED] += wall > ready ? wall - ready : 0;
	t->marks += marks;
	t->lost_marks += lost_marks;
}

static bool has_ended(const struct profile_thr *t)
{
	return t->end_ns && !t->merged;
}

static void on_thread(struct profile_collector *c, const struct thread_event *e)
{
	struct profile_thr *t;

	if (e->h.type == EV_THREAD) {
		t = thr_new(c, &e->h, e->tid, e->begin_ns);
	} else {
		t = thr_find(c, e->h.tgid, e->tid);
		if (t && has_ended(t)) /* it lived to the end, and its last state is told */
			return;
		if (!t)
			t = thr_new(c, &e->h, e->tid, e->begin_ns);
		if (t)
			thr_totals(t, e->begin_ns, e->h.time_ns, e->cpu_ns, e->run_queue_ns,
				   e->marks, e->lost_marks);
		if (t && e->untold && !t->merged) {
			memset(t->exact_ns, 0, sizeof(t->exact_ns));
			t->untold = true;
		}
		if (t && !t->merged)
			HASH_DEL(c->thr_table, t);
	}
	if (t && !t->merged && !e->untold) {
		memcpy(t->name, e->name, sizeof(t->name));
		t->name[sizeof(t->name) - 1] = 0;
	}
}

static void marks_add(struct profile_collector *c, struct profile_thr *t, uint64_t stack,
		      uint32_t cause, uint64_t detail, uint64_t first_ns, uint64_t marks)
{
	uint32_t node = stacks_node(c->stacks->tree, stack);

	if (stack) {
		c->walk_count++;
		c->walks[task_stacks_outcome(c->stacks, node)]++;
	} else {
		c->stackless++;
	}
	if (cause != CAUSE_KERNEL && cause != CAUSE_SYSCALL)
		detail = 0;
	t->recorded[profile_time_kind(cause)] += marks;
	if (samples_add(c->samples, node, t->index, cause, detail, first_ns, c->o->period_ns,
			marks))
		c->failed++;
}

static void on_marks(struct profile_collector *c, const struct marks_event *e)
{
	struct profile_thr *t = thr_find(c, e->h.tgid, e->tid);

	if (t && has_ended(t)) /* its last state has told them */
		return;
	if (!t)
		t = c->thr_count == THREADS_MAX ? c->thrs[THREADS_MAX - 1]
						: thr_new(c, &e->h, e->tid, e->first_ns);
	if (t)
		marks_add(c, t, e->stack, e->cause < CAUSE_MAX ? e->cause : CAUSE_UNKNOWN,
			  e->detail, e->first_ns, e->marks);
}

static void start(struct profile_collector *c)
{
	if (c->o->start_ns)
		samples_start(c->samples, c->o->start_ns);
}

void profile_collector_record(void *self, const struct event_header *h)
{
	struct profile_collector *c = self;

	start(c);
	switch (h->type) {
	case EV_THREAD:
	case EV_THREAD_END:
		on_thread(c, (const struct thread_event *)h);
		break;
	case EV_MARKS:
		on_marks(c, (const struct marks_event *)h);
		break;
	}
}

/* A blocked thread, walked in its own memory by us. */
static uint64_t walk_outside(struct profile_collector *c, const struct state_sample *s)
{
	const struct unwind_registers registers = { s->pc, s->sp, s->bp, s->bx, s->thread_pointer };
	const struct event_header h = {
		.tgid = s->tgid, .pid = s->pid, .start_ns = s->start_ns, .time_ns = s->time_ns
	};
	uint64_t frames[FRAMES_MAX + 1], id = s->tgid;
	enum unwind_outcome outcome;
	size_t count = 0;

	if (!s->pc)
		return 0;
	outcome = unwinder_outside(c->o->unwinder, s->tgid, s->pid, &registers, task_stacks_code,
				   c->stacks, frames, &count);
	c->outside_reads++;
	for (size_t i = 0; i < count; i++)
		id = (id ^ frames[i]) * 0x100000001b3ULL + (id >> 31);
	id = id ? id ^ outcome : 1;
	task_stacks_add(c->stacks, &h, id, outcome, frames, count);
	return id;
}

/* A mark of the outside kind: this is what the thread does now, and did since it was read last. */
static void on_state_outside(struct profile_collector *c, struct profile_thr *t,
			     const struct state_sample *s)
{
	uint64_t since = t->outside_ns, marks;

	if (!since) /* a wait that began before keeps its marks */
		since = s->since_ns && s->next_ns < s->time_ns ? s->next_ns - c->o->period_ns / 2
							       : s->time_ns;
	t->outside_ns = s->time_ns;
	if (s->cause == CAUSE_CPU || s->time_ns <= since)
		return;
	marks = (s->time_ns - since + c->o->period_ns / 2) / c->o->period_ns;
	if (!t->outside_stack || t->switches != s->switches)
		t->outside_stack = walk_outside(c, s);
	t->switches = s->switches;
	t->marks += marks;
	if (marks)
		marks_add(c, t, t->outside_stack, s->cause, s->detail, since, marks);
}

/* The observation ends, the thread does not: what it does is read from outside. */
static void on_state_last(struct profile_collector *c, struct profile_thr *t,
			  const struct state_sample *s)
{
	uint64_t passed =
		     s->time_ns >= s->next_ns ? (s->time_ns - s->next_ns) / c->o->period_ns + 1 : 0,
		 pending = s->pending_marks;
	bool phases = c->o->waits && !c->o->outside_ns;

	thr_totals(t, s->begin_ns, s->time_ns, s->cpu_ns, s->run_queue_ns,
		   s->marks + (phases ? passed : 0), s->lost_marks);
	if (!phases)
		return;
	if (!s->since_ns)
		pending += passed;
	if (pending)
		marks_add(c, t, s->last_stack, CAUSE_UNSAMPLED, 0,
			  s->next_ns - s->pending_marks * c->o->period_ns, pending);
	if (s->since_ns && passed)
		marks_add(c, t, walk_outside(c, s),
			  s->cause == CAUSE_CPU ? CAUSE_UNKNOWN : s->cause, s->detail, s->next_ns,
			  passed);
}

void profile_collector_sample(void *self, const struct sample_header *h)
{
	const struct state_sample *s = (const struct state_sample *)h;
	struct profile_collector *c = self;
	struct profile_thr *t;

	if (h->type != SAMPLE_STATE || h->size != sizeof(*s))
		return;
	t = thr_find(c, s->tgid, s->tid);
	if (!t)
		return;
	memcpy(t->name, s->name, sizeof(t->name));
	t->name[sizeof(t->name) - 1] = 0;
	if (c->o->end_ns)
		on_state_last(c, t, s);
	else if (c->o->outside_ns)
		on_state_outside(c, t, s);
}

static const struct {
	const char *name;
	profile_write_fn *write;
} files[] = {
	{ "profile.folded", profile_write_folded },
	{ "profile.pb.gz", profile_write_pprof },
	{ "profile.speedscope.json", profile_write_speedscope },
	{ "profile.pyisession", profile_write_pyisession },
};

int profile_collector_write(void *self, struct rundir *r, struct problem *problem)
{
	struct profile_collector *c = self;
	const struct profile_run run = {
		.start_utc_ns = c->o->start_utc_ns,
		.duration_ns = c->o->end_ns - c->o->start_ns,
		.command = c->o->command,
	};
	int err = c->profile ? 0 : profile_build(c, &c->profile);

	if (err)
		return problem_set(problem, err, "put the profile together: %s", strerror(-err));
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		FILE *file = rundir_begin(r, files[i].name, problem);

		if (!file)
			return -EIO;
		err = files[i].write(c->profile, &run, file);
		if (rundir_end(r, file, problem))
			return -EIO;
		if (err)
			return problem_set(problem, err, "write %s: %s", files[i].name,
					   strerror(-err));
	}
	return 0;
}
