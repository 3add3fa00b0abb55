/* heap_spaces.c - see heap_private.h: processes, their address spaces, and the ends of both. */
#include <stdlib.h>
#include <string.h>

#include "collect/heap_private.h"
#include "lib/cleanup.h"

/* Marks after which an end is carried out though its source has not told all: a thread was stopped
 * in the middle of an event, or the shim's own counts are wrong. At 50 ms each: 3 s. */
#define PATIENCE_MARKS 64
#define LATER_NS 10000

struct live_process *live_process_of(struct live_heap *h, uint32_t tgid)
{
	struct live_process *p;

	HASH_FIND(hh, h->processes, &tgid, sizeof(tgid), p);
	return p;
}

struct live_process *live_process(struct live_heap *h, const struct event_header *e, bool make)
{
	struct live_process *p = live_process_of(h, e->tgid);

	if (p && p->start_ns == e->start_ns)
		return p;
	if (!make || HASH_COUNT(h->processes) >= LIVE_PROCESSES_MAX)
		return NULL;
	if (p) { /* its number was given anew: its exit was lost */
		live_process_end(h, p, e->start_ns, true);
		live_process_free(h, p);
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->start_ns = e->start_ns;
	p->tgid = e->tgid;
	p->pid = e->pid;
	HASH_ADD(hh, h->processes, tgid, sizeof(p->tgid), p);
	if (p->hh.tbl)
		return p;
	free(p);
	return NULL;
}

static void note_shimless(struct live_heap *h, const struct live_process *p)
{
	if (!p->executed || p->greeted || live_called(h))
		return;
	if (h->without_shim < LIVE_NAMES)
		memcpy(h->without_names[h->without_shim], p->name, sizeof(p->name));
	h->without_shim++;
}

void live_process_free(struct live_heap *h, struct live_process *p)
{
	note_shimless(h, p);
	live_fork_drop(h, take_ptr(p->fork));
	HASH_DEL(h->processes, p);
	free(p);
}

struct live_space *live_space_of(struct live_heap *h, const struct live_process *p)
{
	struct source *parent;

	if (!p || p->space || !p->fork)
		return p ? p->space : NULL;
	parent = regions_find(h->regions, p->fork->parent_id);
	return parent ? parent->context : NULL;
}

static uint64_t due(const struct live_space *s)
{
	if (s->gone || s->fork) /* a fork begins with its first event, see live_told() */
		return UINT64_MAX;
	return s->at_ns ? s->at_ns : UINT64_MAX;
}

static struct live_space *first_due(struct live_heap *h)
{
	struct live_space *first = NULL;

	h->next_ns = UINT64_MAX;
	for (struct live_space *s = h->spaces; s; s = s->next) {
		if (due(s) >= h->next_ns)
			continue;
		first = s;
		h->next_ns = due(s);
	}
	return first;
}

static void space_ends(struct live_heap *h, struct live_space *s)
{
	if (s->leaks)
		heap_leave(h->heap, s->number, s->at_ns);
	else
		heap_drop(h->heap, s->number, s->at_ns);
	if (s->log)
		s->log->space = NULL;
	s->log = NULL;
	s->gone = true;
}

static void carry_out(struct live_heap *h, struct live_space *s)
{
	space_ends(h, s);
	first_due(h);
}

static bool is_read(const struct live_space *s)
{
	struct source_counts c;

	if (!s->source)
		return true;
	regions_counts(s->source, &c);
	return c.malformed || c.offered == c.read + c.lost + c.cut;
}

/* Samples, and what uprobes tell, come in the order of the records. */
static bool records_are_all(const struct live_heap *h)
{
	return h->o->sample_bytes || live_called(h);
}

/* Times of stamps are good to some microseconds, to more where the observer was interrupted between
 * the looks at both clocks: no space ends before its last event. */
static bool ends_later(const struct live_heap *h, const struct live_space *s)
{
	return !records_are_all(h) && s->marks < PATIENCE_MARKS && !is_read(s);
}

void live_spaces_until(struct live_heap *h, uint64_t time_ns)
{
	while (h->next_ns < time_ns) {
		struct live_space *s = first_due(h);

		if (s && ends_later(h, s)) {
			s->at_ns = time_ns + LATER_NS;
			first_due(h);
		} else if (s) {
			carry_out(h, s);
		}
	}
}

void live_process_end(struct live_heap *h, struct live_process *p, uint64_t time_ns, bool leaks)
{
	struct live_space *s = take_ptr(p->space);

	live_fork_drop(h, take_ptr(p->fork));
	if (!s)
		return;
	if (s->source)
		regions_gone(s->source);
	s->at_ns = time_ns;
	s->leaks = leaks;
	s->marks = 0;
	first_due(h);
	if (records_are_all(h))
		live_spaces_until(h, time_ns + 1);
	if (!s->source)
		live_space_free(h, s);
}

void live_space_add(struct live_heap *h, struct live_process *p, struct source *source,
		    const struct event_header *e)
{
	struct live_space *s = calloc(1, sizeof(*s));
	struct live_fork *fork = take_ptr(p->fork);

	if (!s) {
		regions_turn_off(source);
		regions_remove(h->regions, source);
		live_fork_drop(h, fork);
		h->failed++;
		return;
	}
	if (source->reason != REGION_FORK)
		live_fork_drop(h, take_ptr(fork));
	live_process_end(h, p, e->time_ns, false);
	if (source->reason == REGION_FORK && !fork)
		fork = live_fork_late(h, source);
	*s = (struct live_space){
		.number = fork ? fork->number : ++h->space_numbers,
		.source = source,
		.start_ns = e->start_ns,
		.tgid = e->tgid,
		.pid = e->pid,
		.fork = fork,
		.born_ns = e->time_ns,
		.next = h->spaces,
	};
	source->context = s;
	h->spaces = s;
	h->spaces_seen++;
	p->space = s;
	first_due(h);
	if (records_are_all(h))
		live_spaces_until(h, e->time_ns + 1);
}

struct live_space *live_space_called(struct live_heap *h, struct live_process *p,
				     const struct event_header *e)
{
	struct live_space *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	live_process_end(h, p, e->time_ns, false);
	*s = (struct live_space){
		.number = ++h->space_numbers,
		.start_ns = e->start_ns,
		.tgid = e->tgid,
		.pid = e->pid,
		.born_ns = e->time_ns,
		.next = h->spaces,
	};
	h->spaces = s;
	h->spaces_seen++;
	p->space = s;
	return s;
}

static uint64_t add_up(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static struct source_counts counts_add(struct source_counts sum, const struct source_counts *more)
{
	uint64_t *to = (uint64_t *)&sum;
	const uint64_t *from = (const uint64_t *)more;

	/* figures of a task may be anything: a sum stops at the top */
	for (size_t i = 0; i < sizeof(sum) / sizeof(*to); i++)
		to[i] = add_up(to[i], from[i]);
	return sum;
}
_Static_assert(sizeof(struct source_counts) % sizeof(uint64_t) == 0, "all are numbers of 64 bits");

struct source_counts live_counts(const struct live_heap *h)
{
	struct source_counts sum = h->sums, one;

	for (const struct live_space *s = h->spaces; s; s = s->next) {
		if (!s->source)
			continue;
		regions_counts(s->source, &one);
		sum = counts_add(sum, &one);
	}
	return sum;
}

static void source_end(struct live_heap *h, struct source *source)
{
	struct source_counts c;
	uint64_t known;

	regions_counts(source, &c);
	h->sums = counts_add(h->sums, &c);
	known = add_up(add_up(c.read, c.lost), c.cut);
	h->residual =
	    add_up(h->residual, c.offered > known ? c.offered - known : known - c.offered);
	regions_remove(h->regions, source);
}

void live_space_free(struct live_heap *h, struct live_space *s)
{
	struct live_space **at = &h->spaces;
	struct live_process *p = live_process_of(h, s->tgid);

	if (s->source)
		source_end(h, s->source);
	live_fork_drop(h, s->fork);
	if (s->log)
		s->log->space = NULL;
	if (p && p->space == s)
		p->space = NULL;
	live_rings_free(h, s);
	live_tentative_clear(s);
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	free(s);
}

void live_spaces_marked(struct live_heap *h)
{
	for (struct live_space *s = h->spaces; s; s = s->next)
		s->marks++;
}

/* Two marks: the first may have come before the record, and what it noted may be above the
 * horizon. */
static bool is_settled(const struct live_space *s)
{
	if (s->marks >= PATIENCE_MARKS)
		return true;
	return s->marks >= 2 && is_read(s);
}

/* All that its parent has told before the fork is known. */
static bool fork_is_settled(const struct live_heap *h, const struct live_space *s)
{
	const struct source *parent = regions_find(h->regions, s->source->parent_id);

	return s->marks >= PATIENCE_MARKS ||
	       (s->marks >= 2 && (!parent || regions_read_to(parent, s->source->parent_heads)));
}

void live_spaces_settle(struct live_heap *h, bool all)
{
	struct live_space *s, *next;

	for (s = h->spaces; s; s = s->next)
		if (s->fork && (all || fork_is_settled(h, s)))
			live_fork_count(h, s, s->born_ns);
	while ((s = first_due(h)) && (all || is_settled(s)))
		carry_out(h, s);
	for (s = h->spaces; s; s = next) {
		next = s->next;
		if (s->gone && (all || is_settled(s)))
			live_space_free(h, s);
	}
}
