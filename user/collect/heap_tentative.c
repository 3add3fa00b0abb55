/* heap_tentative.c - frees that an undo may follow, of threads without a ring of their own: in the
 * rings that these borrow the events of several threads alternate, so an undo finds its free by
 * address. */
#include <stdlib.h>

#include "collect/heap_private.h"

#define TENTATIVE_MAX 16384 /* the oldest goes; a thread may be kept from its CPU for long */

struct live_tentative {
	uint64_t address;
	struct heap_taken taken;
	UT_hash_handle hh;
};

static void forget(struct live_space *s, struct live_tentative *t)
{
	HASH_DEL(s->tentative, t);
	free(t);
}

void live_tentative_add(struct live_heap *h, struct live_space *s, uint64_t address)
{
	struct live_tentative *t;

	HASH_FIND(hh, s->tentative, &address, sizeof(address), t);
	if (t)
		forget(s, t);
	else if (HASH_COUNT(s->tentative) >= TENTATIVE_MAX)
		forget(s, s->tentative);
	t = calloc(1, sizeof(*t));
	if (!t) {
		h->failed++;
		return;
	}
	t->address = address;
	t->taken = *heap_taken(h->heap);
	HASH_ADD(hh, s->tentative, address, sizeof(t->address), t);
}

bool live_tentative_take(struct live_space *s, uint64_t address, struct heap_taken *ret)
{
	struct live_tentative *t;

	HASH_FIND(hh, s->tentative, &address, sizeof(address), t);
	if (!t)
		return false;
	*ret = t->taken;
	forget(s, t);
	return true;
}

void live_tentative_clear(struct live_space *s)
{
	while (s->tentative)
		forget(s, s->tentative);
}
