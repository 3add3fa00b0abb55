/* preload_sample_test.c - the sampling of blocks; oracles: libm's logarithm, the exponential
 * distribution, a plain count of what is live. Seeds are fixed. */
#include <math.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "preload/shim/sample.c"

#define GAP 65536
#define DRAWS 1000000
#define BLOCKS 100000
#define MANY 40000

struct shim shim;
struct wiped wiped;
struct own_head heads[REGION_RINGS];
__thread struct thread self;
static struct region region;
static uint64_t allocs_told, frees_told, undos_told;

void taskdiag_alloc(void *p, uint64_t bytes, uint64_t stamp, uint64_t gap_allocator, uint64_t cfa,
		    uint64_t caller)
{
	(void)p, (void)bytes, (void)stamp, (void)cfa, (void)caller;
	assert_int_equal(gap_allocator, (uint64_t)GAP << 8 | REGION_BY_CALLOC);
	allocs_told++;
}

void taskdiag_free(void *p, uint64_t bytes, uint64_t stamp)
{
	(void)p, (void)stamp;
	frees_told += bytes == 0;
	undos_told += bytes == REGION_FREE_UNDO;
}

bool writer_open_slow(struct thread *t, struct writer *borrowed, struct writer **ret)
{
	(void)t, (void)borrowed, (void)ret;
	return false;
}

void writer_return(struct writer *w)
{
	(void)w;
}

bool writer_look(struct writer *w, uint64_t head, uint64_t need)
{
	(void)w, (void)head, (void)need;
	return false;
}

static int fresh(void **state)
{
	(void)state;
	memset(&region, 0, sizeof(region));
	memset(live, 0, sizeof(live));
	memset(filter, 0, sizeof(filter));
	region.wish.gap_bytes = GAP;
	shim.region = &region;
	self = (struct thread){ .random = 0x123456789abcdefULL };
	allocs_told = frees_told = undos_told = 0;
	return 0;
}

static void the_logarithm_is_that_of_libm(void **state)
{
	uint64_t r = 88172645463325252ULL;

	(void)state;
	for (int i = 0; i < DRAWS; i++) {
		r ^= r << 13, r ^= r >> 7, r ^= r << 17;
		assert_true(fabs(minus_log(r >> i % 64) +
				 log(ldexp((double)(r >> i % 64 | 1), -64))) < 2e-6);
	}
	assert_true(minus_log(UINT64_MAX) < 1e-6);
	assert_true(minus_log(0) > 44 && minus_log(0) < 45);
}

static void gaps_are_exponential(void **state)
{
	double sum = 0, squares = 0;
	uint64_t above = 0;

	(void)state;
	for (int i = 0; i < DRAWS; i++) {
		draw(&self);
		sum += (double)self.left;
		squares += (double)self.left * (double)self.left;
		above += self.left > GAP;
	}
	assert_true(fabs(sum / DRAWS / GAP - 1) < 0.005);
	assert_true(fabs(squares / DRAWS / GAP / GAP - 2) < 0.03);
	assert_true(fabs((double)above / DRAWS - exp(-1)) < 0.002);
}

/* As entry.c does it. */
static uint64_t due(size_t bytes)
{
	if (bytes >= self.left)
		return sample_due(&self, bytes);
	self.left -= bytes + 1;
	return 0;
}

static void a_block_is_taken_as_often_as_the_estimator_has_it(void **state)
{
	static const size_t sizes[] = { 0, 100, 5000, GAP, 300000 };

	(void)state;
	for (size_t k = 0; k < 5; k++) {
		double p = -expm1(-((double)sizes[k] + 1) / GAP), taken = 0;

		for (int i = 0; i < DRAWS; i++)
			taken += due(sizes[k]) == GAP;
		/* five standard deviations */
		assert_true(fabs(taken - p * DRAWS) <= 5 * sqrt(p * (1 - p) * DRAWS) + 1);
	}
}

static void every_free_of_a_sample_is_told_and_no_other(void **state)
{
	char *base = (char *)0x10000;

	(void)state;
	for (uint64_t i = 0; i < MANY; i += 2)
		sample_alloc(base + i * 16, 8, REGION_BY_CALLOC, (struct site){ 0 }, GAP);
	assert_int_equal(region.lost_set, 0);
	assert_int_equal(allocs_told, MANY / 2);
	for (uint64_t i = 0; i < MANY; i++) {
		if (i % 2 == 0)
			assert_true(filter[filter_slot(base + i * 16)] > 0);
		assert_int_equal(sample_free(base + i * 16), i % 2 == 0);
	}
	assert_int_equal(frees_told, MANY / 2);
	assert_int_equal(region.sample_frees, MANY / 2);
	assert_false(sample_free(base));
	for (size_t i = 0; i < sizeof(filter); i++)
		assert_int_equal(filter[i], 0); /* none was full: all looks are over */
}

static void a_free_that_did_not_happen_is_taken_back(void **state)
{
	char *p = (char *)0x20000;

	(void)state;
	sample_alloc(p, 8, REGION_BY_CALLOC, (struct site){ 0 }, GAP);
	assert_true(sample_free(p));
	sample_undo(p);
	assert_int_equal(undos_told, 1);
	assert_int_equal(region.sample_frees, 0);
	assert_true(filter[filter_slot(p)] > 0);
	assert_true(sample_free(p));
}

static void what_the_table_cannot_hold_is_counted_and_not_told(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= BLOCKS; i++)
		sample_alloc((char *)(i * 4096), 8, REGION_BY_CALLOC, (struct site){ 0 }, GAP);
	assert_true(region.lost_set >= BLOCKS - (1 << SET_BITS));
	assert_int_equal(allocs_told + region.lost_set, BLOCKS);
	for (uint64_t i = 1; i <= BLOCKS; i++)
		sample_free((char *)(i * 4096));
	assert_int_equal(frees_told, allocs_told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_logarithm_is_that_of_libm, fresh),
		cmocka_unit_test_setup(gaps_are_exponential, fresh),
		cmocka_unit_test_setup(a_block_is_taken_as_often_as_the_estimator_has_it, fresh),
		cmocka_unit_test_setup(every_free_of_a_sample_is_told_and_no_other, fresh),
		cmocka_unit_test_setup(a_free_that_did_not_happen_is_taken_back, fresh),
		cmocka_unit_test_setup(what_the_table_cannot_hold_is_counted_and_not_told, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
