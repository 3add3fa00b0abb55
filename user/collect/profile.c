/* profile.c - see profile.h: records and samples in. */
#include "collect/profile.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collect/jit.h"
#include "collect/python_codes.h"
#include "lib/clock.h"
#include "artifact/profile_files.h"
#include "unwind/unwinder.h"

#define SLICE_NS (NS_PER_S / 10)
#define MAP_AGAIN_NS NS_PER_S

void *profile_collector_new(const struct observation *o)
{
	struct profile_collector *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->o = o;
	c->samples = samples_new(0, SLICE_NS);
	c->codes = python_codes_new();
	if (!c->samples || !c->codes) {
		profile_collector_free(c);
		return NULL;
	}
	return c;
}

void profile_collector_free(void *self)
{
	struct profile_collector *c = self;

	HASH_CLEAR(hh, c->proc_table);
	HASH_CLEAR(hh, c->thr_table);
	for (size_t i = 0; i < c->proc_count; i++) {
		if (c->procs[i]->perf_map >= 0)
			close(c->procs[i]->perf_map);
		free(c->procs[i]);
	}
	for (size_t i = 0; i < c->thr_count; i++)
		free(c->thrs[i]);
	for (size_t i = 0; i < c->problem_count; i++)
		free(c->problems[i]);
	free(c->procs);
	free(c->thrs);
	samples_free(c->samples);
	python_codes_free(c->codes);
	profile_free(c->profile);
	free(c);
}

void profile_problem(struct profile_collector *c, const char *format, ...)
{
	char *text;
	va_list args;
	int n;

	if (c->problem_count == sizeof(c->problems) / sizeof(c->problems[0])) {
		c->problems_more++;
		return;
	}
	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n >= 0)
		c->problems[c->problem_count++] = text;
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

/* NULL: no memory. */
static struct profile_proc *proc_get(struct profile_collector *c, const struct event_header *h)
{
	struct profile_proc *p, **grown;

	HASH_FIND(hh, c->proc_table, &h->tgid, sizeof(h->tgid), p);
	if (p && p->start_ns == h->start_ns)
		return p;
	if (p) /* its pid is used again */
		HASH_DEL(c->proc_table, p);
	if (c->proc_count == PROCS_MAX)
		return c->procs[PROCS_MAX - 1];
	p = calloc(1, sizeof(*p));
	grown = reallocarray(c->procs, c->proc_count + 1, sizeof(*c->procs));
	if (grown)
		c->procs = grown;
	if (!p || !grown) {
		free(p);
		c->failed++;
		return NULL;
	}
	p->tgid = h->tgid;
	p->pid = h->pid;
	p->start_ns = h->start_ns;
	p->perf_map = -1;
	strcpy(p->name, c->proc_count == PROCS_MAX - 1 ? "[others]" : "?");
	p->index = c->proc_count;
	c->procs[c->proc_count++] = p;
	HASH_ADD(hh, c->proc_table, tgid, sizeof(p->tgid), p);
	return p;
}

static void on_process(struct profile_collector *c, const struct process_event *e)
{
	struct profile_proc *p = proc_get(c, &e->h);

	if (!p)
		return;
	if (p->index < PROCS_MAX - 1) {
		memcpy(p->name, e->name, sizeof(p->name));
		p->name[sizeof(p->name) - 1] = 0;
	}
	unwinder_process(c->o->unwinder, e->h.tgid, e->h.pid, e->h.start_ns, e->root & ROOT_FOUND);
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
	struct profile_proc *p;

	if (t) /* its end was not told, and its number is used again */
		HASH_DEL(c->thr_table, t);
	if (c->thr_count == THREADS_MAX)
		return thr_rest(c);
	p = proc_get(c, h);
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

/* While the process lives: afterwards its root is gone. A JIT may begin its map late. */
static void pin_perf_map(struct profile_collector *c, struct profile_proc *p, uint64_t now)
{
	int err;

	p->raw = true;
	if (p->perf_map >= 0 || (p->map_ns && now - p->map_ns < MAP_AGAIN_NS))
		return;
	p->map_ns = now;
	err = jit_perf_map(p->pid, &p->perf_map);
	if (err && err != -ENOENT && err != -ESRCH)
		profile_problem(c, "perf map of process %u: %s", p->pid, strerror(-err));
}

/* A record that cannot be used leaves its frames without names, which is counted there. */
static void on_code(void *context, const struct code_event *e, size_t bytes)
{
	struct profile_collector *c = context;

	if (python_codes_add(c->codes, e, bytes, c->o->unwinder) == -ENOMEM)
		c->failed++;
}

/* Frames come innermost first; the tree wants the root first, and before it what the stack is. */
static void stack_add(struct profile_collector *c, const struct event_header *h, uint64_t id,
		      uint32_t outcome, const uint64_t *frames, size_t count)
{
	uint64_t upwards[FRAMES_MAX + 2];
	struct profile_proc *p;
	bool raw = false, heuristic = false, python = false;
	size_t n = 0;

	count = count > FRAMES_MAX ? FRAMES_MAX : count;
	for (size_t i = 0; i < count; i++) {
		if ((frames[i] & FRAME_KIND) == FRAME_PYTHON) {
			python = true;
			continue;
		}
		raw |= (frames[i] & FRAME_RAW) != 0;
		heuristic |= (frames[i] & FRAME_HEURISTIC) != 0;
	}
	p = raw ? proc_get(c, h) : NULL;
	if (p) {
		pin_perf_map(c, p, h->time_ns);
		upwards[n++] = FRAME_PROCESS | p->index;
	}
	if (outcome != UNWIND_COMPLETE)
		upwards[n++] = FRAME_OUTCOME | (outcome < UNWIND_OUTCOMES ? outcome : 0);
	for (size_t i = count; i-- > 0;)
		upwards[n++] =
		    (frames[i] & FRAME_KIND) == FRAME_PYTHON ? frames[i] : frames[i] & ~FRAME_KIND;
	c->heuristic_stacks += heuristic;
	c->python_stacks += python;
	if (samples_stack(c->samples, id, upwards, n) == -ENOMEM)
		c->failed++;
}

static uint32_t stack_outcome(const struct profile_collector *c, uint32_t node)
{
	uint32_t outcome = UNWIND_COMPLETE;

	for (; node > SAMPLES_OVERFLOW; node = samples_parent(c->samples, node))
		if ((samples_frame(c->samples, node) & FRAME_KIND) == FRAME_OUTCOME)
			outcome = samples_frame(c->samples, node) & 0xff;
	return outcome;
}

static void marks_add(struct profile_collector *c, struct profile_thr *t, uint64_t stack,
		      uint32_t cause, uint64_t detail, uint64_t first_ns, uint64_t marks)
{
	uint32_t node = samples_node(c->samples, stack);

	if (stack) {
		c->walk_count++;
		c->walks[stack_outcome(c, node)]++;
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
	const struct stack_event *stack = (const struct stack_event *)h;

	start(c);
	switch (h->type) {
	case EV_PROCESS:
	case EV_EXEC:
		on_process(c, (const struct process_event *)h);
		break;
	case EV_EXIT:
		unwinder_exit(c->o->unwinder, h->tgid, h->start_ns);
		break;
	case EV_THREAD:
	case EV_THREAD_END:
		on_thread(c, (const struct thread_event *)h);
		break;
	case EV_STACK:
		stack_add(c, h, stack->id, stack->outcome, (const uint64_t *)(stack + 1),
			  stack->frame_count);
		break;
	case EV_CODE:
		on_code(c, (const struct code_event *)h, h->size);
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
	outcome = unwinder_outside(c->o->unwinder, s->tgid, s->pid, &registers, on_code, c, frames,
				   &count);
	c->outside_reads++;
	for (size_t i = 0; i < count; i++)
		id = (id ^ frames[i]) * 0x100000001b3ULL + (id >> 31);
	id = id ? id ^ outcome : 1;
	stack_add(c, &h, id, outcome, frames, count);
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

/* munmap and dlclose are told by nobody: where less is executable than was, all is read anew. */
static void on_process_sample(struct profile_collector *c, const struct process_sample *s)
{
	struct profile_proc *p;

	HASH_FIND(hh, c->proc_table, &s->tgid, sizeof(s->tgid), p);
	if (!p || p->start_ns != s->start_ns)
		return;
	if (s->exec_pages < p->exec_pages && !c->o->end_ns)
		unwinder_rescan(c->o->unwinder, s->tgid);
	p->exec_pages = s->exec_pages;
}

void profile_collector_sample(void *self, const struct sample_header *h)
{
	const struct state_sample *s = (const struct state_sample *)h;
	struct profile_collector *c = self;
	struct profile_thr *t;

	if (h->type == SAMPLE_PROCESS && h->size == sizeof(struct process_sample))
		on_process_sample(c, (const struct process_sample *)h);
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
