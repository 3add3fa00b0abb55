/* report_findings_test.c - what stands out in a run is told, by name; what does not is not. Oracle:
 * what the test has put into the run; for intervals, arithmetic by hand.
 */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "report/findings_private.h"

#define MB 1048576.0
#define TICKS 200
#define SECOND_TICKS 10 /* ticks a second */
#define DURATION ((double)TICKS / SECOND_TICKS)

static struct run run;
static struct findings findings;
static char place[64];

typedef double curve_fn(int tick);

static int set_up(void **state)
{
	(void)state;
	snprintf(place, sizeof(place), "/tmp/findings-test-XXXXXX");
	if (!mkdtemp(place))
		return -1;
	run = (struct run){ .dirfd = open(place, O_RDONLY | O_DIRECTORY),
			    .manifest = json_pack("{s:{s:f,s:s}}", "task", "duration_s", DURATION,
						  "end", "exited") };
	return run.dirfd < 0 || !run.manifest;
}

static int tear_down(void **state)
{
	(void)state;
	findings_done(&findings);
	unlinkat(run.dirfd, "massif.out", 0);
	close(run.dirfd);
	json_decref(run.manifest);
	free(run.rows);
	profile_free(run.profile);
	allocations_free(run.allocations);
	return rmdir(place);
}

/* ---- what runs are made of */

static void rss(curve_fn *curve)
{
	run.rows = calloc(TICKS, sizeof(*run.rows));
	run.n_rows = TICKS;
	assert_non_null(run.rows);
	for (int i = 0; i < TICKS; i++) {
		struct run_row *row = &run.rows[i];

		for (int c = 0; c < RUN_COLUMNS; c++)
			row->v[c] = NAN;
		row->v[RUN_TIME] = row->v[RUN_RSS_PEAK_TIME] = (double)i / SECOND_TICKS;
		row->v[RUN_RSS] = row->v[RUN_RSS_MIN] = row->v[RUN_RSS_PEAK] = curve(i);
	}
}

static void massif(curve_fn *curve)
{
	FILE *f = fdopen(openat(run.dirfd, "massif.out", O_CREAT | O_WRONLY | O_TRUNC, 0600), "w");

	assert_non_null(f);
	for (int i = 0; i < TICKS; i++)
		fprintf(f, "time=%d\nmem_heap_B=%.0f\n", i * 1000 / SECOND_TICKS, curve(i));
	assert_int_equal(fclose(f), 0);
}

static uint32_t frame(struct profile *p, const char *name, const char *path)
{
	struct profile_mapping m = { .path = path, .limit = 4096 };
	struct profile_frame f = { .name = name, .mapping = profile_mapping(p, &m) };

	return profile_frame(p, &f);
}

/* main() ► @function ► malloc of libc */
static uint32_t stack(struct profile *p, const char *function, const char *library)
{
	uint32_t s = profile_stack(p, PROFILE_NO_STACK, frame(p, "main", "/opt/app"));

	s = profile_stack(p, s, frame(p, function, "/opt/app"));
	return profile_stack(p, s, frame(p, library, "/usr/lib/x86_64-linux-gnu/libc.so.6"));
}

static uint32_t thread(struct profile *p)
{
	struct profile_process process = { .name = "app-7", .pid = 7 };
	struct profile_thread t = { .name = "app-7", .tid = 7 };

	t.process = profile_process(p, &process);
	return profile_thread(p, &t);
}

static void heap_of(double peak_s)
{
	struct allocations_facts facts = { .exact = true,
					   .peak_ns = (uint64_t)(peak_s * 1e9),
					   .command = "app" };

	run.allocations = allocations_new(&facts);
	assert_non_null(run.allocations);
	thread(allocations_tree(run.allocations));
}

static void holds(const char *function, double peak, double leaked)
{
	struct allocation_entry e = { .peak = { (uint64_t)peak, 1 },
				      .leaked = { (uint64_t)leaked, 1 } };

	e.stack = stack(allocations_tree(run.allocations), function, "malloc");
	assert_int_equal(allocations_add(run.allocations, &e), 0);
}

static void profile_of(void)
{
	run.profile = profile_new(10000000, 1000000000);
	assert_non_null(run.profile);
	thread(run.profile);
	json_object_set_new(run.manifest, "diagnostics",
			    json_pack("{s:{s:s}}", "profile", "mode", "phase"));
}

static void spends(const char *function, const char *library, const char *cause, uint64_t marks)
{
	uint32_t number = profile_cause(run.profile, cause, !strcmp(cause, "cpu"));

	assert_int_equal(
	    profile_add(run.profile, stack(run.profile, function, library), 0, number, 0, marks),
	    0);
}

static void cgroup(double usage, double file, double shmem)
{
	json_object_set_new(run.manifest, "diagnostics",
			    json_pack("{s:{s:{s:f,s:f,s:f,s:f,s:f,s:f}}}", "memory", "cgroup",
				      "usage_bytes", usage, "file_bytes", file, "shmem_bytes",
				      shmem, "anon_bytes", usage - file, "inactive_file_bytes",
				      file / 2, "throttled_us", 0.0));
}

/* ---- what is said of them */

static void look(void)
{
	findings_done(&findings);
	assert_int_equal(findings_init(&findings, &run), 0);
}

static void assert_silence(void)
{
	look();
	if (findings.n)
		fail_msg("a false finding: %s", findings.all[0].sentence);
}

static const struct finding *assert_one(const char *kind, const char *part)
{
	look();
	assert_int_equal(findings.n, 1);
	assert_string_equal(findings.all[0].kind, kind);
	if (!strstr(findings.all[0].sentence, part))
		fail_msg("no '%s' in: %s", part, findings.all[0].sentence);
	assert_non_null(findings.all[0].evidence);
	assert_non_null(findings.all[0].why);
	return &findings.all[0];
}

/* ---- curves */

static double flat(int tick)
{
	return 100 * MB + (tick % 2 ? MB : 0);
}

/* 1 MB a second, with noise above it that comes and goes */
static double leak(int tick)
{
	return 20 * MB + tick * MB / SECOND_TICKS + (tick * 7 % 5) * MB;
}

static double sawtooth(int tick)
{
	return 20 * MB + (tick % 25) * 4 * MB;
}

/* one long rise, then a plateau: an ordinary start */
static double warm_up(int tick)
{
	return 20 * MB + fmin(tick, 120) * MB;
}

static double step(int tick)
{
	return tick < 150 ? 50 * MB : 90 * MB;
}

static double burst(int tick)
{
	return tick >= 100 && tick < 110 ? 400 * MB : 50 * MB + (tick % 3) * MB;
}

static double long_phase(int tick)
{
	return tick >= 80 && tick < 130 ? 400 * MB : 50 * MB;
}

static double two_bursts(int tick)
{
	return burst(tick) + (tick >= 140 && tick < 145 ? 349 * MB : 0);
}

static double high(int tick)
{
	return tick < 10 ? 50 * MB : 200 * MB;
}

static double freed(int tick)
{
	return tick < 40 ? 190 * MB : 10 * MB;
}

static double kept(int tick)
{
	(void)tick;
	return 190 * MB;
}

/* ---- growth */

static void steady_growth_is_told_with_its_rate_and_function(void **state)
{
	const struct finding *f;

	(void)state;
	rss(leak);
	massif(leak);
	heap_of(DURATION - 0.1);
	holds("grow_table", 30 * MB, 30 * MB);
	holds("read_config", 5 * MB, 5 * MB);
	f = assert_one("growth", "grow_table");
	/* oracle: leak() rises by 1 MB a second */
	assert_non_null(strstr(f->sentence, "60.0 MB a minute"));
	assert_true(f->sure);
	assert_string_equal(f->tab, "allocations");
}

static void growth_that_only_rss_shows_has_medium_confidence(void **state)
{
	(void)state;
	rss(leak);
	heap_of(DURATION - 0.1);
	holds("grow_table", 30 * MB, 30 * MB);
	assert_false(assert_one("growth", "grow_table")->sure);
}

static void growth_that_nobody_holds_most_of_is_not_told(void **state)
{
	(void)state;
	rss(leak);
	massif(leak);
	heap_of(DURATION - 0.1);
	holds("a", 10 * MB, 10 * MB);
	holds("b", 11 * MB, 11 * MB);
	holds("c", 12 * MB, 12 * MB);
	assert_silence();
}

static void growth_of_what_is_freed_before_the_end_is_not_told(void **state)
{
	(void)state;
	rss(leak);
	massif(leak);
	heap_of(DURATION / 2); /* its peak is not at the end: what was left counts */
	holds("grow_table", 30 * MB, 0);
	assert_silence();
}

static void healthy_curves_are_silent(void **state)
{
	static curve_fn *const curves[] = { flat, sawtooth, warm_up, step };

	(void)state;
	heap_of(DURATION - 0.1);
	holds("load", 90 * MB, 90 * MB);
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		free(run.rows);
		rss(curves[i]);
		massif(curves[i]);
		assert_silence();
	}
}

static void a_short_run_claims_no_growth(void **state)
{
	(void)state;
	rss(leak);
	massif(leak);
	heap_of(4.8);
	holds("grow_table", 30 * MB, 30 * MB);
	run.n_rows = 49; /* 4.8 s */
	json_object_set_new(json_object_get(run.manifest, "task"), "duration_s", json_real(4.9));
	assert_silence();
}

static void few_ticks_claim_no_growth(void **state)
{
	(void)state;
	rss(leak);
	heap_of(DURATION - 0.1);
	holds("grow_table", 30 * MB, 30 * MB);
	for (int i = 0; i < 19; i++)
		run.rows[i] = run.rows[i * 10];
	run.n_rows = 19;
	assert_silence();
}

/* ---- lost time */

static void lost_time_names_its_cause_and_function(void **state)
{
	static const struct {
		const char *cause, *library, *part;
	} kinds[] = {
		{ "[run queue]", "sched", "in the run queue" },
		{ "[GIL]", "take_gil", "the GIL" },
		{ "[lock]", "pthread_mutex_lock", "locks" },
		{ "[reclaim]", "memset", "reclaim" },
		{ "[throttled]", "sched", "quota" },
		{ "[page fault]", "memcpy", "page faults" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct finding *f;

		profile_free(run.profile);
		profile_of();
		spends("compute", "memcpy", "cpu", 600);
		spends("waits_here", kinds[i].library, kinds[i].cause, 400);
		spends("idle", "epoll_wait", "[epoll]", 100000);
		f = assert_one("lost", "waits_here");
		assert_non_null(strstr(f->sentence, kinds[i].part));
		assert_non_null(strstr(f->sentence, "40.0 %"));
		assert_true(f->sure);
	}
}

static void idle_threads_of_a_pool_are_not_lost_time(void **state)
{
	(void)state;
	profile_of();
	spends("compute", "memcpy", "cpu", 600);
	spends("wait_for_work", "pthread_cond_wait", "[lock]", 60000);
	spends("wait_for_join", "pthread_join", "[lock]", 60000);
	assert_silence();
}

static void a_small_share_and_a_short_time_are_not_told(void **state)
{
	(void)state;
	profile_of();
	spends("compute", "memcpy", "cpu", 800);
	spends("compute", "sched", "[run queue]", 200); /* 20 % */
	assert_silence();
	profile_free(run.profile);
	profile_of();
	spends("compute", "memcpy", "cpu", 50);
	spends("compute", "sched", "[run queue]", 140); /* 1.9 s in all */
	assert_silence();
}

static void throttling_is_told_without_a_profile(void **state)
{
	(void)state;
	cgroup(MB, 0, 0);
	json_object_set_new(
	    json_object_get(json_object_get(json_object_get(run.manifest, "diagnostics"), "memory"),
			    "cgroup"),
	    "throttled_us", json_integer(5000000));
	assert_one("lost", "5.00 s in 20.00 s");
}

/* ---- bursts, caches, what stays, OOM */

static void one_burst_is_told_with_its_function(void **state)
{
	const struct finding *f;

	(void)state;
	rss(burst);
	heap_of(10.5);
	holds("build_index", 350 * MB, 0);
	holds("base", 50 * MB, 50 * MB);
	f = assert_one("burst", "build_index");
	assert_true(f->from_s <= 10 && f->to_s >= 10.9 && f->to_s - f->from_s < 2);
}

static void phases_and_repeated_bursts_are_not_told(void **state)
{
	static curve_fn *const curves[] = { long_phase, two_bursts };

	(void)state;
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		free(run.rows);
		rss(curves[i]);
		assert_silence();
	}
}

static void page_cache_is_told_from_heap_and_shared_memory(void **state)
{
	(void)state;
	cgroup(500 * MB, 450 * MB, 0);
	assert_one("cache", "90.0 %");
	cgroup(500 * MB, 450 * MB, 400 * MB); /* tmpfs: the kernel cannot take it back */
	assert_silence();
	cgroup(500 * MB, 100 * MB, 0);
	assert_silence();
	cgroup(20 * MB, 19 * MB, 0);
	assert_silence();
}

static void rss_that_stays_after_the_heap_is_told(void **state)
{
	(void)state;
	rss(high);
	massif(freed);
	heap_of(3);
	holds("parse", 190 * MB, 10 * MB);
	assert_one("retained", "10.0 MB of the heap");
	massif(kept); /* it is live: no wonder that it stays */
	assert_silence();
}

static void an_oom_kill_comes_first_and_names_its_victim(void **state)
{
	(void)state;
	rss(burst);
	json_object_set_new(json_object_get(run.manifest, "task"), "end", json_string("oom"));
	json_object_set_new(run.manifest, "diagnostics",
			    json_pack("{s:{s:[{s:s,s:i,s:s,s:f}]}}", "memory", "processes", "name",
				      "eater", "pid", 42, "end", "oom", "peak_rss_bytes",
				      100 * MB));
	heap_of(10.5);
	holds("eat", 90 * MB, 90 * MB);
	look();
	assert_true(findings.n >= 1);
	assert_string_equal(findings.all[0].kind, "oom");
	assert_non_null(strstr(findings.all[0].sentence, "eater-42"));
	assert_non_null(strstr(findings.all[0].sentence, "eat (app)"));
}

/* ---- all of them */

static void at_most_five_are_told_weightiest_first(void **state)
{
	static const char *const causes[] = { "[throttled]", "[GIL]", "[run queue]", "[reclaim]",
					      "[page fault]" };
	static const uint64_t marks[] = { 150, 260, 262, 150, 150 };

	(void)state;
	profile_of();
	cgroup(500 * MB, 450 * MB, 0);
	for (size_t i = 0; i < 5; i++) /* seven that stand out, with the cache and the kill */
		spends("f", "g", causes[i], marks[i]);
	json_object_set_new(json_object_get(run.manifest, "task"), "end", json_string("oom"));
	look();
	assert_int_equal(findings.n, FINDINGS_MAX);
	assert_string_equal(findings.all[0].kind, "oom");
	for (size_t i = 1; i < findings.n; i++) {
		assert_true(findings.all[i - 1].weight >= findings.all[i].weight);
		assert_string_equal(findings.all[i].kind, "lost");
	}
	assert_non_null(strstr(findings.all[1].sentence, "27.0 %"));
}

static char *written(int (*write)(FILE *out))
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	assert_int_equal(write(f), 0);
	assert_int_equal(fclose(f), 0);
	return text;
}

static int write_json(FILE *out)
{
	return findings_json(&findings, out);
}

static int write_screen(FILE *out)
{
	return findings_print(&findings, 80, false, out);
}

static void hostile_names_stay_data(void **state)
{
	_cleanup_free_ char *json = NULL, *screen = NULL;
	json_t *parsed;

	(void)state;
	profile_of();
	spends("</script>\x1b[31m\n%s%n", "x", "[GIL]", 400);
	look();
	assert_int_equal(findings.n, 1);
	json = written(write_json);
	assert_null(strstr(json, "</script"));
	parsed = json_loads(json, 0, NULL);
	assert_int_equal(json_array_size(parsed), 1);
	json_decref(parsed);
	screen = written(write_screen);
	assert_null(strchr(screen, '\x1b'));
	assert_non_null(strstr(screen, "%s%n"));
}

static void every_limit_has_a_name_and_a_reason(void **state)
{
	(void)state;
	for (int i = 0; i < LIMITS; i++) {
		assert_non_null(finding_limits[i].name);
		assert_non_null(finding_limits[i].reason);
		assert_true(finding_limit(i) > 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(steady_growth_is_told_with_its_rate_and_function),
		TEST(growth_that_only_rss_shows_has_medium_confidence),
		TEST(growth_that_nobody_holds_most_of_is_not_told),
		TEST(growth_of_what_is_freed_before_the_end_is_not_told),
		TEST(healthy_curves_are_silent),
		TEST(a_short_run_claims_no_growth),
		TEST(few_ticks_claim_no_growth),
		TEST(lost_time_names_its_cause_and_function),
		TEST(idle_threads_of_a_pool_are_not_lost_time),
		TEST(a_small_share_and_a_short_time_are_not_told),
		TEST(throttling_is_told_without_a_profile),
		TEST(one_burst_is_told_with_its_function),
		TEST(phases_and_repeated_bursts_are_not_told),
		TEST(page_cache_is_told_from_heap_and_shared_memory),
		TEST(rss_that_stays_after_the_heap_is_told),
		TEST(an_oom_kill_comes_first_and_names_its_victim),
		TEST(at_most_five_are_told_weightiest_first),
		TEST(hostile_names_stay_data),
		TEST(every_limit_has_a_name_and_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
