/* stacks.c - see stacks.h: records in. */
#include "collect/stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collect/jit.h"
#include "collect/python_codes.h"
#include "collect/stack_names.h"
#include "lib/clock.h"
#include "unwind/unwinder.h"

#define MAP_AGAIN_NS NS_PER_S

struct task_stacks *task_stacks_new(const struct observation *o)
{
	struct task_stacks *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->o = o;
	s->tree = stacks_new();
	s->codes = python_codes_new();
	if (!s->tree || !s->codes) {
		task_stacks_free(s);
		return NULL;
	}
	return s;
}

void task_stacks_free(struct task_stacks *s)
{
	if (!s)
		return;
	HASH_CLEAR(hh, s->proc_table);
	for (size_t i = 0; i < s->proc_count; i++) {
		if (s->procs[i]->perf_map >= 0)
			close(s->procs[i]->perf_map);
		free(s->procs[i]);
	}
	for (size_t i = 0; i < s->problem_count; i++)
		free(s->problems[i]);
	free(s->procs);
	frame_names_free(s->names);
	stacks_free(s->tree);
	python_codes_free(s->codes);
	free(s);
}

void task_stacks_problem(struct task_stacks *s, const char *format, ...)
{
	char *text;
	va_list args;
	int n;

	if (s->problem_count == sizeof(s->problems) / sizeof(s->problems[0])) {
		s->problems_more++;
		return;
	}
	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n >= 0)
		s->problems[s->problem_count++] = text;
}

/* NULL: no memory. */
struct stack_process *task_stacks_process(struct task_stacks *s, const struct event_header *h)
{
	struct stack_process *p, **grown;

	HASH_FIND(hh, s->proc_table, &h->tgid, sizeof(h->tgid), p);
	if (p && p->start_ns == h->start_ns)
		return p;
	if (p) /* its pid is used again */
		HASH_DEL(s->proc_table, p);
	if (s->proc_count == PROCS_MAX)
		return s->procs[PROCS_MAX - 1];
	p = calloc(1, sizeof(*p));
	grown = reallocarray(s->procs, s->proc_count + 1, sizeof(*s->procs));
	if (grown)
		s->procs = grown;
	if (!p || !grown) {
		free(p);
		s->failed++;
		return NULL;
	}
	p->tgid = h->tgid;
	p->pid = h->pid;
	p->start_ns = h->start_ns;
	p->perf_map = -1;
	strcpy(p->name, s->proc_count == PROCS_MAX - 1 ? "[others]" : "?");
	p->index = s->proc_count;
	s->procs[s->proc_count++] = p;
	HASH_ADD(hh, s->proc_table, tgid, sizeof(p->tgid), p);
	return p;
}

static void on_process(struct task_stacks *s, const struct process_event *e)
{
	struct stack_process *p = task_stacks_process(s, &e->h);

	if (!p)
		return;
	if (p->index < PROCS_MAX - 1) {
		memcpy(p->name, e->name, sizeof(p->name));
		p->name[sizeof(p->name) - 1] = 0;
	}
	unwinder_process(s->o->unwinder, e->h.tgid, e->h.pid, e->h.start_ns, e->root & ROOT_FOUND);
}

/* While the process lives: afterwards its root is gone. A JIT may begin its map late. */
static void pin_perf_map(struct task_stacks *s, struct stack_process *p, uint64_t now)
{
	int err;

	p->raw = true;
	if (p->perf_map >= 0 || (p->map_ns && now - p->map_ns < MAP_AGAIN_NS))
		return;
	p->map_ns = now;
	err = jit_perf_map(p->pid, &p->perf_map);
	if (err && err != -ENOENT && err != -ESRCH)
		task_stacks_problem(s, "perf map of process %u: %s", p->pid, strerror(-err));
}

/* A record that cannot be used leaves its frames without names, which is counted there. */
void task_stacks_code(void *context, const struct code_event *e, size_t bytes)
{
	struct task_stacks *s = context;

	if (python_codes_add(s->codes, e, bytes, s->o->unwinder) == -ENOMEM)
		s->failed++;
}

/* Frames come innermost first; the tree wants the root first, and before it what the stack is. */
void task_stacks_add(struct task_stacks *s, const struct event_header *h, uint64_t id,
		     uint32_t outcome, const uint64_t *frames, size_t count)
{
	uint64_t upwards[FRAMES_MAX + 2];
	struct stack_process *p;
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
	p = raw ? task_stacks_process(s, h) : NULL;
	if (p) {
		pin_perf_map(s, p, h->time_ns);
		upwards[n++] = FRAME_PROCESS | p->index;
	}
	if (outcome != UNWIND_COMPLETE)
		upwards[n++] = FRAME_OUTCOME | (outcome < UNWIND_OUTCOMES ? outcome : 0);
	for (size_t i = count; i-- > 0;)
		upwards[n++] =
		    (frames[i] & FRAME_KIND) == FRAME_PYTHON ? frames[i] : frames[i] & ~FRAME_KIND;
	s->heuristic_stacks += heuristic;
	s->python_stacks += python;
	if (stacks_add(s->tree, id, upwards, n) == -ENOMEM)
		s->failed++;
}

uint32_t task_stacks_outcome(const struct task_stacks *s, uint32_t node)
{
	uint32_t outcome = UNWIND_COMPLETE;

	for (; node > STACKS_OVERFLOW; node = stacks_parent(s->tree, node))
		if ((stacks_frame(s->tree, node) & FRAME_KIND) == FRAME_OUTCOME)
			outcome = stacks_frame(s->tree, node) & 0xff;
	return outcome;
}

/* munmap and dlclose are told by nobody: where less is executable than was, all is read anew. */
static void on_process_sample(struct task_stacks *s, const struct process_sample *sample)
{
	struct stack_process *p;

	HASH_FIND(hh, s->proc_table, &sample->tgid, sizeof(sample->tgid), p);
	if (!p || p->start_ns != sample->start_ns)
		return;
	if (sample->exec_pages < p->exec_pages && !s->o->end_ns)
		unwinder_rescan(s->o->unwinder, sample->tgid);
	p->exec_pages = sample->exec_pages;
}

void task_stacks_record(struct task_stacks *s, const struct event_header *h)
{
	const struct stack_event *stack = (const struct stack_event *)h;

	switch (h->type) {
	case EV_PROCESS:
	case EV_EXEC:
		on_process(s, (const struct process_event *)h);
		break;
	case EV_EXIT:
	case EV_LEAVE:
		unwinder_exit(s->o->unwinder, h->tgid, h->start_ns);
		break;
	case EV_STACK:
		task_stacks_add(s, h, stack->id, stack->outcome, (const uint64_t *)(stack + 1),
				stack->frame_count);
		break;
	case EV_CODE:
		task_stacks_code(s, (const struct code_event *)h, h->size);
		break;
	}
}

void task_stacks_sample(struct task_stacks *s, const struct sample_header *h)
{
	if (h->type == SAMPLE_PROCESS && h->size == sizeof(struct process_sample))
		on_process_sample(s, (const struct process_sample *)h);
}
