/* memo.c - what the observer answers becomes entries of a memo; see memo.h. */
#include <string.h>
#include <sys/mman.h>

#include "preload/shim/memo.h"
#include "preload/shim/syscalls.h"

#define STACK_SPAN (64ULL << 20) /* above the CFA: taken for the stack */
#define FRAMES_SPAN 4096	 /* below it: frames of the shim, of no importance */
#define OBJECT_SPAN 65536	 /* behind a word that points to an object */
#define USER_END (1ULL << 47)

static struct memo *memos[REGION_RINGS]; /* kept for the next owner of the ring */

struct memo *memo_of(uint32_t ring)
{
	struct memo *m = memos[ring];
	long mapped;

	if (!m && !shim.no_syscalls) {
		mapped = syscall6(SYS_mmap, 0, sizeof(struct memo), PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (mapped > 0 || mapped < -4095)
			memos[ring] = m = (struct memo *)mapped;
	}
	if (m)
		memo_drop(m);
	return m;
}

/* Is there a reason why @address can be read once the pairs before @i are found equal? */
static bool follows(const struct memo_entry *e, uint64_t i, uint64_t roots)
{
	uint64_t address = e->pairs[i].address;

	if (address < 4096 || address > USER_END - 8)
		return false;
	if (i < roots || address - (e->cfa - 8) < STACK_SPAN)
		return true;
	for (uint64_t k = 0; k < i; k++)
		if (address - e->pairs[k].word < OBJECT_SPAN)
			return true;
	return false;
}

/* From memory that others can write: it is copied first, then looked at. */
static bool copy_answer(struct memo_entry *e, const volatile struct region_answer *a)
{
	uint64_t count = a->count, roots = a->roots, kept = 0;

	e->stack = a->stack;
	if (count > REGION_PAIRS || !e->stack || e->stack & REGION_TOKEN)
		return false;
	for (uint64_t i = 0; i < count; i++) {
		struct region_pair *p = &e->pairs[kept];

		p->address = a->pairs[i].address;
		p->word = a->pairs[i].word;
		if (p->address - (e->cfa - FRAMES_SPAN) < FRAMES_SPAN - 8) {
			roots -= i < roots; /* our own frames: other words at the next call */
			continue;
		}
		if (p->address != REGION_RBP && !follows(e, kept, roots))
			return false;
		kept++;
	}
	e->count = kept;
	return true;
}

bool memo_take(struct memo *m, struct region_ring *r, uint64_t first_sequence, uint64_t *refused)
{
	const struct region_answer *box = (const void *)(r + 1);
	uint64_t given = __atomic_load_n(&r->answers_given, __ATOMIC_ACQUIRE);
	uint64_t taken = r->answers_taken;
	bool any = false;

	if (given - taken > REGION_ANSWERS) /* no observer of ours */
		return false;
	for (; taken < given; taken++) {
		const volatile struct region_answer *a = &box[taken % REGION_ANSWERS];
		struct site at = { a->cfa, a->caller };
		struct memo_entry *set = m->entries[memo_set(at)], *e;

		if ((a->token & REGION_TOKEN_SEQUENCE) < first_sequence)
			continue;
		e = &set[m->turn[memo_set(at)]++ % MEMO_WAYS];
		e->epoch = 0;
		e->cfa = at.cfa;
		e->caller = at.caller;
		if (copy_answer(e, a)) {
			e->epoch = m->epoch;
			any = true;
		} else {
			count(refused);
		}
	}
	__atomic_store_n(&r->answers_taken, taken, __ATOMIC_RELEASE);
	return any;
}
