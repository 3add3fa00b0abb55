/* heap_apply.c - see heap_private.h: events of rings and of samples → the sums. */
#include <errno.h>

#include "collect/heap_private.h"

#define PAGE 4096ULL

static uint64_t page_up(uint64_t bytes)
{
	return bytes > REGION_ADDRESS ? bytes : (bytes + PAGE - 1) & -PAGE;
}

static uint32_t allocator_of(uint64_t by)
{
	return by < REGION_BY_MMAP ? (uint32_t)by : ALLOCATOR_MMAP;
}

typedef void change_fn(struct heap *h, uint32_t number, const struct live_change *c);

static void alloc(struct heap *h, uint32_t number, const struct live_change *c)
{
	heap_alloc(h, number, c->address, c->bytes, c->location, c->thread, c->time_ns);
}

static void release(struct heap *h, uint32_t number, const struct live_change *c)
{
	heap_free_block(h, number, c->address, c->thread, c->time_ns);
}

static void map(struct heap *h, uint32_t number, const struct live_change *c)
{
	heap_map(h, number, c->address, c->bytes, c->location, c->thread, c->time_ns);
}

static void unmap(struct heap *h, uint32_t number, const struct live_change *c)
{
	heap_free_range(h, number, c->address, c->bytes, c->thread, c->time_ns);
}

static change_fn *const changes[REGION_KINDS] = {
	[REGION_ALLOC] = alloc,
	[REGION_FREE] = release,
	[REGION_MAP] = map,
	[REGION_UNMAP] = unmap,
};

void live_change_copy(struct live_heap *h, uint32_t number, const struct live_change *c)
{
	changes[c->kind](h->heap, number, c);
}

static bool is_free(uint32_t kind)
{
	return kind == REGION_FREE || kind == REGION_UNMAP;
}

/* What a copy gets for an undo: the pieces of the free before it, as allocations. */
static void log_undo(struct live_heap *h, struct live_space *s, struct live_change c,
		     const struct heap_taken *t)
{
	for (uint32_t i = 0; s->log && i < t->count; i++) {
		const struct heap_piece *p = &t->pieces[i];

		c.kind = t->range ? REGION_MAP : REGION_ALLOC;
		c.address = p->start;
		c.bytes = t->range ? p->end - p->start : p->made_bytes;
		c.location = p->location;
		c.thread = p->thread;
		live_log_add(h, s, &c);
	}
}

/* Several threads write to it in turn. */
static bool is_borrowed(uint32_t ring)
{
	return ring >= REGION_RINGS - REGION_BORROWED;
}

static void undo(struct live_heap *h, struct live_space *s, struct live_ring *r,
		 const struct live_change *c)
{
	struct heap_taken taken = { 0 };

	if (is_borrowed(c->ring)) {
		if (!live_tentative_take(s, c->address, &taken) && !h->thin_ns)
			h->undos_unknown++;
	} else if (r) {
		taken = r->taken;
		r->taken = (struct heap_taken){ 0 };
	}
	log_undo(h, s, *c, &taken);
	heap_undo(h->heap, &taken, c->time_ns);
}

/* What an undo of a ring of its own would give back. A free that none may follow is not kept. */
static void note_taken(struct live_heap *h, struct live_ring *r, const struct live_change *c)
{
	if (c->kind == REGION_UNMAP || (c->kind == REGION_FREE && c->tentative)) {
		r->taken = *heap_taken(h->heap);
		return;
	}
	r->taken.range = r->taken.more = false;
	r->taken.count = 0;
	r->taken.bytes = 0;
}

/* @r: of the ring, or of the thread where it is sampled; NULL: no memory. */
static void apply(struct live_heap *h, struct live_space *s, struct live_ring *r,
		  struct live_change *c, bool moved)
{
	if (c->kind == REGION_UNDO) {
		undo(h, s, r, c);
		return;
	}
	if (moved && is_borrowed(c->ring))
		h->moves_unknown++; /* which unmap is before it cannot be told */
	if (moved && (is_borrowed(c->ring) || !r || !r->taken.range || !r->taken.bytes))
		return; /* mremap of what nobody has told: a file, or the allocator's own */
	if (!is_free(c->kind) && c->location == INTERN_NONE) {
		h->failed++;
		return;
	}
	if (s->log)
		live_log_add(h, s, c);
	live_change_copy(h, s->number, c);
	live_curve_see(&h->curve, c->time_ns, heap_live_bytes(h->heap), 0);
	if (c->kind == REGION_ALLOC && s->tentative) /* it is free again: no undo follows */
		live_tentative_take(s, c->address, &(struct heap_taken){ 0 });
	if (c->tentative && is_borrowed(c->ring))
		live_tentative_add(h, s, c->address);
	else if (r)
		note_taken(h, r, c);
}

static bool is_change(uint32_t kind)
{
	return kind == REGION_UNDO || (kind < REGION_KINDS && changes[kind]);
}

void live_told(void *context, struct source *source, const struct told *t)
{
	struct live_space *s = source->context;
	struct live_heap *h = context;
	struct live_ring *r = live_ring(s, t->ring);
	struct live_change c = {
		.address = t->words[0] & REGION_ADDRESS,
		.time_ns = regions_time_of(source, t->stamp),
		.head = t->head,
		.kind = t->kind,
		.ring = t->ring,
		.tentative = is_free(t->kind) && t->words[0] & REGION_TENTATIVE,
		.location = INTERN_NONE,
		.thread = NO_THREAD,
	};
	uint64_t by = REGION_ALLOCATOR(t->words[0]);

	if (t->kind == REGION_CHECK)
		live_check(h, s, t);
	if (!is_change(t->kind))
		return;
	if (t->soon)
		heap_soon(h->heap, s->number, t->soon & REGION_ADDRESS);
	if (h->next_ns < c.time_ns)
		live_spaces_until(h, c.time_ns);
	if (s->fork)
		live_fork_count(h, s, c.time_ns);
	if (s->gone) {
		h->late_after_end++;
		return;
	}
	if (h->thin_ns &&
	    heap_sampled(h->heap, t->kind == REGION_ALLOC && t->words[0] & REGION_SAMPLE
				      ? THIN_GAP_BYTES
				      : 0))
		h->failed++;
	if (t->kind == REGION_ALLOC || t->kind == REGION_MAP)
		c.location = live_location(h, s, t->ring, t->tid, t->words[2], allocator_of(by));
	c.bytes = t->kind == REGION_ALLOC ? t->words[1] : page_up(t->words[1]);
	c.thread = r && !is_borrowed(t->ring) ? r->thread : NO_THREAD;
	apply(h, s, r, &c, t->kind == REGION_MAP && by == REGION_BY_MREMAP);
}

static uint32_t sampled_kind(const struct heap_block_event *e)
{
	if (e->h.type == EV_HEAP_ALLOC)
		return e->allocator >= REGION_BY_MMAP ? REGION_MAP : REGION_ALLOC;
	if (e->bytes == REGION_FREE_UNDO)
		return REGION_UNDO;
	return e->bytes ? REGION_UNMAP : REGION_FREE;
}

/* Threads share slots: an undo needs that of its own. */
static struct live_ring *slot_of(struct live_space *s, uint32_t tid)
{
	struct live_ring *r = live_ring(s, tid % REGION_RINGS);

	if (r && r->tid != tid) {
		r->taken = (struct heap_taken){ 0 };
		r->tid = tid;
	}
	return r;
}

void live_sampled(struct live_heap *h, struct live_space *s, const struct heap_block_event *e)
{
	const struct thread_key key = { e->h.start_ns, e->h.tgid, e->tid };
	struct live_change c = {
		.address = e->address & REGION_ADDRESS,
		.kind = sampled_kind(e),
		.tentative = true, /* any may be undone */
		.bytes = e->allocator >= REGION_BY_MMAP || e->h.type == EV_HEAP_FREE
			     ? page_up(e->bytes)
			     : e->bytes,
		.time_ns = e->h.time_ns,
		.location = INTERN_NONE,
		.thread = thread_table_get(&h->threads, &key, e->h.pid, e->name),
	};
	bool moved = c.kind == REGION_MAP && e->allocator == REGION_BY_MREMAP;
	uint64_t gap;

	if (s->fork)
		live_fork_count(h, s, c.time_ns);
	if (e->h.type == EV_HEAP_ALLOC) {
		c.location = live_location_of(h, e->stack, c.thread, allocator_of(e->allocator));
		h->unknown_stacks += !e->stack;
		gap = e->gap & HEAP_WEIGHTED
			  ? heap_weights_gap(&h->calls.weights, e->bytes, e->gap & ~HEAP_WEIGHTED)
			  : e->gap;
		if (gap > h->gap_bytes)
			h->gap_bytes = gap;
		if (heap_sampled(h->heap, gap))
			h->failed++;
	}
	apply(h, s, slot_of(s, e->tid), &c, moved);
}
