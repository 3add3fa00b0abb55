/* heap_tokens.c - see heap_private.h: tokens of allocations, their stacks, and locations. */
#include <stdlib.h>
#include <string.h>

#include "collect/heap_private.h"
#include "unwind/unwinder.h"

#define LOOK_AT \
	64 /* of a ring: a signal handler's token may stand before that which it broke into */

static struct live_token *token_at(const struct live_tokens *t, uint32_t i)
{
	return &t->ring[(t->first + i) & (t->room - 1)];
}

static void drop_first(struct live_heap *h, struct live_tokens *t)
{
	h->tokens_dropped += token_at(t, 0)->token != 0;
	t->first = (t->first + 1) & (t->room - 1);
	t->count--;
	h->token_count--;
}

static bool make_room(struct live_heap *h, struct live_tokens *t)
{
	uint32_t room = t->room ? 2 * t->room : 16;
	struct live_token *ring;

	if (h->token_count >= LIVE_TOKENS_MAX && t->count)
		drop_first(h, t);
	if (h->token_count >= LIVE_TOKENS_MAX)
		return false;
	if (t->count < t->room)
		return true;
	ring = calloc(room, sizeof(*ring));
	if (!ring)
		return false;
	for (uint32_t i = 0; i < t->count; i++)
		ring[i] = *token_at(t, i);
	free(t->ring);
	*t = (struct live_tokens){ .ring = ring, .count = t->count, .room = room };
	return true;
}

/* The token of a ring, and those used up before it are forgotten. NULL: it is not known. */
static struct live_token *find(struct live_heap *h, struct live_tokens *t, uint64_t token)
{
	while (t->count && !token_at(t, 0)->token)
		drop_first(h, t);
	for (uint32_t i = 0; i < t->count && i < LOOK_AT; i++)
		if (token_at(t, i)->token == token)
			return token_at(t, i);
	/* records before it were never used (their events are lost): it may stand far behind */
	for (uint32_t i = LOOK_AT; i < t->count; i++) {
		if (token_at(t, i)->token != token)
			continue;
		while (i--)
			drop_first(h, t);
		return token_at(t, 0);
	}
	return NULL;
}

struct live_ring *live_ring(struct live_space *s, uint32_t ring)
{
	struct live_ring *r;

	if (ring >= REGION_RINGS)
		return NULL;
	r = s->rings[ring];
	if (r)
		return r;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->thread = NO_THREAD;
	s->rings[ring] = r;
	return r;
}

void live_rings_free(struct live_heap *h, struct live_space *s)
{
	for (uint32_t i = 0; i < REGION_RINGS; i++) {
		if (!s->rings[i])
			continue;
		h->token_count -= s->rings[i]->tokens.count;
		free(s->rings[i]->tokens.ring);
		free(s->rings[i]);
		s->rings[i] = NULL;
	}
}

static uint32_t stack_number(struct live_heap *h, uint64_t id)
{
	const struct live_stack key = { .id = id };

	if (!id || h->stacks.count >= LIVE_LOCATIONS_MAX)
		return INTERN_NONE;
	return intern_add(&h->stacks, &key);
}

static uint64_t shown_ns(const struct live_heap *h, const struct live_space *s)
{
	return h->o->unwinder ? unwinder_shown_ns(h->o->unwinder, s->tgid) : 0;
}

void live_memos_follow(struct live_heap *h)
{
	for (struct live_space *s = h->spaces; s; s = s->next) {
		uint64_t ns = s->source ? shown_ns(h, s) : 0;

		if (ns <= s->shown_ns)
			continue;
		s->shown_ns = ns;
		regions_epoch(s->source);
	}
}

/* The record may lie in the middle of the ring buffer: its pairs are read with their bound. */
static void answer(struct live_heap *h, struct live_space *s, const struct heap_stack_event *e,
		   uint32_t stack)
{
	const struct heap_pair *pairs = (const struct heap_pair *)(e + 1);
	struct region_answer a = {
		.token = e->token,
		.cfa = e->cfa,
		.caller = e->caller,
		.stack = (uint64_t)stack + 1,
		.count = e->count,
		.roots = e->roots,
	};

	if (e->h.time_ns < shown_ns(h, s)) /* by a table that is out of date */
		return;
	if (!e->count || stack == INTERN_NONE || e->count > REGION_PAIRS || e->roots > e->count ||
	    e->h.size < sizeof(*e) + e->count * sizeof(*pairs))
		return;
	for (uint32_t i = 0; i < e->count; i++) {
		a.pairs[i].address = pairs[i].address;
		a.pairs[i].word = pairs[i].word;
	}
	if (regions_answer(s->source, &a))
		h->answers_full++;
	else
		h->answers++;
}

static uint32_t thread_of(struct live_heap *h, const struct event_header *e, uint32_t tid,
			  const char *name)
{
	const struct thread_key key = { e->start_ns, e->tgid, tid };

	return thread_table_get(&h->threads, &key, e->pid, name);
}

void live_token_add(struct live_heap *h, struct live_space *s, const struct heap_stack_event *e)
{
	uint32_t number = (e->token & ~REGION_TOKEN) >> REGION_TOKEN_RING_SHIFT;
	struct live_ring *r = live_ring(s, number);
	uint32_t stack = stack_number(h, e->stack);

	if (s->gone)
		return;
	if (!r || !(e->token & REGION_TOKEN) || !make_room(h, &r->tokens)) {
		h->tokens_dropped++;
		return;
	}
	r->tokens.count++;
	h->token_count++;
	*token_at(&r->tokens, r->tokens.count - 1) = (struct live_token){
		.token = e->token,
		.stack = stack,
		.thread = thread_of(h, &e->h, e->tid, e->name),
	};
	answer(h, s, e, stack);
}

static uint32_t location_add(struct live_heap *h, struct heap_location_key key)
{
	const struct thread_key others = {};

	if (h->locations.count >= LIVE_LOCATIONS_MAX) {
		key.node = STACKS_OVERFLOW;
		key.thread = thread_table_get(&h->threads, &others, 0, "[others]");
	}
	return key.thread == INTERN_NONE ? INTERN_NONE : intern_add(&h->locations, &key);
}

uint32_t live_location_of(struct live_heap *h, uint64_t stack_id, uint32_t thread,
			  uint32_t allocator)
{
	return location_add(
	    h, (struct heap_location_key){
		   .node = stack_id ? stacks_node(h->o->stacks->tree, stack_id) : STACKS_ROOT,
		   .thread = thread,
		   .allocator = allocator,
	       });
}

static bool is_near(const struct live_near *n, const struct live_near *like)
{
	return n->take == like->take && n->stack == like->stack && n->thread == like->thread &&
	       n->allocator == like->allocator;
}

/* Most events are of a few stacks: a hash table and a tree for each of them would be dear. What is
 * kept is of one take, in which no stack comes to be known. */
static uint32_t location_near(struct live_heap *h, uint32_t stack, uint32_t thread,
			      uint32_t allocator)
{
	struct live_near *n = &h->near[(stack + 31 * thread + 7 * allocator) % LIVE_NEAR];
	struct live_near wanted = { h->takes, stack, thread, allocator, INTERN_NONE };
	const struct live_stack *known;

	if (is_near(n, &wanted))
		return n->location;
	known = stack == INTERN_NONE ? NULL : intern_at(&h->stacks, stack);
	wanted.location = live_location_of(h, known ? known->id : 0, thread, allocator);
	if (wanted.location != INTERN_NONE)
		*n = wanted;
	return wanted.location;
}

static uint32_t unknown_location(struct live_heap *h, struct live_space *s, uint32_t tid,
				 uint32_t thread, uint32_t allocator)
{
	const struct thread_key key = { s->start_ns, s->tgid, tid };

	h->unknown_stacks++;
	if (thread == NO_THREAD)
		thread = thread_table_get(&h->threads, &key, s->pid, "[unknown thread]");
	return location_add(h, (struct heap_location_key){ .node = STACKS_ROOT,
							   .thread = thread,
							   .allocator = allocator,
							   .name = LOCATION_UNKNOWN });
}

/* A ring's events are of the thread of its last token until the next one: a memo is never older
 * than its thread. */
uint32_t live_location(struct live_heap *h, struct live_space *s, uint32_t ring, uint32_t tid,
		       uint64_t stack, uint32_t allocator)
{
	struct live_ring *r = live_ring(s, ring);
	struct live_token *t = r && stack & REGION_TOKEN ? find(h, &r->tokens, stack) : NULL;

	if (t) {
		t->token = 0;
		r->thread = t->thread;
		return location_near(h, t->stack, r->thread, allocator);
	}
	if (r && stack - 1 < h->stacks.count && r->thread != NO_THREAD)
		return location_near(h, (uint32_t)(stack - 1), r->thread, allocator);
	return unknown_location(h, s, tid, r ? r->thread : NO_THREAD, allocator);
}

void live_check(struct live_heap *h, struct live_space *s, const struct told *told)
{
	struct live_ring *r = live_ring(s, told->ring);
	struct live_token *t = r ? find(h, &r->tokens, told->words[0]) : NULL;

	h->checks++;
	h->checks_wrong += !t || (uint64_t)t->stack + 1 != told->words[1];
}
