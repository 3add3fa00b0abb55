/* aggregate_processes_test.c - the table of processes; oracle: a plain list of what was put in. */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "aggregate/processes.h"

#define MANY 100000
#define ENDED_LIMIT 1024 /* of processes.h: "plus 1,024 ended ones" */
#define KEPT 512	 /* what a trim leaves, at least */

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dULL;
}

static size_t listed(const struct processes *t)
{
	size_t n = 0;

	for (struct process *p = processes_first(t); p; p = p->hh.next)
		n++;
	return n;
}

static uint64_t shares_at(const struct processes *t, uint64_t epoch)
{
	const struct processes_omitted *omitted = processes_omitted(t);
	uint64_t sum = omitted->epoch == epoch ? omitted->share_bytes : 0;

	for (struct process *p = processes_first(t); p; p = p->hh.next)
		sum += p->epoch == epoch ? p->share_bytes : 0;
	return sum;
}

static struct process *add_ended(struct processes *t, uint32_t tgid, uint64_t start_ns,
				 uint64_t epoch, uint64_t share)
{
	struct process *p = processes_get(t, tgid, start_ns);

	assert_non_null(p);
	processes_share(t, p, epoch, share);
	assert_int_equal(processes_end(t, p, END_EXITED, 0, start_ns + 1), 0);
	return p;
}

static void a_process_is_its_tgid_and_its_start(void **state)
{
	struct processes *t = processes_new();
	struct process *a, *b, *c;

	(void)state;
	assert_null(processes_first(t));
	assert_null(processes_find(t, 10, 100));
	a = processes_get(t, 10, 100);
	b = processes_get(t, 10, 101); /* the pid was used again */
	c = processes_get(t, 11, 100);
	assert_true(a && b && c && a != b && a != c && b != c);
	assert_ptr_equal(processes_get(t, 10, 100), a);
	assert_ptr_equal(processes_find(t, 10, 101), b);
	assert_ptr_equal(processes_find(t, 11, 100), c);
	assert_null(processes_find(t, 11, 101));
	assert_int_equal(processes_alive(t), 3);
	assert_int_equal(processes_seen(t), 3); /* neither finding nor getting again counts */
	assert_int_equal(a->end, END_RUNNING);
	assert_int_equal(a->end_ns, 0);
	processes_free(t);
	processes_free(NULL);
}

static void a_process_ends_once(void **state)
{
	struct processes *t = processes_new();
	struct process *p = processes_get(t, 10, 100), *q = processes_get(t, 11, 100);
	uint64_t minor, major;

	(void)state;
	p->rss_bytes = 4096;
	p->minor_faults = 7;
	p->major_faults = 2;
	q->minor_faults = 1000; /* alive: not among the ended */
	assert_int_equal(processes_end(t, p, END_SIGNAL, 9, 500), 0);
	assert_int_equal(processes_end(t, p, END_EXITED, 0, 600), -EALREADY);
	assert_int_equal(p->end, END_SIGNAL);
	assert_int_equal(p->status, 9);
	assert_int_equal(p->end_ns, 500);
	assert_int_equal(p->rss_bytes, 0);
	assert_int_equal(processes_alive(t), 1);
	assert_int_equal(processes_seen(t), 2);
	processes_ended_faults(t, &minor, &major);
	assert_int_equal(minor, 7);
	assert_int_equal(major, 2);
	assert_ptr_equal(processes_get(t, 10, 100), p); /* ended, but known */
	assert_int_equal(processes_seen(t), 2);
	processes_free(t);
}

static void a_share_belongs_to_one_peak(void **state)
{
	struct processes *t = processes_new();
	struct process *p = processes_get(t, 10, 100);
	const struct processes_omitted *omitted = processes_omitted(t);

	(void)state;
	processes_share(t, p, 3, 100);
	processes_share(t, p, 3, 11); /* two address spaces, one after the other: both held some */
	assert_int_equal(p->epoch, 3);
	assert_int_equal(p->share_bytes, 111);
	processes_share(t, p, 2, 5000); /* of an older peak */
	assert_int_equal(p->share_bytes, 111);
	processes_share(t, p, 4, 1); /* of a newer one */
	assert_int_equal(p->epoch, 4);
	assert_int_equal(p->share_bytes, 1);

	processes_share(t, NULL, 4, 50);
	processes_share(t, NULL, 4, 5);
	processes_share(t, NULL, 1, 999);
	assert_int_equal(omitted->epoch, 4);
	assert_int_equal(omitted->share_bytes, 55);
	assert_int_equal(omitted->count, 0);
	assert_int_equal(shares_at(t, 4), 56);
	processes_free(t);
}

static void assert_sorted(bool backwards)
{
	/* share at epoch 5, own peak, tgid; in the order that they must come in */
	static const struct {
		uint64_t epoch, share, peak, start_ns;
	} rows[] = {
		{ 5, 300, 1, 9 }, { 5, 200, 900, 8 },  { 5, 200, 800, 7 },
		{ 5, 100, 1, 1 }, { 4, 9999, 700, 6 }, /* of an older peak: nothing at this one */
		{ 5, 0, 600, 5 }, { 5, 0, 500, 2 },    { 5, 0, 500, 3 },
	};
	const size_t n = sizeof(rows) / sizeof(rows[0]);
	struct processes *t = processes_new();
	struct process **list = NULL;
	size_t count = 0;

	assert_int_equal(processes_sorted(t, 5, &list, &count), 0);
	assert_int_equal(count, 0);
	free(list);
	for (size_t i = 0; i < n; i++) {
		size_t k = backwards ? n - 1 - i : i, row = (k * 5 + 3) % n;
		struct process *p = processes_get(t, row + 1, rows[row].start_ns);

		processes_share(t, p, rows[row].epoch, rows[row].share);
		p->peak_bytes = rows[row].peak;
		if (row % 2)
			processes_end(t, p, END_EXITED, 0, 1);
	}
	assert_int_equal(processes_sorted(t, 5, &list, &count), 0);
	assert_int_equal(count, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(list[i]->key.tgid, i + 1);
	free(list);
	processes_free(t);
}

/* in whatever order they came */
static void sorted_by_share_then_by_own_peak(void **state)
{
	(void)state;
	assert_sorted(false);
	assert_sorted(true);
}

static void nothing_is_dropped_up_to_the_limit(void **state)
{
	struct processes *t = processes_new();

	(void)state;
	for (uint32_t i = 1; i <= 3000; i++)
		assert_non_null(processes_get(t, 100000 + i, 1)); /* alive ones do not count */
	for (uint32_t i = 1; i <= ENDED_LIMIT; i++) {
		add_ended(t, i, i, 1, 10);
		processes_trim(t);
	}
	assert_int_equal(listed(t), 3000 + ENDED_LIMIT);
	assert_int_equal(processes_omitted(t)->count, 0);
	add_ended(t, ENDED_LIMIT + 1, 1, 1, 10);
	processes_trim(t);
	assert_in_range(listed(t), 3000 + KEPT, 3000 + ENDED_LIMIT);
	assert_int_equal(processes_alive(t), 3000);
	assert_int_equal(processes_omitted(t)->count, 3000 + ENDED_LIMIT + 1 - listed(t));
	processes_free(t);
}

static int descending(const void *a, const void *b)
{
	uint64_t p = *(const uint64_t *)a, q = *(const uint64_t *)b;

	return p < q ? 1 : p > q ? -1 : 0;
}

/* 100,000 short-lived processes, all with a share of the one peak, 64 of them named by the user:
 * roots with nothing at all. */
static void the_largest_shares_and_the_roots_are_kept(void **state)
{
	struct processes *t = processes_new();
	uint64_t *shares = calloc(MANY, sizeof(*shares)), seed = 20240229, total = 0, minor, major;
	struct process **list;
	size_t count, roots = 0, before, after;

	(void)state;
	assert_non_null(shares);
	for (uint32_t i = 0; i < MANY; i++) {
		bool root = i % (MANY / 64) == 0 && roots < 64;
		struct process *p = processes_get(t, i + 1, next(&seed));

		shares[i] = root ? 0 : next(&seed) >> 30;
		total += shares[i];
		roots += root;
		p->root = root;
		p->minor_faults = 3;
		p->major_faults = 1;
		processes_share(t, p, 9, shares[i]);
		assert_int_equal(processes_end(t, p, END_EXITED, 0, 1 + i), 0);
		before = listed(t);
		processes_trim(t);
		after = listed(t);
		if (before <= ENDED_LIMIT)
			assert_int_equal(after, before);
		else
			assert_in_range(after, KEPT, ENDED_LIMIT / 2 + 64);
	}
	assert_int_equal(processes_seen(t), MANY);
	assert_int_equal(processes_alive(t), 0);
	assert_int_equal(processes_omitted(t)->count + listed(t), MANY);
	assert_true(shares_at(t, 9) == total);
	processes_ended_faults(t, &minor, &major);
	assert_int_equal(minor, 3 * MANY); /* also of those that are no longer listed */
	assert_int_equal(major, MANY);

	assert_int_equal(processes_sorted(t, 9, &list, &count), 0);
	qsort(shares, MANY, sizeof(*shares), descending);
	for (size_t i = 0; i < KEPT - 64; i++)
		assert_true(list[i]->share_bytes == shares[i]);
	for (size_t i = 0; i < count; i++)
		roots -= list[i]->root;
	assert_int_equal(roots, 0);
	free(list);
	free(shares);
	processes_free(t);
}

/* New peaks come while processes end: of the last one, nothing is lost and nothing is invented. */
static void the_sum_of_shares_stays_whatever_is_dropped(void **state)
{
	struct processes *t = processes_new();
	uint64_t seed = 77, epoch = 1, total = 0;

	(void)state;
	for (uint32_t i = 0; i < MANY; i++) {
		uint64_t share = next(&seed) >> 40, older = next(&seed) % 4 ? 0 : 1;
		struct process *p;

		if (next(&seed) % 5000 == 0) {
			epoch++;
			total = 0;
		}
		p = next(&seed) % 16 ? processes_get(t, i + 1, i) : NULL;
		processes_share(t, p, epoch - older, share);
		total += older ? 0 : share;
		if (p && next(&seed) % 50)
			processes_end(t, p, END_EXITED, 0, 1);
		processes_trim(t);
		if (i % 1000 == 0)
			assert_true(shares_at(t, epoch) == total);
	}
	assert_true(epoch > 2 && processes_omitted(t)->count > MANY / 2);
	assert_true(shares_at(t, epoch) == total);
	assert_int_equal(processes_omitted(t)->count + listed(t), processes_seen(t));
	processes_free(t);
}

static void those_that_live_are_never_dropped(void **state)
{
	struct processes *t = processes_new();
	struct process *p = processes_get(t, 1, 1);

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		add_ended(t, 10 + i, 1, 1, 100);
		processes_trim(t);
	}
	assert_ptr_equal(processes_find(t, 1, 1), p);
	assert_int_equal(processes_alive(t), 1);
	processes_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_its_tgid_and_its_start),
		cmocka_unit_test(a_process_ends_once),
		cmocka_unit_test(a_share_belongs_to_one_peak),
		cmocka_unit_test(sorted_by_share_then_by_own_peak),
		cmocka_unit_test(nothing_is_dropped_up_to_the_limit),
		cmocka_unit_test(the_largest_shares_and_the_roots_are_kept),
		cmocka_unit_test(the_sum_of_shares_stays_whatever_is_dropped),
		cmocka_unit_test(those_that_live_are_never_dropped),
	};

	return cmocka_run_group_tests_name("aggregate/processes", tests, NULL, NULL);
}
