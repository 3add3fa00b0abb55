/* sample.c - one block in so many bytes.
 *
 * Gaps between samples are exponential: a block of n bytes is taken with p = 1 − e^(−(n+1)/gap)
 * whatever came before it, and counts for 1/p blocks (the observer's part). To know which frees to
 * tell, the live samples stand in a table; before it, one byte for every so many addresses (the
 * filter) spares nearly all frees the look.
 */
#include <sys/auxv.h>

#include "preload/shim/preload.h"
#include "preload/shim/ring.h"

#define SET_BITS 16
#define SET_PROBES 64
#define GONE 1 /* a sample was here: a search goes on, a new one may take the place */
#define FILTER_FULL 250

uint8_t filter[1 << FILTER_BITS];
uint32_t filter_mask = (1 << FILTER_BITS) - 1;
static uint64_t live[1 << SET_BITS];

static uint32_t live_slot(uint64_t p, uint32_t probe)
{
	return (uint32_t)((p >> 4) * 0x9e3779b97f4a7c15ULL >> (64 - SET_BITS)) + probe;
}

static bool live_add(uint64_t p)
{
	for (uint32_t probe = 0; probe < SET_PROBES; probe++) {
		uint64_t *slot = &live[live_slot(p, probe) & ((1 << SET_BITS) - 1)];
		uint64_t seen = __atomic_load_n(slot, __ATOMIC_RELAXED);

		if (seen <= GONE && __atomic_compare_exchange_n(slot, &seen, p, false,
								__ATOMIC_RELEASE, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

static bool live_take(uint64_t p)
{
	for (uint32_t probe = 0; probe < SET_PROBES; probe++) {
		uint64_t *slot = &live[live_slot(p, probe) & ((1 << SET_BITS) - 1)];
		uint64_t seen = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

		if (!seen)
			return false;
		if (seen == p)
			return __atomic_compare_exchange_n(slot, &seen, GONE, false,
							   __ATOMIC_RELEASE, __ATOMIC_RELAXED);
	}
	return false;
}

/* A byte that is full stays so: more looks, never a wrong answer. */
static void filter_change(const void *p, int by)
{
	uint8_t *slot = &filter[filter_slot(p)];
	uint8_t seen = __atomic_load_n(slot, __ATOMIC_RELAXED);

	while (seen < FILTER_FULL &&
	       !__atomic_compare_exchange_n(slot, &seen, (uint8_t)(seen + by), false,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

/* −ln of @random as a number in (0, 1]: ln x = 2 artanh((x − 1) / (x + 1)) of the mantissa. */
static double minus_log(uint64_t random)
{
	int zeros = __builtin_clzll(random | 1);
	double x = (double)((random | 1) << zeros >> 11) * 0x1p-52; /* 1 … 2 */
	double y = (x - 1) / (x + 1), z = y * y;
	double ln =
	    2 * y * (1 + z * (1. / 3 + z * (1. / 5 + z * (1. / 7 + z * (1. / 9 + z / 11)))));

	return (zeros + 1) * 0.6931471805599453 - ln;
}

static uint64_t next_random(struct thread *t)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return t->random * 0x2545f4914f6cdd1dULL;
}

static void seed(struct thread *t)
{
	const uint64_t *kernels = (const uint64_t *)getauxval(AT_RANDOM);
	uint64_t x = (uint64_t)t ^ stamp() ^ shim.region->id ^ (uint64_t)shim.region->pid << 32;

	x ^= kernels ? kernels[1] : 0;
	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15ULL;
	t->random = (x ^ x >> 29) | 1;
	next_random(t);
}

static void draw(struct thread *t)
{
	uint64_t gap = __atomic_load_n(&shim.region->wish.gap_bytes, __ATOMIC_RELAXED);

	if (gap < 2 || gap > 1ULL << 48)
		gap = 512 << 10;
	t->gap = gap;
	t->left = (uint64_t)(minus_log(next_random(t)) * (double)gap);
}

/* The gap that the block is a sample of, or 0. The next gap is drawn at once: a signal handler that
 * allocates before we are done starts from it. */
uint64_t sample_due(struct thread *t, size_t bytes)
{
	uint64_t gap;

	if (!t->random) {
		seed(t);
		draw(t);
		if (bytes < t->left) {
			t->left -= bytes + 1;
			return 0;
		}
	}
	gap = t->gap;
	draw(t);
	return gap;
}

static void tell_ring(enum region_kind kind, uint64_t a, uint64_t b, uint64_t c)
{
	struct writer borrowed, *w;

	if (!(shim.flags & REGION_TELL_SAMPLES) || !writer_open(&self, &borrowed, &w))
		return;
	writer_put(w, kind, a, b, c);
	writer_close(w, &borrowed);
}

void sample_alloc(void *p, size_t bytes, enum region_allocator by, struct site at, uint64_t gap)
{
	if (!live_add((uint64_t)p)) {
		count(&shim.region->lost_set);
		return;
	}
	filter_change(p, 1);
	count(&shim.region->samples);
	taskdiag_alloc(p, bytes, stamp(), gap << 8 | by, at.cfa, at.caller);
	tell_ring(REGION_ALLOC, (uint64_t)p | (uint64_t)by << 56, bytes, gap);
}

bool sample_free(void *p)
{
	if (!live_take((uint64_t)p))
		return false;
	filter_change(p, -1);
	count(&shim.region->sample_frees);
	taskdiag_free(p, 0, stamp());
	tell_ring(REGION_FREE, (uint64_t)p, 0, 0);
	return true;
}

void sample_undo(void *p)
{
	if (!live_add((uint64_t)p)) {
		count(&shim.region->lost_set);
		return;
	}
	filter_change(p, 1);
	__atomic_fetch_sub(&shim.region->sample_frees, 1, __ATOMIC_RELAXED);
	taskdiag_free(p, REGION_FREE_UNDO, stamp());
	tell_ring(REGION_UNDO, (uint64_t)p, 0, 0);
}
