/* preload_memo_test.c - the memo of known stacks; oracle: the words of an array that plays a stack,
 * and memory that may not be read. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "preload/shim/memo.c"

struct shim shim;

#define RING 3
#define CALLER 0x401234

static struct {
	struct region_ring ring;
	struct region_answer box[REGION_ANSWERS];
} area;
static uint64_t stack[32], refused;
static struct memo *memo;
#define CFA ((uint64_t)&stack[4])
#define HERE_AT(cfa) ((struct site){ cfa, CALLER })

static int fresh(void **state)
{
	(void)state;
	memset(&area, 0, sizeof(area));
	for (int i = 0; i < 32; i++)
		stack[i] = 100 + (uint64_t)i;
	refused = 0;
	memo = memo_of(RING);
	return memo ? 0 : -1;
}

static struct region_answer *answer(uint64_t sequence, uint64_t id)
{
	struct region_answer *a = &area.box[area.ring.answers_given++ % REGION_ANSWERS];

	memset(a, 0, sizeof(*a));
	a->token = REGION_TOKEN | (uint64_t)RING << REGION_TOKEN_RING_SHIFT | sequence;
	a->cfa = CFA;
	a->caller = CALLER;
	a->stack = id;
	return a;
}

static void add(struct region_answer *a, const void *address, uint64_t word)
{
	a->pairs[a->count++] = (struct region_pair){ (uint64_t)address, word };
}

static bool take(uint64_t first_sequence)
{
	return memo_take(memo, &area.ring, first_sequence, &refused);
}

static void the_same_words_are_the_same_stack(void **state)
{
	struct region_answer *a = answer(0, 7);

	(void)state;
	add(a, &stack[5], stack[5]);
	add(a, &stack[9], stack[9]);
	assert_int_equal(memo_find(memo, HERE_AT(CFA)), 0); /* not taken yet */
	assert_true(take(0));
	assert_int_equal(memo_find(memo, HERE_AT(CFA)), 7);
	assert_int_equal(memo_find(memo, HERE_AT(CFA + 16)), 0);
	assert_int_equal(memo_find(memo, (struct site){ CFA, CALLER + 1 }), 0);
	stack[9]++;
	assert_int_equal(memo_find(memo, HERE_AT(CFA)), 0);
	stack[9]--;
	assert_int_equal(memo_find(memo, HERE_AT(CFA)), 7);
	assert_false(take(0)); /* each answer once */
	assert_int_equal(area.ring.answers_taken, 1);
}

static void words_below_the_frame_do_not_count(void **state)
{
	struct region_answer *a = answer(0, 8);

	(void)state;
	add(a, &stack[1], 999);	     /* the shim's own frames: never equal again */
	add(a, &stack[3], stack[3]); /* the return address, at CFA - 8, does count */
	assert_true(take(0));
	assert_int_equal(memo_find(memo, HERE_AT(CFA)), 8);
	stack[3] = 1;
	assert_int_equal(memo_find(memo, HERE_AT(CFA)), 0);
}

/* A word led to an object; the word is another one and the object is gone. */
static void nothing_is_read_behind_the_first_difference(void **state)
{
	uint64_t *object =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct region_answer *a = answer(0, 9);

	(void)state;
	assert_ptr_not_equal(object, MAP_FAILED);
	object[2] = 55;
	stack[6] = (uint64_t)object;
	add(a, &stack[6], stack[6]);
	add(a, &object[2], 55);
	assert_true(take(0));
	assert_int_equal(memo_find(memo, HERE_AT(CFA)), 9);
	assert_int_equal(munmap(object, 4096), 0);
	stack[6] = 0;
	assert_int_equal(memo_find(memo, HERE_AT(CFA)), 0); /* else: SIGSEGV */
}

static void an_address_that_nothing_leads_to_is_refused(void **state)
{
	uint64_t *elsewhere = malloc(4096);
	uint64_t *far =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	add(answer(0, 1), far, 0);
	add(answer(1, 2), (void *)64, 0);
	add(answer(2, 3), (void *)(1UL << 63), 0);
	assert_false(take(0));
	assert_int_equal(refused, 3);
	assert_int_equal(memo_find(memo, HERE_AT(CFA)), 0);
	add(answer(3, 4), far, 0);
	area.box[3].roots = 1; /* the observer knows that it stays */
	assert_true(take(0));
	assert_int_equal(memo_find(memo, HERE_AT(CFA)), 4);
	munmap(far, 4096);
	free(elsewhere);
}

static void what_was_answered_before_a_drop_is_void(void **state)
{
	(void)state;
	answer(0, 5);
	answer(1, 6);
	assert_true(take(0));
	assert_true(memo_find(memo, HERE_AT(CFA)) != 0); /* no words: the call alone */
	memo_drop(memo);
	assert_int_equal(memo_find(memo, HERE_AT(CFA)), 0);
	answer(2, 7); /* asked before the drop */
	assert_false(take(3));
	assert_int_equal(memo_find(memo, HERE_AT(CFA)), 0);
	answer(3, 8);
	assert_true(take(3));
	assert_int_equal(memo_find(memo, HERE_AT(CFA)), 8);
	assert_ptr_equal(memo_of(RING), memo); /* the ring's next owner has an empty one */
	assert_int_equal(memo_find(memo, HERE_AT(CFA)), 0);
}

static void an_answer_beyond_all_bounds_is_refused(void **state)
{
	(void)state;
	answer(0, 5)->count = REGION_PAIRS + 1;
	answer(1, 0);
	answer(2, REGION_TOKEN | 5);
	assert_false(take(0));
	assert_int_equal(refused, 3);
	area.ring.answers_given += REGION_ANSWERS + 1;
	assert_false(take(0));
	assert_int_equal(area.ring.answers_taken, 3);
}

static void four_stacks_of_one_place_are_kept(void **state)
{
	struct region_answer *a;

	(void)state;
	for (uint64_t i = 0; i < 5; i++) {
		a = answer(i, 10 + i);
		add(a, &stack[7], i);
	}
	assert_true(take(0));
	for (uint64_t i = 0; i < 5; i++) {
		stack[7] = i;
		assert_int_equal(memo_find(memo, HERE_AT(CFA)), i ? 10 + i : 0);
	}
	for (uint64_t i = 5; i < 40; i += 2) { /* the box goes round */
		answer(i, 10 + i)->pairs[0] = (struct region_pair){ (uint64_t)&stack[7], i };
		area.box[(area.ring.answers_given - 1) % REGION_ANSWERS].count = 1;
		stack[7] = i;
		assert_true(take(0));
		assert_int_equal(memo_find(memo, HERE_AT(CFA)), 10 + i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_same_words_are_the_same_stack, fresh),
		cmocka_unit_test_setup(words_below_the_frame_do_not_count, fresh),
		cmocka_unit_test_setup(nothing_is_read_behind_the_first_difference, fresh),
		cmocka_unit_test_setup(an_address_that_nothing_leads_to_is_refused, fresh),
		cmocka_unit_test_setup(what_was_answered_before_a_drop_is_void, fresh),
		cmocka_unit_test_setup(an_answer_beyond_all_bounds_is_refused, fresh),
		cmocka_unit_test_setup(four_stacks_of_one_place_are_kept, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
