/* ring.h - one event into the ring of a thread, or into a borrowed one.
 *
 *	writer_open ─► writer_put … ─► writer_close
 *
 * Between the first and the last a signal handler of this thread that allocates borrows a ring.
 */
#ifndef TASKDIAG_PRELOAD_RING_H
#define TASKDIAG_PRELOAD_RING_H

#include "preload/shim/preload.h"

bool writer_open_slow(struct thread *t, struct writer *borrowed, struct writer **ret);
void writer_return(struct writer *w);
bool writer_look(struct writer *w, uint64_t head, uint64_t need);

/* The pair around everything that touches the thread's ring or memo. */
static inline bool writer_open(struct thread *t, struct writer *borrowed, struct writer **ret)
{
	t->busy++;
	compiler_barrier();
	if (unlikely(t->busy > 1 || !t->writer.ring))
		return writer_open_slow(t, borrowed, ret);
	*ret = &t->writer;
	return true;
}

static inline void writer_close(struct writer *w, struct writer *borrowed)
{
	compiler_barrier();
	if (unlikely(w == borrowed))
		writer_return(w);
	self.busy--;
}

static inline __attribute__((always_inline)) void
writer_put(struct writer *w, enum region_kind kind, uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t head = heads[w->number].words, words = region_event_words[kind], mask = w->mask,
		 now;
	struct region_ring *ring = w->ring;

	__atomic_store_n(&ring->offered, ring->offered + 1, __ATOMIC_RELAXED);
	if (unlikely(head + words > w->check) && !writer_look(w, head, words)) {
		__atomic_store_n(&ring->lost, ring->lost + 1, __ATOMIC_RELAXED);
		return;
	}
	__atomic_store_n(&ring->busy_since, w->last, __ATOMIC_RELAXED);
	compiler_barrier();
	now = stamp();
	if (unlikely(now < w->last)) /* without a fence one may overtake another */
		now = w->last;
	w->events[head & mask] = now << 3 | kind;
	w->events[(head + 1) & mask] = a;
	if (words > 2)
		w->events[(head + 2) & mask] = b;
	if (words > 3)
		w->events[(head + 3) & mask] = c;
	__atomic_store_n(&ring->head, head + words, __ATOMIC_RELEASE);
	heads[w->number].words = head + words;
	__atomic_store_n(&ring->busy_since, 0, __ATOMIC_RELEASE);
	w->last = now;
}

#endif
