/* tell.c - what an allocation, a free, a mapping is told by: the rings (exact) or a site (sampled).
 */
#include "preload/shim/memo.h"
#include "preload/shim/ring.h"

uint64_t tell_wanted_slow(size_t bytes)
{
	if (!wiped.mode) {
		start();
		if (wiped.mode == REGION_EXACT && !shim.thin)
			return 1;
	}
	if (wiped.mode == REGION_SAMPLED || wiped.mode == REGION_EXACT)
		return sample_due(&self, bytes);
	if (wiped.mode == REGION_OFF)
		self.left = UINT64_MAX;
	return 0;
}

/* The observer, or a dlopen of this process, has changed region->control. */
COLD static void control_changed(struct thread *t, uint64_t control)
{
	t->control = control;
	if (control & REGION_CONTROL_OFF)
		turn_off();
	if (control & REGION_CONTROL_THIN)
		__atomic_store_n(&shim.thin, 1, __ATOMIC_RELAXED);
	if (!t->memo)
		return;
	memo_drop(t->memo);
	t->first_sequence = t->writer.ring->next_sequence;
}

/* A stack that is not known, or (@known) whose memo is to be proved. */
COLD static uint64_t ask(struct thread *t, struct writer *w, struct site at, uint64_t known)
{
	struct region_ring *ring = w->ring;
	uint64_t token;

	if (w == &t->writer && t->memo &&
	    memo_take(t->memo, ring, t->first_sequence, &shim.region->refused_answers) && !known) {
		known = memo_find(t->memo, at);
		if (known && !(shim.flags & REGION_ORACLE)) {
			ring->hits++;
			return known;
		}
	}
	token = REGION_TOKEN | (uint64_t)w->number << REGION_TOKEN_RING_SHIFT |
		(ring->next_sequence++ & REGION_TOKEN_SEQUENCE);
	ring->traps++;
	if (!wiped.mode) /* a fork by a signal handler, just now */
		mend_sites();
	taskdiag_stack(token, at.cfa, at.caller);
	if (shim.flags & REGION_TELL_ASKS)
		writer_put(w, REGION_ASK, token, at.cfa, at.caller);
	if (known)
		writer_put(w, REGION_CHECK, token, known, 0);
	return token;
}

/* @p: with what stands in the top bits of its word beside the allocator. */
static inline __attribute__((always_inline)) void tell_exact(enum region_kind kind, uint64_t p,
							     size_t bytes, enum region_allocator by,
							     struct site at)
{
	uint64_t control = __atomic_load_n(&shim.region->control, __ATOMIC_RELAXED), stack = 0;
	struct thread *t = &self;
	struct writer borrowed, *w;

	if (!writer_open(t, &borrowed, &w))
		return;
	if (unlikely(control != t->control) && w == &t->writer)
		control_changed(t, control);
	if (likely(w == &t->writer && t->memo))
		stack = memo_find(t->memo, at);
	if (unlikely(!stack || shim.flags & REGION_ORACLE))
		stack = ask(t, w, at, stack);
	else
		w->ring->hits++;
	writer_put(w, kind, p | (uint64_t)by << 56, bytes, stack);
	writer_close(w, &borrowed);
}

void tell_alloc(void *p, size_t bytes, enum region_allocator by, struct site at, uint64_t wanted)
{
	if (likely(wiped.mode == REGION_EXACT))
		tell_exact(REGION_ALLOC, (uint64_t)p | (wanted > 1 ? REGION_SAMPLE : 0), bytes, by,
			   at);
	else if (wiped.mode == REGION_SAMPLED)
		sample_alloc(p, bytes, by, at, wanted);
}

static inline void put(enum region_kind kind, uint64_t a, uint64_t b)
{
	struct writer borrowed, *w;

	if (!writer_open(&self, &borrowed, &w))
		return;
	writer_put(w, kind, a, b, 0);
	writer_close(w, &borrowed);
}

/* Right after a fork: make the child's region before its first free is told. */
static inline uint32_t mode_now(void)
{
	if (unlikely(!wiped.mode))
		start();
	return wiped.mode;
}

bool tell_free(void *p, bool tentative)
{
	uint32_t mode = mode_now();

	if (likely(mode == REGION_EXACT)) {
		put(REGION_FREE, (uint64_t)p | (tentative ? REGION_TENTATIVE : 0), 0);
		return true;
	}
	return mode == REGION_SAMPLED && sample_free(p);
}

void tell_block_undo(void *p)
{
	if (wiped.mode == REGION_EXACT)
		put(REGION_UNDO, (uint64_t)p, 0);
	else if (wiped.mode == REGION_SAMPLED)
		sample_undo(p);
}

bool tells_ranges(uint64_t caller)
{
	uint32_t mode = wiped.mode;

	if (mode == REGION_OFF || self.resolving || next_contains(caller))
		return false;
	mode = mode_now();
	return mode == REGION_EXACT || mode == REGION_SAMPLED;
}

void tell_map(void *p, size_t bytes, enum region_allocator by, struct site at)
{
	if (wiped.mode == REGION_EXACT)
		tell_exact(REGION_MAP, (uint64_t)p, bytes, by, at);
	else if (wiped.mode == REGION_SAMPLED)
		taskdiag_alloc(p, bytes, stamp(), by, at.cfa, at.caller);
}

void tell_unmap(void *p, size_t bytes)
{
	if (wiped.mode == REGION_EXACT)
		put(REGION_UNMAP, (uint64_t)p | REGION_TENTATIVE, bytes);
	else if (wiped.mode == REGION_SAMPLED)
		taskdiag_free(p, bytes, stamp());
}

void tell_map_undo(void *p)
{
	if (wiped.mode == REGION_EXACT)
		put(REGION_UNDO, (uint64_t)p, 0);
	else if (wiped.mode == REGION_SAMPLED)
		taskdiag_free(p, REGION_FREE_UNDO, stamp());
}
