/* unwind_space_test.c - the table space and its allocator; oracle: a linear search of the rows as
 * they were before they were placed, and a plain array of who owns which number. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/unwind.h"
#include "unwind/ranges.h"
#include "unwind/space.h"

#define SECOND 1000000000ULL

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dULL;
}

/* A table of @bucket_count buckets with up to @rows_max rows each; row 0 is before all. */
struct table {
	uint64_t *rows, *buckets;
	uint64_t *addresses; /* of rows, from the first byte of bucket 0 */
	size_t row_count, bucket_count;
};

static struct table table_new(size_t bucket_count, unsigned rows_max, uint64_t *seed)
{
	size_t room = bucket_count * rows_max + 1;
	struct table t = { malloc(room * 8), malloc(bucket_count * 8), malloc(room * 8), 1,
			   bucket_count };

	assert_true(t.rows && t.buckets && t.addresses);
	t.rows[0] = next(seed) & ROW_RULE_MASK;
	t.addresses[0] = 0;
	for (size_t i = 0; i < bucket_count; i++) {
		unsigned rows = next(seed) % (rows_max + 1);

		t.buckets[i] = BUCKET(t.row_count - 1, rows);
		for (unsigned k = 0; k < rows; k++) {
			unsigned offset = rows == BUCKET_ROWS_MAX ? k + 1 : (k * 511) / rows + 1;

			t.addresses[t.row_count] = (i << BUCKET_SHIFT) + offset;
			t.rows[t.row_count++] = (next(seed) & ROW_RULE_MASK) | offset;
		}
	}
	return t;
}

static void table_free(struct table *t)
{
	free(t->rows);
	free(t->buckets);
	free(t->addresses);
}

static uint64_t oracle(const struct table *t, uint64_t address)
{
	size_t i = t->row_count - 1;

	while (i && t->addresses[i] > address)
		i--;
	return t->rows[i] & ROW_RULE_MASK;
}

/* As a walk does it: by bucket, and within one chunk only. */
static uint64_t placed(struct space *s, const struct space_table *t, uint64_t address)
{
	uint32_t bucket = t->buckets + (address >> BUCKET_SHIFT), at, rows;
	const uint64_t *chunk = space_chunk(s, bucket >> CHUNK_SHIFT);

	assert_non_null(chunk);
	assert_in_range(bucket, t->first, t->first + t->count - 1);
	at = (uint32_t)chunk[bucket & CHUNK_MASK];
	rows = chunk[bucket & CHUNK_MASK] >> 32;
	assert_in_range(at, t->first, t->first + t->count - 1);
	assert_int_equal(at >> CHUNK_SHIFT, (at + rows) >> CHUNK_SHIFT);
	chunk = space_chunk(s, at >> CHUNK_SHIFT);
	for (uint32_t i = rows; i; i--)
		if (ROW_PC(chunk[(at + i) & CHUNK_MASK]) <= (address & 511))
			return chunk[(at + i) & CHUNK_MASK] & ROW_RULE_MASK;
	return chunk[at & CHUNK_MASK] & ROW_RULE_MASK;
}

static void assert_same(struct space *s, const struct space_table *at, const struct table *t,
			size_t samples, uint64_t *seed)
{
	for (size_t i = 0; i < samples; i++) {
		uint64_t address = next(seed) % (t->bucket_count << BUCKET_SHIFT);

		assert_int_equal(placed(s, at, address), oracle(t, address));
	}
}

/* Every boundary within the table: each byte of the buckets whose rows lie next to it. */
static void assert_same_at_boundaries(struct space *s, const struct space_table *at,
				      const struct table *t)
{
	for (size_t b = 0; b < t->bucket_count; b++) {
		uint32_t word = at->buckets + b;
		uint32_t row = space_chunk(s, word >> CHUNK_SHIFT)[word & CHUNK_MASK];

		if (((row + 600) & CHUNK_MASK) > 1200)
			continue;
		for (uint64_t i = 0; i < 512; i += 7)
			assert_int_equal(placed(s, at, (b << 9) + i), oracle(t, (b << 9) + i));
	}
}

static void a_placed_table_answers_as_the_rows_did(void **state)
{
	static const struct {
		size_t buckets;
		unsigned rows_max;
	} shapes[] = { { 1, 0 },     { 1, 511 },   { 3000, 8 },	 { 20000, 16 },
		       { 900, 511 }, { 40000, 0 }, { 1500, 300 } };
	uint64_t seed = 7;
	struct space *s;

	(void)state;
	assert_int_equal(space_new(-1, &s), 0);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct table t = table_new(shapes[i].buckets, shapes[i].rows_max, &seed);
		struct space_table at;

		assert_int_equal(
		    space_place(s, t.rows, t.row_count, t.buckets, t.bucket_count, &at), 0);
		assert_int_equal(space_commit(s), 0);
		assert_same(s, &at, &t, 300, &seed);
		assert_same_at_boundaries(s, &at, &t);
		table_free(&t);
	}
	assert_true(space_chunks(s) >= 3); /* boundaries were crossed */
	space_free(s);
	space_free(NULL);
}

/* Up to the row that makes the difference: the table begins at every distance from a boundary. */
static void full_buckets_never_straddle(void **state)
{
	uint64_t seed = 3, *filler = calloc(CHUNK_WORDS, 8);
	struct table t = table_new(6, BUCKET_ROWS_MAX, &seed);

	(void)state;
	assert_non_null(filler);
	for (uint32_t before = CHUNK_WORDS - 1600; before < CHUNK_WORDS + 2; before += 29) {
		uint64_t bucket = BUCKET(0, 0);
		struct space_table at, first;
		struct space *s;

		assert_int_equal(space_new(-1, &s), 0);
		/* rows that no bucket names: place them as buckets without rows */
		for (uint32_t i = 0; i < before - 1 && i < CHUNK_WORDS; i++)
			filler[i] = bucket;
		assert_int_equal(space_place(s, t.rows, 1, filler,
					     before - 1 < CHUNK_WORDS ? before - 1 : CHUNK_WORDS,
					     &first),
				 0);
		assert_int_equal(
		    space_place(s, t.rows, t.row_count, t.buckets, t.bucket_count, &at), 0);
		assert_int_equal(at.first, first.count);
		for (uint64_t i = 0; i < 6 * 512; i += 3)
			assert_int_equal(placed(s, &at, i), oracle(&t, i));
		space_free(s);
	}
	table_free(&t);
	free(filler);
}

static void malformed_tables_are_refused(void **state)
{
	uint64_t rows[4] = { 0 }, good[2] = { BUCKET(0, 2), BUCKET(2, 1) };
	const uint64_t bad[][2] = {
		{ BUCKET(0, 2), BUCKET(1, 1) },	  /* overlaps */
		{ BUCKET(0, 2), BUCKET(3, 0) },	  /* leaves one out */
		{ BUCKET(0, 2), BUCKET(2, 2) },	  /* beyond the last row */
		{ BUCKET(1, 1), BUCKET(2, 1) },	  /* does not begin at the first */
		{ BUCKET(0, 512), BUCKET(2, 1) }, /* more than a bucket has */
		{ BUCKET(0, UINT32_MAX), BUCKET(UINT32_MAX, 1) },
	};
	struct space_table at;
	struct space *s;

	(void)state;
	assert_int_equal(space_new(-1, &s), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(space_place(s, rows, 4, bad[i], 2, &at), -EBADMSG);
	assert_int_equal(space_place(s, rows, 0, good, 2, &at), -EBADMSG);
	assert_int_equal(space_place(s, rows, 4, good, 0, &at), -EBADMSG);
	assert_int_equal(space_used(s), 0);
	assert_int_equal(space_chunks(s), 0);
	assert_int_equal(space_place(s, rows, 4, good, 2, &at), 0);
	assert_int_equal(space_used(s), 6);
	space_free(s);
}

static void released_words_rest_before_they_are_taken_again(void **state)
{
	uint64_t seed = 11, now = 5 * SECOND;
	struct table t = table_new(5000, 8, &seed);
	struct space_table a, b, c;
	struct space *s;
	uint32_t used;
	size_t all;

	(void)state;
	assert_int_equal(space_new(-1, &s), 0);
	assert_int_equal(space_place(s, t.rows, t.row_count, t.buckets, t.bucket_count, &a), 0);
	assert_int_equal(space_commit(s), 0);
	used = space_used(s);
	space_release(s, &a, now);
	space_expire(s, now + SECOND - 1);
	assert_int_equal(space_used(s), used);
	assert_same(s, &a, &t, 100, &seed); /* a walk may still read it */
	assert_int_equal(space_place(s, t.rows, t.row_count, t.buckets, t.bucket_count, &b), 0);
	assert_true(b.first >= a.first + a.count);
	assert_same(s, &a, &t, 100, &seed);
	space_expire(s, now + SECOND);
	assert_int_equal(space_used(s), used);
	all = t.bucket_count;
	t.bucket_count = 4000; /* somewhat smaller: room for padding is taken first */
	t.row_count = (uint32_t)t.buckets[4000] + 1;
	assert_int_equal(space_place(s, t.rows, t.row_count, t.buckets, t.bucket_count, &c), 0);
	assert_int_equal(c.first, a.first);
	assert_same(s, &b, &t, 100, &seed);
	assert_same(s, &c, &t, 100, &seed);
	space_free(s);
	t.bucket_count = all;
	table_free(&t);
}

static void a_full_space_says_so(void **state)
{
	const size_t count = 8 * (size_t)CHUNK_WORDS;
	uint64_t *buckets = calloc(count, 8), row = 0;
	struct space_table at, last = {};
	struct space *s;
	int placed_count = 0, err;

	(void)state;
	assert_non_null(buckets);
	assert_int_equal(space_new(-1, &s), 0);
	while (!(err = space_place(s, &row, 1, buckets, count, &at))) {
		placed_count++;
		last = at;
		assert_int_equal(space_commit(s), 0);
	}
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(placed_count, CHUNKS_MAX / 8 - 1);
	space_release(s, &last, SECOND);
	space_expire(s, 2 * SECOND);
	assert_int_equal(space_place(s, &row, 1, buckets, count, &at), 0);
	assert_int_equal(at.first, last.first);
	space_free(s);
	free(buckets);
}

#define LIMIT 2000

/* 40,000 random takings and givings; no number has two owners, and none rests too shortly. */
static void ranges_are_owned_once(void **state)
{
	static struct {
		uint32_t first, count;
	} held[64];
	static uint64_t busy_until[LIMIT]; /* UINT64_MAX: taken */
	struct ranges *r = ranges_new(LIMIT);
	uint64_t seed = 5, now = 1;
	uint32_t used = 0, refused = 0;

	(void)state;
	for (int i = 0; i < 40000; i++) {
		uint32_t k = next(&seed) % 64, first;

		ranges_expire(r, now);
		if (held[k].count) {
			uint64_t due = next(&seed) % 4 ? now + 50 : 0;

			assert_int_equal(ranges_give(r, held[k].first, held[k].count, due), 0);
			for (uint32_t n = 0; n < held[k].count; n++)
				busy_until[held[k].first + n] = due;
			held[k].count = 0;
		} else {
			held[k].count = next(&seed) % 60 + 1;
			if (ranges_take(r, held[k].count, &first)) {
				held[k].count = 0;
				refused++;
			} else {
				assert_true(first + held[k].count <= LIMIT);
				held[k].first = first;
				for (uint32_t n = 0; n < held[k].count; n++) {
					assert_true(busy_until[first + n] <= now);
					busy_until[first + n] = UINT64_MAX;
				}
			}
		}
		used = 0;
		for (uint32_t n = 0; n < LIMIT; n++)
			used += busy_until[n] > now;
		assert_int_equal(ranges_used(r), used);
		now += next(&seed) % 3;
	}
	assert_in_range(refused, 1, 20000);
	for (uint32_t k = 0; k < 64; k++)
		ranges_give(r, held[k].first, held[k].count, 0);
	ranges_expire(r, now + 100);
	assert_false(ranges_resting(r));
	assert_int_equal(ranges_take(r, LIMIT, &used), 0); /* all in one piece again */
	assert_int_equal(ranges_take(r, 1, &used), -ENOSPC);
	ranges_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_placed_table_answers_as_the_rows_did),
		cmocka_unit_test(full_buckets_never_straddle),
		cmocka_unit_test(malformed_tables_are_refused),
		cmocka_unit_test(released_words_rest_before_they_are_taken_again),
		cmocka_unit_test(a_full_space_says_so),
		cmocka_unit_test(ranges_are_owned_once),
	};

	return cmocka_run_group_tests_name("unwind/space", tests, NULL, NULL);
}
