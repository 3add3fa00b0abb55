/* follow_events.c - what the side-band tells; see follow.h */
#include "unwind/follow_private.h"

static void on_map(struct follow *f, struct process *p, const struct sideband_event *event)
{
	struct area area = { .start = event->region.start,
			     .end = event->region.start + event->region.length,
			     .offset = event->region.offset };

	if (event->time_ns < p->synced_ns || p->gone_ns)
		return;
	area.file = files_find(f->files, p->pid, &event->region);
	if (p->scan && event->time_ns >= scan_began_ns(p->scan))
		scan_also(p->scan, &area);
	if (!p->complete)
		return;
	if (image_own(&p->image, f->mappings, clock_monotonic_ns()) ||
	    areas_put(&p->image->areas, &area))
		f->refused++;
	p->image->dirty = true;
	follow_touch(f, p);
}

static void on_exec(struct follow *f, struct process *p, const struct sideband_event *event)
{
	struct image *fresh;
	uint64_t now = clock_monotonic_ns();

	follow_verify_want(f, p, now);
	if (event->time_ns < p->synced_ns || p->gone_ns)
		return;
	fresh = image_new(&f->watch);
	if (!fresh) {
		follow_scan_want(f, p, now);
		return;
	}
	image_put(p->image, f->mappings, now);
	p->image = fresh;
	p->execs++;
	if (p->scan || !p->complete) { /* what it reads is of two programs */
		follow_scan_stop(f, p);
		if (!p->complete)
			follow_scan_want(f, p, now);
	}
	follow_touch(f, p);
}

static void on_fork(struct follow *f, const struct sideband_event *event)
{
	struct process *parent = follow_find_pid(f, event->parent),
		       *p = follow_find_pid(f, event->pid);
	bool told_before = p && p->tgid && !p->complete && !p->scan && !p->gone_ns;

	if (p && !told_before) {
		/* its own, and it has been read since */
		if (event->time_ns < (p->scan ? scan_began_ns(p->scan) : p->synced_ns))
			return;
		follow_drop(f, p);
		p = NULL;
	}
	if (!parent || !f->follow_children)
		return;
	if (!p)
		p = follow_new_process(f, event->pid);
	if (!p)
		return; /* told later by its own record, and read then */
	image_put(p->image, f->mappings, clock_monotonic_ns());
	p->image = parent->image;
	p->image->refs++;
	p->complete = parent->complete;
	p->execs = parent->execs;
	p->execs_known = parent->execs_known;
	p->synced_ns = event->time_ns;
	p->scan_ns = 0;
	if (!p->complete && p->tgid)
		follow_scan_want(f, p, clock_monotonic_ns());
	follow_touch(f, p);
}

static void on_lost(struct follow *f, const struct sideband_event *event)
{
	uint64_t now = clock_monotonic_ns();
	struct process *p, *next;

	f->lost += event->lost;
	HASH_ITER (hh, f->by_pid, p, next) {
		if (p->gone_ns)
			continue;
		follow_scan_stop(f, p);
		follow_scan_want(f, p, now);
	}
}

static void on_exit_of(struct follow *f, struct process *p, const struct sideband_event *event)
{
	if (event->pid != event->tid || p->tgid)
		return; /* a thread, or we will be told */
	p->exit_ns = event->time_ns;
	follow_due_at(f, p->exit_ns + FORGET_NS);
}

void follow_event(void *context, const struct sideband_event *event)
{
	struct follow *f = context;
	struct process *p;

	if (event->type == SIDEBAND_LOST) {
		on_lost(f, event);
		return;
	}
	if (event->type == SIDEBAND_FORK) {
		on_fork(f, event);
		return;
	}
	p = follow_find_pid(f, event->pid);
	if (!p)
		return;
	if (event->type == SIDEBAND_MAP)
		on_map(f, p, event);
	else if (event->type == SIDEBAND_EXEC)
		on_exec(f, p, event);
	else if (event->type == SIDEBAND_EXIT)
		on_exit_of(f, p, event);
}
