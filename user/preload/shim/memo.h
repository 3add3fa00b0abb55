/* memo.h - the stacks that a thread is known to allocate from: the same words in the same places
 * are the same stack, and the kernel need not walk it again.
 *
 * An entry is looked up by the CFA of the allocating function and its return address; it holds what
 * the kernel read on its way up, in that order. Each address follows from the words before it, so
 * as long as these are equal it can be read; at the first difference the look-up ends. One memo per
 * ring, used by the thread that owns the ring.
 */
#ifndef TASKDIAG_PRELOAD_MEMO_H
#define TASKDIAG_PRELOAD_MEMO_H

#include "preload/shim/preload.h"

#define MEMO_SETS 256
#define MEMO_WAYS 4

struct memo_entry {
	uint64_t cfa, caller, stack, epoch;
	uint64_t count;
	struct region_pair pairs[REGION_PAIRS];
};

struct memo {
	uint64_t epoch; /* entries of another one are void; never 0 */
	uint8_t turn[MEMO_SETS];
	struct memo_entry entries[MEMO_SETS][MEMO_WAYS];
};

/** The memo of a ring: emptied, kept for the next owner of the ring. NULL: no memory. */
struct memo *memo_of(uint32_t ring);
/** Takes what the observer has answered. Answers older than @first_sequence are thrown away; those
 * with an address that nothing leads to are counted in @refused. True when there was one. */
bool memo_take(struct memo *m, struct region_ring *r, uint64_t first_sequence, uint64_t *refused);

static inline void memo_drop(struct memo *m)
{
	m->epoch++;
}

static inline uint32_t memo_set(struct site at)
{
	return (uint32_t)((at.cfa ^ at.caller * 3) * 0x9e3779b97f4a7c15ULL >> 56);
}
_Static_assert(MEMO_SETS == 256, "8 bits of the hash");

static inline uint64_t register_rbp(void)
{
	uint64_t rbp;

	__asm__ volatile("mov %%rbp, %0" : "=r"(rbp));
	return rbp;
}

/** The id of the known stack at @at, or 0. */
static inline uint64_t memo_find(struct memo *m, struct site at)
{
	const struct memo_entry *e = m->entries[memo_set(at)];
	uint64_t i;

	for (const struct memo_entry *end = e + MEMO_WAYS; e < end; e++) {
		if (e->cfa != at.cfa || e->caller != at.caller || e->epoch != m->epoch)
			continue;
		for (i = 0; i < e->count; i++) {
			const struct region_pair *p = &e->pairs[i];
			uint64_t word = unlikely(p->address == REGION_RBP)
					    ? register_rbp()
					    : *(const volatile uint64_t *)p->address;

			if (word != p->word)
				break;
		}
		if (i == e->count)
			return e->stack;
	}
	return 0;
}

#endif
