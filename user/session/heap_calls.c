/* heap_calls.c - see heap_calls.h: whose probes are wanted, and the brake. */
#include "session/heap_calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "session/heap_calls_private.h"
#include "session/trap_cost.h"

#define LOOK_NS (250 * NS_PER_MS) /* between two looks at the traps */
/* What a trap costs beside itself: a map, a record; at every second one a walk. */
#define WORK_NS 2000

struct heap_calls *heap_calls_new(const struct heap_calls_config *config)
{
	struct heap_calls *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->config = *config;
	c->trap_ns = trap_cost_ns(config->probes) + WORK_NS;
	c->looked_ns = clock_boot_ns();
	return c;
}

static void process_free(struct heap_calls *c, struct called *p)
{
	called_detach(p);
	if (p->begun)
		probes_calls_close(c->config.probes, p->tgid);
	HASH_DEL(c->processes, p);
	free(p->list);
	free(p->files);
	free(p);
}

void heap_calls_end(struct heap_calls *c)
{
	struct called *p, *next;

	HASH_ITER (hh, c->processes, p, next)
		process_free(c, p);
	c->ended = true;
}

void heap_calls_free(struct heap_calls *c)
{
	if (!c)
		return;
	heap_calls_end(c);
	called_files_free(c);
	free(c);
}

static struct called *process_find(struct heap_calls *c, uint32_t tgid)
{
	struct called *p;

	HASH_FIND(hh, c->processes, &tgid, sizeof(tgid), p);
	return p;
}

static struct called *process_add(struct heap_calls *c, const struct event_header *h)
{
	struct called *p;

	if (HASH_COUNT(c->processes) >= CALLS_PROCESSES)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->tgid = h->tgid;
	HASH_ADD(hh, c->processes, tgid, sizeof(p->tgid), p);
	if (p->hh.tbl)
		return p;
	free(p);
	return NULL;
}

void called_tell(struct heap_calls *c, const struct called *p, struct heap_calls_event e)
{
	e.h = (struct event_header){ .type = EV_HEAP_CALLS,
				     .size = sizeof(e),
				     .time_ns = clock_boot_ns(),
				     .start_ns = p->start_ns,
				     .tgid = p->tgid,
				     .pid = p->pid };
	c->config.tell(c->config.context, &e, sizeof(e));
}

static void on_begin(struct heap_calls *c, const struct event_header *h)
{
	struct called *p = process_find(c, h->tgid);

	if (!p)
		p = process_add(c, h);
	if (!p) {
		const struct called unknown = { .tgid = h->tgid,
						.pid = h->pid,
						.start_ns = h->start_ns };

		called_tell(c, &unknown,
			    (struct heap_calls_event){ .what = CALLS_FAILED, .err = -ENOSPC });
		return;
	}
	p->pid = h->pid;
	p->start_ns = h->start_ns;
	p->fresh = p->wanted = true;
	c->wanted = true;
}

static void on_end(struct heap_calls *c, const struct event_header *h)
{
	struct called *p = process_find(c, h->tgid);

	if (!p || p->start_ns != h->start_ns)
		return;
	p->gone = true;
	c->wanted = true;
}

void heap_calls_record(struct heap_calls *c, const struct event_header *h)
{
	if (c->ended)
		return;
	if (h->type == EV_PROCESS || h->type == EV_EXEC)
		on_begin(c, h);
	else if (h->type == EV_EXIT || h->type == EV_LEAVE ||
		 h->type == EV_HEAP_CALLS) /* its main thread's end */
		on_end(c, h);
}

void heap_calls_sample(struct heap_calls *c, const struct sample_header *h)
{
	const struct process_sample *s = (const struct process_sample *)h;
	struct called *p;

	if (c->ended || h->type != SAMPLE_PROCESS || h->size != sizeof(*s))
		return;
	p = process_find(c, s->tgid);
	if (!p || p->start_ns != s->start_ns || p->exec_pages == s->exec_pages)
		return;
	p->exec_pages = s->exec_pages;
	p->wanted = true;
	c->wanted = true;
}

/* Whether the traps since the last look have cost more than they may. Of one CPU's time: who uses
 * more of them pays less than that. */
static bool is_expensive(struct heap_calls *c, uint64_t now)
{
	uint64_t drops[DROP_MAX], since = now - c->looked_ns, traps;

	if (since < LOOK_NS)
		return false;
	probes_drops(c->config.probes, drops);
	traps = drops[NOTE_CALLS] - c->traps;
	c->looked_ns = now;
	c->traps = drops[NOTE_CALLS];
	return c->config.max_overhead < 1 &&
	       (double)traps * c->trap_ns > c->config.max_overhead * since;
}

/* What is in the ring by now was told while all were there: it is drained before this is told. */
static void brake(struct heap_calls *c)
{
	struct called *p, *next;

	HASH_ITER (hh, c->processes, p, next)
		called_detach(p);
	probes_drain(c->config.probes);
	HASH_ITER (hh, c->processes, p, next)
		if (p->begun)
			called_tell(c, p, (struct heap_calls_event){ .what = CALLS_EXPENSIVE });
	heap_calls_end(c);
}

void heap_calls_pump(struct heap_calls *c)
{
	struct called *p, *next;

	if (c->ended)
		return;
	if (is_expensive(c, clock_boot_ns())) {
		brake(c);
		return;
	}
	if (!c->wanted)
		return;
	c->wanted = false;
	HASH_ITER (hh, c->processes, p, next) {
		if (p->gone) {
			process_free(c, p);
			continue;
		}
		if (p->fresh) { /* of the program before */
			called_detach(p);
			p->begun = false;
			p->fresh = false;
		}
		if (p->wanted)
			called_attach(c, p);
		p->wanted = false;
	}
}
