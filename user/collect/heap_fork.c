/* heap_fork.c - see heap_private.h: what a forked process has.
 *
 * The record of a fork comes before the child runs: what its parent's heap is then, without events
 * that are not read yet, is copied. Which of these came before the fork the child's region tells
 * (parent_heads), much later or never: they are logged until then.
 */
#include <errno.h>
#include <stdlib.h>

#include "collect/heap_private.h"
#include "lib/cleanup.h"

#define CHANGE_WORDS (sizeof(struct live_change) / 8)

static void log_release(struct live_heap *h, struct live_log *log)
{
	if (!log || --log->users)
		return;
	if (log->space)
		log->space->log = NULL;
	h->log_count -= log->room;
	free(log->changes);
	free(log);
}

static struct live_log *log_of(struct live_space *s)
{
	if (!s->log) {
		s->log = calloc(1, sizeof(*s->log));
		if (!s->log)
			return NULL;
		s->log->space = s;
	}
	s->log->users++;
	return s->log;
}

static bool log_grow(struct live_heap *h, struct live_log *log)
{
	size_t more = log->room ? log->room : 64;
	struct live_change *changes;

	if ((h->log_count + more) * CHANGE_WORDS > LIVE_LOG_WORDS)
		return false;
	changes = reallocarray(log->changes, log->room + more, sizeof(*changes));
	if (!changes)
		return false;
	log->changes = changes;
	log->room += more;
	h->log_count += more;
	return true;
}

void live_log_add(struct live_heap *h, struct live_space *s, const struct live_change *c)
{
	struct live_log *log = s->log;

	if (!log || log->cut)
		return;
	if (log->count == log->room && !log_grow(h, log)) {
		log->cut = true;
		return;
	}
	log->changes[log->count++] = *c;
}

static void copy_make(struct live_heap *h, struct live_fork *f)
{
	if (!f->copy_of)
		return;
	if (heap_fork_quiet(h->heap, f->copy_of, f->number))
		f->inexact = true;
	f->copy_of = 0;
	h->copies_wanted--;
}

static struct live_fork *fork_new(struct live_heap *h, uint64_t parent_id, uint32_t copy_of)
{
	struct live_fork *f = calloc(1, sizeof(*f));

	if (!f) {
		h->failed++;
		return NULL;
	}
	f->parent_id = parent_id;
	f->copy_of = copy_of;
	f->number = ++h->space_numbers;
	h->copies_wanted++;
	return f;
}

/* A child of a child that has no region yet has what that one has. */
static struct live_fork *fork_of_fork(struct live_heap *h, const struct live_fork *from)
{
	struct live_fork *f =
	    fork_new(h, from->parent_id, from->copy_of ? from->copy_of : from->number);

	if (!f)
		return NULL;
	f->log = from->log;
	if (f->log)
		f->log->users++;
	f->from = from->from;
	f->inexact = from->inexact;
	if (!from->copy_of)
		copy_make(h, f); /* before it goes */
	return f;
}

static struct live_fork *fork_of_space(struct live_heap *h, struct live_space *s)
{
	struct live_fork *f = fork_new(h, s->source->id, s->number);

	if (!f)
		return NULL;
	if (h->o->sample_bytes) {
		copy_make(h, f); /* samples come in the order of the records */
		return f;
	}
	f->log = log_of(s);
	f->from = f->log ? f->log->count : 0;
	return f;
}

void live_fork_begin(struct live_heap *h, struct live_process *child, struct live_process *parent)
{
	struct live_space *s = parent->space;

	if (s)
		child->fork = fork_of_space(h, s);
	else if (parent->fork)
		child->fork = fork_of_fork(h, parent->fork);
}

struct live_fork *live_fork_late(struct live_heap *h, const struct source *child)
{
	const struct source *parent = regions_find(h->regions, child->parent_id);
	const struct live_space *s = parent ? parent->context : NULL;
	struct live_fork *f = fork_new(h, child->parent_id, s ? s->number : 0);

	if (!f)
		return NULL;
	f->inexact = true;
	if (s)
		copy_make(h, f);
	else
		h->copies_wanted--;
	return f;
}

static struct live_fork *older(struct live_fork *a, struct live_fork *b)
{
	if (!b || !b->copy_of)
		return a;
	return !a || b->number < a->number ? b : a;
}

/* What a child copies may itself be a copy that is to be made: the older first. */
void live_forks_copy(struct live_heap *h)
{
	struct live_process *p, *next;
	struct live_fork *first;

	while (h->copies_wanted) {
		first = NULL;
		HASH_ITER (hh, h->processes, p, next)
			first = older(first, p->fork);
		for (struct live_space *s = h->spaces; s; s = s->next)
			first = older(first, s->fork);
		if (!first)
			return;
		copy_make(h, first);
	}
}

static void fork_free(struct live_heap *h, struct live_fork *f)
{
	h->copies_wanted -= f->copy_of != 0;
	log_release(h, f->log);
	free(f);
}

void live_fork_drop(struct live_heap *h, struct live_fork *f)
{
	if (!f)
		return;
	heap_drop(h->heap, f->number, 0); /* quiet: in no sum */
	h->forks_dropped++;
	fork_free(h, f);
}

void live_fork_count(struct live_heap *h, struct live_space *s, uint64_t time_ns)
{
	struct live_fork *f = take_ptr(s->fork);
	const struct live_log *log = f->log;

	copy_make(h, f);
	for (size_t i = f->from; log && i < log->count; i++) {
		struct live_change c = log->changes[i];

		if (c.head > s->source->parent_heads[c.ring])
			continue;
		live_change_copy(h, f->number, &c);
		c.head = 0; /* a child that it has forked since has it, too */
		live_log_add(h, s, &c);
	}
	if (heap_fork_count(h->heap, f->number, time_ns))
		f->inexact = true;
	if (f->parent_id != s->source->parent_id || (!h->o->sample_bytes && (!log || log->cut)))
		f->inexact = true;
	h->forks++;
	h->forks_inexact += f->inexact;
	fork_free(h, f);
}
