/* ring.c - events into the rings: a ring of its own for each thread, a borrowed one for a moment
 * where that cannot be. */
#include <pthread.h>

#include "preload/shim/memo.h"
#include "preload/shim/ring.h"
#include "preload/shim/syscalls.h"

#define OWN_RINGS (REGION_RINGS - REGION_BORROWED)
#define EVENTS_A_TRY 256 /* a thread without a ring looks for one every so many events */
#define BORROW_ROUNDS 1000
#define SLICE_US 50
#define LOSSES_A_LOOK 1024
#define SPINS_A_SLICE 1000

struct own_head heads[REGION_RINGS] __attribute__((aligned(64)));
int end_key = -1;
static uint32_t next_ring;

static struct region_ring *ring_at(uint32_t number)
{
	const struct region *r = shim.region;

	return (struct region_ring *)((char *)r + r->ring_offset + number * r->ring_stride);
}

static uint32_t own_tid(struct thread *t)
{
	if (!t->tid)
		t->tid = shim.no_syscalls ? 1 : (uint32_t)syscall3(SYS_gettid, 0, 0, 0);
	return t->tid;
}

static bool take_ring(struct thread *t, uint32_t number, struct writer *w)
{
	struct region_ring *ring = ring_at(number);
	uint32_t nobody = 0;

	if (__atomic_load_n(&ring->owner, __ATOMIC_RELAXED) ||
	    !__atomic_compare_exchange_n(&ring->owner, &nobody, own_tid(t), false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return false;
	ring->claims++;
	*w = (struct writer){
		.ring = ring,
		.events = (uint64_t *)((char *)ring + REGION_EVENTS_OFFSET),
		.mask = shim.region->ring_bytes / 8 - 1,
		.number = number,
		.check = heads[number].words, /* look at once */
		.last = stamp(),
	};
	return true;
}

void writer_return(struct writer *w)
{
	__atomic_store_n(&w->ring->owner, 0, __ATOMIC_RELEASE);
	w->ring = NULL;
}

static void get_own_ring(struct thread *t)
{
	uint32_t first = __atomic_fetch_add(&next_ring, 1, __ATOMIC_RELAXED);

	for (uint32_t i = 0; i < OWN_RINGS; i++) {
		if (!take_ring(t, (first + i) % OWN_RINGS, &t->writer))
			continue;
		t->first_sequence = t->writer.ring->next_sequence;
		t->memo = memo_of(t->writer.number);
		if (!t->keyed && end_key >= 0) {
			t->keyed = true;
			pthread_setspecific((pthread_key_t)end_key,
					    t); /* may allocate: we are busy */
		}
		return;
	}
}

/* All are with threads that wait for room themselves, or for their stack. Not in a signal handler:
 * the one that it broke into may have one. */
static bool wait_for_ring(uint64_t *until)
{
	if (shim.no_syscalls)
		return false;
	if (!*until)
		*until = monotonic_us() + shim.full_wait_us;
	sleep_on(&shim.last_mode, shim.last_mode, SLICE_US);
	return monotonic_us() < *until;
}

static bool borrow_ring(struct thread *t, bool nested, struct writer *borrowed)
{
	uint64_t until = 0;

	for (uint32_t round = 1;; round++) {
		for (uint32_t i = 0; i < REGION_BORROWED; i++)
			if (take_ring(t, OWN_RINGS + (own_tid(t) + i) % REGION_BORROWED, borrowed))
				return true;
		if (round < BORROW_ROUNDS)
			__builtin_ia32_pause();
		else if (nested || round > BORROW_ROUNDS + shim.full_wait_us / SLICE_US ||
			 !wait_for_ring(&until))
			return false;
	}
}

COLD bool writer_open_slow(struct thread *t, struct writer *borrowed, struct writer **ret)
{
	bool nested = t->busy > 1;

	if (!nested && !t->ended && !t->writer.ring && t->borrowed++ % EVENTS_A_TRY == 0)
		get_own_ring(t);
	if (!nested && t->writer.ring) {
		*ret = &t->writer;
		return true;
	}
	if (nested)
		count(&shim.region->nested);
	if (!borrow_ring(t, nested, borrowed)) {
		count(&shim.region->lost_no_ring);
		t->busy--;
		return false;
	}
	*ret = borrowed;
	return true;
}

static void pass_time(struct region_ring *ring, uint64_t tail)
{
	if (shim.no_syscalls)
		for (int i = 0; i < SPINS_A_SLICE; i++)
			__builtin_ia32_pause();
	else
		sleep_on((uint32_t *)&ring->tail, (uint32_t)tail, SLICE_US);
}

static void off_without_observer(void)
{
	if (!observer_there())
		turn_off();
}

/* Until @need words fit. False: the observer is late, or gone. */
static bool wait_for_room(struct writer *w, uint64_t head, uint64_t need)
{
	uint64_t until = 0, capacity = w->mask + 1;

	if (w->starved == w->tail + 1) {
		if (w->ring->lost % LOSSES_A_LOOK == 0)
			off_without_observer();
		return false;
	}
	/* by rounds too: a sandbox may refuse the time */
	for (uint32_t round = 0; head + need - w->tail > capacity; round++) {
		if (round > shim.full_wait_us / SLICE_US ||
		    (!shim.no_syscalls && until && monotonic_us() > until)) {
			w->starved = w->tail + 1;
			off_without_observer();
			return false;
		}
		if (!until && !shim.no_syscalls)
			until = monotonic_us() + shim.full_wait_us;
		pass_time(w->ring, w->tail);
		w->tail = __atomic_load_n(&w->ring->tail, __ATOMIC_ACQUIRE);
	}
	return true;
}

/* head has come to the place where the tail is to be looked at. */
COLD bool writer_look(struct writer *w, uint64_t head, uint64_t need)
{
	uint64_t capacity = w->mask + 1, used;

	w->tail = __atomic_load_n(&w->ring->tail, __ATOMIC_ACQUIRE);
	used = head - w->tail;
	if (used > capacity) /* a tail that no observer of ours writes */
		return false;
	if (used >= capacity / 2 && w->starved != w->tail + 1) {
		if (!wiped.mode)
			mend_sites();
		taskdiag_flush(w->number, used * 8);
	}
	if (head + need - w->tail > capacity && !wait_for_room(w, head, need))
		return false;
	used = head - w->tail;
	w->check = used < capacity / 2 ? w->tail + capacity / 2 : head + need + capacity / 8;
	if (w->check > w->tail + capacity)
		w->check = w->tail + capacity;
	return true;
}

/* The thread key's destructor: what the thread still frees goes through borrowed rings. */
void thread_end(void *thread)
{
	struct thread *t = thread;

	t->ended = true;
	if (t->writer.ring && t->writer.ring->owner && !t->busy && wiped.mode == REGION_EXACT)
		writer_return(&t->writer);
	t->writer.ring = NULL;
	t->memo = NULL;
}
