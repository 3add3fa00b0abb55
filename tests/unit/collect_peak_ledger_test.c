/* collect_peak_ledger_test.c - the table that adds up to the peak of a cgroup; oracle: sums by
 * hand. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "collect/peak_ledger.h"

#define MB (1ULL << 20)

static struct processes *processes;
static struct memcg_peak peak;
static const char *moment;

static int setup(void **state)
{
	(void)state;
	processes = processes_new();
	memset(&peak, 0, sizeof(peak));
	memset(&peak.look, 0xff, sizeof(peak.look));
	peak.look_ns = 1000;
	return processes ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	processes_free(processes);
	return 0;
}

static struct process *process(uint32_t tgid, const char *name, uint64_t anon)
{
	struct process *p = processes_get(processes, tgid, 5);

	assert_non_null(p);
	p->pid = tgid;
	strcpy(p->name, name);
	p->usage_tick = 7;
	p->at_usage.anon = anon;
	return p;
}

static json_t *ledger(uint64_t rss_epoch, uint64_t rss_peak_ns)
{
	const struct peak_ledger_moments moments = { 7, rss_epoch, rss_peak_ns };

	return peak_ledger_json(&peak, processes, &moments, &moment);
}

static uint64_t of(json_t *rows, const char *kind, const char *name)
{
	uint64_t bytes = 0;
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		if (!strcmp(json_string_value(json_object_get(row, "kind")), kind) &&
		    (!name || !strcmp(json_string_value(json_object_get(row, "name")), name)))
			bytes += (uint64_t)json_integer_value(json_object_get(row, "bytes"));
	}
	return bytes;
}

static void assert_sum(json_t *rows)
{
	double shares = 0;
	uint64_t bytes = 0;
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		bytes += (uint64_t)json_integer_value(json_object_get(row, "bytes"));
		shares += json_real_value(json_object_get(row, "share"));
	}
	assert_int_equal(bytes, peak.bytes);
	assert_true(shares > 0.999999 && shares < 1.000001);
}

static void every_byte_has_a_row(void **state)
{
	json_t *rows;

	(void)state;
	process(10, "small", 20 * MB);
	process(11, "large", 50 * MB);
	peak.bytes = 101 * MB;
	peak.look.usage = 100 * MB;
	peak.look.anon = 70 * MB;
	peak.look.file = 21 * MB;
	peak.look.shmem = 1 * MB;
	peak.look.kernel = 7 * MB;
	peak.look.slab = 2 * MB;
	peak.look.pagetables = 1 * MB;
	rows = ledger(0, 0);
	assert_string_equal(moment, "look");
	assert_int_equal(of(rows, "process", "large-11"), 50 * MB);
	assert_int_equal(of(rows, "process", "small-10"), 20 * MB);
	assert_int_equal(of(rows, "file", NULL), 20 * MB);
	assert_int_equal(of(rows, "shmem", NULL), 1 * MB);
	assert_int_equal(of(rows, "kernel", "slab"), 2 * MB);
	assert_int_equal(of(rows, "kernel", "other kernel memory"), 4 * MB);
	assert_int_equal(of(rows, "unattributed", NULL), 2 * MB);
	assert_int_equal(of(rows, "later", NULL), 1 * MB);
	assert_sum(rows);
	json_decref(rows);
}

/* Forked: both have 60 MB in their RSS, 60 MB are charged. */
static void shared_pages_are_divided(void **state)
{
	json_t *rows;

	(void)state;
	process(10, "a", 60 * MB);
	process(11, "b", 60 * MB);
	peak.bytes = peak.look.usage = peak.look.anon = 60 * MB;
	rows = ledger(0, 0);
	assert_int_equal(of(rows, "process", "a-10"), 30 * MB);
	assert_int_equal(of(rows, "process", "b-11"), 30 * MB);
	assert_sum(rows);
	json_decref(rows);
}

static void what_no_process_has_is_told(void **state)
{
	json_t *rows;

	(void)state;
	process(10, "a", 10 * MB);
	peak.bytes = peak.look.usage = peak.look.anon = 60 * MB;
	rows = ledger(0, 0);
	assert_int_equal(of(rows, "anonymous", NULL), 50 * MB);
	assert_sum(rows);
	json_decref(rows);
}

/* The last look saw 10 MB, the peak was 100: the highest RSS, of which each share is known, was
 * later. */
static void memory_that_grew_too_fast_is_told_by_the_highest_rss(void **state)
{
	struct process *p = process(10, "a", 1 * MB);
	json_t *rows;

	(void)state;
	p->parts.file = 4 * MB;
	p->epoch = 3;
	p->share_bytes = 94 * MB;
	peak.bytes = 100 * MB;
	peak.look.usage = 10 * MB;
	peak.look.anon = 1 * MB;
	peak.look.file = 5 * MB;
	peak.look.kernel = 3 * MB;
	peak.ns = 2100;
	rows = ledger(3, 2000);
	assert_string_equal(moment, "rss_peak");
	assert_int_equal(of(rows, "process", "a-10"), 90 * MB);
	assert_sum(rows);
	json_decref(rows);
	peak.ns = 1050;
	rows = ledger(3, 500); /* the look is nearer */
	assert_string_equal(moment, "look");
	assert_int_equal(of(rows, "later", NULL), 90 * MB);
	assert_sum(rows);
	json_decref(rows);
}

/* Counters are read one after the other: together they may be more than usage was. */
static void rows_never_exceed_the_peak(void **state)
{
	json_t *rows;

	(void)state;
	process(10, "a", 90 * MB);
	peak.bytes = peak.look.usage = 100 * MB;
	peak.look.anon = 90 * MB;
	peak.look.file = 30 * MB;
	peak.look.kernel = 30 * MB;
	rows = ledger(0, 0);
	assert_sum(rows);
	json_decref(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_byte_has_a_row, setup, teardown),
		cmocka_unit_test_setup_teardown(shared_pages_are_divided, setup, teardown),
		cmocka_unit_test_setup_teardown(what_no_process_has_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    memory_that_grew_too_fast_is_told_by_the_highest_rss, setup, teardown),
		cmocka_unit_test_setup_teardown(rows_never_exceed_the_peak, setup, teardown),
	};

	return cmocka_run_group_tests_name("collect/peak_ledger", tests, NULL, NULL);
}
