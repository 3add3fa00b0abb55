/* aggregate_blocks_test.c - the table of live blocks; oracle: an array of what is in it. */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "aggregate/blocks.h"

#define KEYS 3000
#define EVENTS 100000
#define SEEDS 5
#define MANY 1000000
#define BYTES_A_BLOCK 38 /* of blocks.h: "a million of them take 38 MB" */
#define BYTES_OF_FEW 46

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dULL;
}

static void put(struct blocks *b, uint64_t key, uint64_t bytes)
{
	assert_int_equal(blocks_reserve(b), 0);
	blocks_insert(b, key)->bytes = bytes;
}

static void assert_same(const struct blocks *b, const uint64_t *bytes)
{
	size_t count = 0, seen = 0;

	for (uint64_t key = 0; key < KEYS; key++) {
		const struct block *block = blocks_find(b, key * 16);

		assert_int_equal(block != NULL, bytes[key] != 0);
		if (!block)
			continue;
		assert_int_equal(block->bytes, bytes[key]);
		count++;
	}
	assert_int_equal(b->count, count);
	for (struct block *i = NULL; (i = blocks_next(b, i)); seen++)
		assert_int_equal(i->bytes, bytes[i->key / 16]);
	assert_int_equal(seen, count);
}

static void it_holds_what_was_put_in_and_not_taken_out(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		uint64_t random = seed * 0x9e3779b97f4a7c15, bytes[KEYS] = { 0 };
		uint64_t share = 1;
		struct blocks b, copy;

		blocks_init(&b);
		for (int i = 1; i <= EVENTS; i++) {
			uint64_t key = next(&random) % KEYS;
			struct block *block = blocks_find(&b, key * 16);

			if (i % 20000 == 0)
				share = next(&random) % 8; /* it fills and it empties */
			if (block && next(&random) % 8 >= share) {
				blocks_remove(&b, block);
				bytes[key] = 0;
			} else if (!block && next(&random) % 8 <= share) {
				bytes[key] = next(&random) | 1;
				put(&b, key * 16, bytes[key]);
			}
			if (i % 4999 == 0)
				assert_same(&b, bytes);
		}
		assert_same(&b, bytes);
		assert_int_equal(blocks_copy(&copy, &b), 0);
		blocks_clear(&b);
		assert_same(&copy, bytes);
		for (uint64_t key = 0; key < KEYS; key++) /* a copy can be changed as any other */
			if (!blocks_find(&copy, key * 16))
				put(&copy, key * 16, bytes[key] = key + 1);
		assert_same(&copy, bytes);
		blocks_clear(&copy);
	}
}

static void a_loop_upwards_can_remove_any_and_sees_all(void **state)
{
	struct blocks b;
	size_t seen = 0;

	(void)state;
	blocks_init(&b);
	for (uint64_t key = 0; key < KEYS; key++)
		put(&b, key, 1);
	for (size_t i = 0; i < b.slot_count;) {
		struct block *block = &b.slots[i];

		seen += block->used && block->bytes++ == 1;
		if (block->used && block->key % 3)
			blocks_remove(&b, block);
		else
			i++;
	}
	assert_int_equal(seen, KEYS);
	assert_int_equal(b.count, KEYS / 3);
	for (uint64_t key = 0; key < KEYS; key++)
		assert_int_equal(blocks_find(&b, key) != NULL, key % 3 == 0);
	blocks_clear(&b);
}

static void an_empty_table_takes_no_memory(void **state)
{
	struct blocks b, copy;

	(void)state;
	blocks_init(&b);
	assert_null(b.slots);
	assert_null(blocks_find(&b, 0));
	assert_null(blocks_next(&b, NULL));
	assert_int_equal(blocks_copy(&copy, &b), 0);
	assert_null(copy.slots);
	put(&copy, BLOCKS_KEY_MASK, 1);
	put(&copy, 0, 2);
	assert_int_equal(blocks_find(&copy, 0)->bytes, 2);
	assert_int_equal(blocks_find(&copy, BLOCKS_KEY_MASK)->bytes, 1);
	blocks_clear(&copy);
	blocks_clear(&b);
}

/* The patterns that allocators make, and those that a task would choose to make all collide in a
 * table that takes its low or its high bits. */
static uint64_t address(int pattern, uint64_t i)
{
	static const unsigned shifts[] = { 4, 5, 12, 21, 30, 36 };

	if (pattern < 6)
		return 0x550000000000 + (i << shifts[pattern] & BLOCKS_KEY_MASK);
	if (pattern == 6)
		return 0x7f0000000000 + (i >> 8 << 26) + (i & 255) * 48;
	return (i * 0x9e3779b97f4a7c15) >> 8;
}

static void the_work_and_the_memory_a_block_stay_small(void **state)
{
	(void)state;
	for (int pattern = 0; pattern < 8; pattern++) {
		uint64_t count = pattern == 0 ? MANY : 1 << 18, steps;
		struct blocks b;

		blocks_init(&b);
		for (uint64_t i = 0; i < count; i++) {
			put(&b, address(pattern, i), 1);
			if (i >= 10000)
				assert_true(b.slot_count * sizeof(struct block) <=
					    (b.count < BLOCKS_MANY ? BYTES_OF_FEW : BYTES_A_BLOCK) *
						b.count);
		}
		assert_true(b.steps <= 30 * count); /* slots passed, moved, and spread anew */
		steps = b.steps;
		for (uint64_t i = 0; i < count; i++)
			blocks_remove(&b, blocks_find(&b, address(pattern, i)));
		assert_true(b.steps - steps <= 10 * count);
		assert_int_equal(b.count, 0);
		blocks_clear(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_holds_what_was_put_in_and_not_taken_out),
		cmocka_unit_test(a_loop_upwards_can_remove_any_and_sees_all),
		cmocka_unit_test(an_empty_table_takes_no_memory),
		cmocka_unit_test(the_work_and_the_memory_a_block_stay_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
