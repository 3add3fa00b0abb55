/* cgroup_counters_test.c - what the kernel counts, from texts as Linux 6.18 (v2) and 5.10 (v1) have
 * them. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cgroup/counters.h"

static struct cgroup_counters fresh(void)
{
	struct cgroup_counters c;

	memset(&c, 0xff, sizeof(c));
	return c;
}

static void v2_files_have_their_meaning(void **state)
{
	struct cgroup_counters c = fresh();

	(void)state;
	cgroup_counters_parse(2, "memory.current", "104857600\n", &c);
	cgroup_counters_parse(2, "memory.max", "max\n", &c);
	cgroup_counters_parse(2, "memory.stat",
			      "anon 1000\nfile 2000\nkernel 300\nkernel_stack 16\npagetables 8\n"
			      "file_mapped 7\ninactive_file 5\nslab 99\nshmem 3\n",
			      &c);
	cgroup_counters_parse(2, "memory.events", "low 0\nhigh 1\nmax 22\noom 3\noom_kill 2\n", &c);
	cgroup_counters_parse(2, "memory.pressure",
			      "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234\n"
			      "full avg10=0.00 avg60=0.00 avg300=0.00 total=567\n",
			      &c);
	cgroup_counters_parse(2, "cpu.stat", "usage_usec 5\nnr_throttled 4\nthrottled_usec 9000\n",
			      &c);
	assert_int_equal(c.usage, 104857600);
	assert_int_equal(c.limit, COUNTER_UNKNOWN);
	assert_int_equal(c.anon, 1000);
	assert_int_equal(c.file, 2000); /* not file_mapped */
	assert_int_equal(c.kernel, 300);
	assert_int_equal(c.kernel_stack, 16);
	assert_int_equal(c.oom, 3);
	assert_int_equal(c.oom_kill, 2);
	assert_int_equal(c.memory_some_us, 1234);
	assert_int_equal(c.memory_full_us, 567);
	assert_int_equal(c.throttled_us, 9000);
	assert_int_equal(c.zswap, COUNTER_UNKNOWN);
}

static void v1_files_are_brought_to_the_same_meaning(void **state)
{
	struct cgroup_counters c = fresh();

	(void)state;
	cgroup_counters_parse(1, "memory.stat",
			      "cache 1\nrss 2\nhierarchical_memory_limit 104857600\n"
			      "total_cache 4096\ntotal_rss 8192\ntotal_shmem 0\n",
			      &c);
	cgroup_counters_parse(1, "memory.oom_control",
			      "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", &c);
	cgroup_counters_parse(1, "cpu.stat", "nr_periods 1\nnr_throttled 2\nthrottled_time 5000\n",
			      &c);
	assert_int_equal(c.anon, 8192);
	assert_int_equal(c.file, 4096);
	assert_int_equal(c.limit, 104857600);
	assert_int_equal(c.oom_kill, 3);
	assert_int_equal(c.throttled_us, 5);
}

static void what_is_no_number_is_not_known(void **state)
{
	struct cgroup_counters c = fresh();

	(void)state;
	cgroup_counters_parse(2, "memory.current", "", &c);
	cgroup_counters_parse(2, "memory.stat", "anon\nfile x\nshmem 99999999999999999999999\n",
			      &c);
	cgroup_counters_parse(2, "memory.pressure", "some avg10=0.00", &c);
	assert_int_equal(c.usage, COUNTER_UNKNOWN);
	assert_int_equal(c.anon, COUNTER_UNKNOWN);
	assert_int_equal(c.file, COUNTER_UNKNOWN);
	assert_int_equal(c.shmem, COUNTER_UNKNOWN);
	assert_int_equal(c.memory_some_us, COUNTER_UNKNOWN);
}

static void every_row_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (size_t i = 0; cgroup_counter_rows[i].name; i++)
		for (size_t k = 0; k < i; k++) {
			assert_string_not_equal(cgroup_counter_rows[i].name,
						cgroup_counter_rows[k].name);
			assert_int_not_equal(cgroup_counter_rows[i].offset,
					     cgroup_counter_rows[k].offset);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(v2_files_have_their_meaning),
		cmocka_unit_test(v1_files_are_brought_to_the_same_meaning),
		cmocka_unit_test(what_is_no_number_is_not_known),
		cmocka_unit_test(every_row_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests_name("cgroup/counters", tests, NULL, NULL);
}
