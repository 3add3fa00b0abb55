/* stream.c - see stream.h */
#include "session/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "bpf/heap.h"
#include "bpf/python.h"
#include "collect/stacks.h"

static int on_process(struct stream *s, const struct event_header *h)
{
	const struct process_event *e = (const struct process_event *)h;
	struct process *p = processes_get(s->o->processes, h->tgid, h->start_ns);

	if (!p)
		return -ENOMEM;
	if (p->end == END_LEFT)
		processes_return(s->o->processes, p);
	if (p->end != END_RUNNING)
		return -ESRCH;
	s->moved |= s->o->tick > 0 && e->root & ROOT_FOUND;
	p->pid = h->pid;
	p->inner_pid = e->inner_pid;
	p->root |= e->root & ROOT_NAMED;
	memcpy(p->name, e->name, sizeof(p->name));
	p->name[sizeof(p->name) - 1] = 0;
	p->last_tick = s->o->tick;
	if (h->type == EV_EXEC && p->root && !s->root_exec_ns)
		s->root_exec_ns = h->time_ns;
	return 0;
}

static enum process_end end_of(const struct process *p, const struct exit_event *e)
{
	if (e->h.type == EV_LEAVE)
		return END_LEFT;
	return !WIFSIGNALED(e->exit_code) ? END_EXITED : p->oom ? END_OOM : END_SIGNAL;
}

static void see_end(struct stream *s, const struct event_header *h)
{
	if (h->time_ns > s->last_end_ns)
		s->last_end_ns = h->time_ns;
}

static int on_end(struct stream *s, const struct event_header *h)
{
	const struct exit_event *e = (const struct exit_event *)h;
	struct process *p = processes_get(s->o->processes, h->tgid, h->start_ns);

	if (!p)
		return -ENOMEM;
	p->pid = h->pid;
	if (p->end != END_RUNNING)
		return -ESRCH;
	s->moved |= h->type == EV_LEAVE;
	p->minor_faults = e->minor_faults;
	p->major_faults = e->major_faults;
	see_end(s, h);
	return processes_end(s->o->processes, p, end_of(p, e),
			     h->type == EV_LEAVE ? 0 : e->exit_code, h->time_ns);
}

static int on_image_end(struct stream *s, const struct event_header *h)
{
	see_end(s, h); /* its memory was there until now: after its exit, from Linux 6.16 on */
	return 0;
}

static int on_oom(struct stream *s, const struct event_header *h)
{
	struct process *p = processes_find(s->o->processes, h->tgid, h->start_ns);

	if (!p || p->end != END_RUNNING)
		return -ESRCH;
	p->oom = true;
	if (s->oom_count < OOMS_KEPT) {
		struct oom_kill *kill = &s->ooms[s->oom_count];

		kill->event = *(const struct oom_event *)h;
		kill->event.asker_name[NAME_BYTES - 1] = 0;
		kill->pid = p->pid;
		memcpy(kill->name, p->name, sizeof(kill->name));
	}
	s->oom_count++;
	s->oom_now = true;
	return 0;
}

static int on_cgroup_end(struct stream *s, const struct event_header *h)
{
	s->cgroup_end_ns = h->time_ns;
	return 0;
}

/* For collectors only. */
static int on_rest(struct stream *s, const struct event_header *h)
{
	(void)s;
	(void)h;
	return 0;
}

static size_t stack_bytes(const struct event_header *h)
{
	const struct stack_event *e = (const struct stack_event *)h;

	return sizeof(*e) + (size_t)e->frame_count * sizeof(uint64_t);
}

static size_t code_bytes(const struct event_header *h)
{
	const struct code_event *e = (const struct code_event *)h;

	return sizeof(*e) + e->lines_bytes;
}

static size_t heap_stack_bytes(const struct event_header *h)
{
	const struct heap_stack_event *e = (const struct heap_stack_event *)h;

	return sizeof(*e) + (size_t)e->count * sizeof(struct heap_pair);
}

static const struct {
	size_t bytes; /* exactly; of what has a tail, its head */
	int (*apply)(struct stream *s, const struct event_header *h); /* -ESRCH: late */
} handlers[] = {
	[EV_PROCESS] = { sizeof(struct process_event), on_process },
	[EV_EXEC] = { sizeof(struct process_event), on_process },
	[EV_EXIT] = { sizeof(struct exit_event), on_end },
	[EV_IMAGE_END] = { sizeof(struct image_event), on_image_end },
	[EV_OOM] = { sizeof(struct oom_event), on_oom },
	[EV_THREAD] = { sizeof(struct thread_event), on_rest },
	[EV_THREAD_END] = { sizeof(struct thread_event), on_rest },
	[EV_STACK] = { sizeof(struct stack_event), on_rest },
	[EV_MARKS] = { sizeof(struct marks_event), on_rest },
	[EV_CODE] = { sizeof(struct code_event), on_rest },
	[EV_PAGES] = { sizeof(struct pages_event), on_rest },
	[EV_REGION] = { sizeof(struct region_event), on_rest },
	[EV_HEAP_STACK] = { sizeof(struct heap_stack_event), on_rest },
	[EV_HEAP_FLUSH] = { sizeof(struct heap_flush_event), on_rest },
	[EV_HEAP_ALLOC] = { sizeof(struct heap_block_event), on_rest },
	[EV_HEAP_FREE] = { sizeof(struct heap_block_event), on_rest },
	[EV_HEAP_CALLS] = { sizeof(struct heap_calls_event), on_rest },
	[EV_LEAVE] = { sizeof(struct exit_event), on_end },
	[EV_FILE] = { sizeof(struct file_event), on_rest },
	[EV_TASK] = { sizeof(struct task_event), on_rest },
	[EV_LINE] = { sizeof(struct line_event), on_rest },
	[EV_CGROUP_END] = { sizeof(struct event_header), on_cgroup_end },
};

void stream_record(void *context, const void *record, size_t bytes)
{
	const struct event_header *h = record;
	struct stream *s = context;
	size_t wanted;

	if (bytes < sizeof(*h) || h->type >= sizeof(handlers) / sizeof(handlers[0]) ||
	    !handlers[h->type].apply || bytes < handlers[h->type].bytes) {
		s->malformed++;
		return;
	}
	wanted = h->type == EV_STACK	    ? stack_bytes(h)
		 : h->type == EV_CODE	    ? code_bytes(h)
		 : h->type == EV_HEAP_STACK ? heap_stack_bytes(h)
					    : handlers[h->type].bytes;
	if (h->size != wanted || bytes < wanted) {
		s->malformed++;
		return;
	}
	if (handlers[h->type].apply(s, h)) {
		s->late++;
		return;
	}
	s->recorded++;
	if (s->calls)
		s->calls_record(s->calls, h);
	if (s->o->stacks)
		task_stacks_record(s->o->stacks, h);
	for (size_t i = 0; s->collectors[i]; i++)
		if (s->collectors[i]->record)
			s->collectors[i]->record(s->selves[i], h);
	if (h->type == EV_EXIT || h->type == EV_LEAVE)
		processes_trim(s->o->processes);
}

static void see_process(struct stream *s, const struct process_sample *sample)
{
	struct process *p = processes_find(s->o->processes, sample->tgid, sample->start_ns);

	if (p && p->end == END_RUNNING)
		p->last_tick = s->o->tick;
}

void stream_sample(void *context, const void *record, size_t bytes)
{
	const struct sample_header *h = record;
	struct stream *s = context;

	(void)bytes; /* equals h->size: probes_sample() has split them by it */
	if (h->type == SAMPLE_PROCESS && h->size == sizeof(struct process_sample))
		see_process(s, (const struct process_sample *)h);
	if (s->calls)
		s->calls_sample(s->calls, h);
	if (s->o->stacks)
		task_stacks_sample(s->o->stacks, h);
	for (size_t i = 0; s->collectors[i]; i++)
		if (s->collectors[i]->sample)
			s->collectors[i]->sample(s->selves[i], h);
}

void stream_forget(struct stream *s, uint64_t ticks)
{
	for (struct process *p = processes_first(s->o->processes); p; p = p->hh.next) {
		if (p->end != END_RUNNING || p->last_tick + ticks > s->o->tick)
			continue;
		processes_end(s->o->processes, p, END_UNKNOWN, 0, s->o->tick_ns);
		s->exits_forgotten++;
	}
}
