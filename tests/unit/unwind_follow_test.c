/* unwind_follow_test.c - processes by events alone, in every order that two sources can have;
 * oracle: the events as they were meant, and a live process's own maps. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/clock.h"
#include "unwind/follow.h"

#define START 1000
#define NOBODY 0x7ffffff0 /* a pid that cannot be */
#define CODE 0x555500000000ULL

struct fixture {
	struct inspect *inspect;
	struct space *space;
	struct files *files;
	struct mappings *mappings;
	struct follow *follow;
	pid_t alive; /* a process that waits */
	uint32_t kernel_execs;
	int asked;    /* how often the kernel was asked */
	int exec_now; /* at that question it executes; 0: never */
	bool no_target;
};

static int execs(void *context, uint32_t tgid, uint64_t start_ns, uint32_t *ret)
{
	struct fixture *f = context;

	(void)tgid;
	if (f->no_target || start_ns < START)
		return -ESRCH;
	if (++f->asked == f->exec_now)
		f->kernel_execs++;
	*ret = f->kernel_execs;
	return 0;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct unwinder_config config = { .follow_children = true, .execs = execs, .context = f };

	assert_non_null(f);
	assert_int_equal(inspect_new(NULL, &f->inspect), 0);
	assert_int_equal(space_new(-1, &f->space), 0);
	assert_int_equal(files_new(f->inspect, f->space, NULL, &f->files), 0);
	assert_int_equal(mappings_new(-1, -1, -1, &f->mappings), 0);
	assert_int_equal(follow_new(&config, f->files, f->mappings, &f->follow), 0);
	f->alive = fork();
	if (!f->alive) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	kill(f->alive, SIGKILL);
	waitpid(f->alive, NULL, 0);
	inspect_free(f->inspect);
	follow_free(f->follow);
	files_free(f->files);
	mappings_free(f->mappings);
	space_free(f->space);
	free(f);
	return 0;
}

static void event(struct fixture *f, enum sideband_type type, uint32_t pid, uint32_t parent)
{
	struct sideband_event e = { .type = type,
				    .pid = pid,
				    .tid = pid,
				    .parent = parent,
				    .time_ns = clock_monotonic_ns() };

	if (type == SIDEBAND_LOST)
		e.lost = 3;
	follow_event(f->follow, &e);
}

/* Anonymous code: it needs no file. */
static void map(struct fixture *f, uint32_t pid, uint64_t start)
{
	struct sideband_event e = { .type = SIDEBAND_MAP,
				    .pid = pid,
				    .tid = pid,
				    .time_ns = clock_monotonic_ns(),
				    .region = {
					.start = start, .length = 4096, .path = "//anon" } };

	follow_event(f->follow, &e);
}

static void pump(struct fixture *f)
{
	uint64_t begin = clock_monotonic_ns();
	bool busy;

	do {
		assert_int_equal(inspect_wait(f->inspect, 60 * NS_PER_S), 0);
		follow_pump(f->follow, clock_monotonic_ns());
		busy = follow_busy(f->follow) || files_asked(f->files);
	} while (busy && clock_monotonic_ns() - begin < 60 * NS_PER_S);
	assert_false(busy);
}

/* Until what waits for some time has had it. */
static void pump_for(struct fixture *f, uint64_t ns)
{
	uint64_t begin = clock_monotonic_ns();

	while (clock_monotonic_ns() - begin < ns) {
		usleep(2000);
		pump(f);
	}
}

static bool range_of(const struct follow *f, uint32_t tgid, uint32_t *ret_first,
		     uint32_t *ret_count)
{
	const struct unwind_process *shown = follow_shown(f, tgid);

	if (shown) {
		*ret_first = shown->first;
		*ret_count = shown->count;
	}
	return shown;
}

static bool knows(struct fixture *f, uint32_t tgid, uint64_t address)
{
	struct mapping m;

	return follow_find(f->follow, tgid, address, &m);
}

static uint64_t rescans(struct fixture *f)
{
	struct unwinder_stats stats = {};

	follow_stats(f->follow, &stats);
	return stats.rescans;
}

/* Of the fixture's process, shown to walks as it is. */
static void assert_read(struct fixture *f, uint32_t tgid)
{
	uint32_t first, count;

	assert_true(knows(f, tgid, (uintptr_t)assert_read)); /* it has forked from us */
	assert_true(range_of(f->follow, tgid, &first, &count));
	for (uint32_t i = 1; i < count; i++) {
		const struct mapping *m = mappings_at(f->mappings, first + i);

		assert_true(m[-1].start + m[-1].length <= m->start);
		assert_true(m->kind == MAPPING_ROWS || m->kind == MAPPING_NONE);
	}
	assert_true(count > 3);
}

static void a_child_is_its_parent_until_one_changes(void **state)
{
	struct fixture *f = *state;
	uint32_t first, count, first_child, count_child;

	assert_int_equal(follow_process(f->follow, f->alive, f->alive, START, true), 0);
	pump(f);
	event(f, SIDEBAND_FORK, NOBODY, f->alive);
	event(f, SIDEBAND_FORK, NOBODY + 1, NOBODY);
	map(f, NOBODY + 1, CODE);      /* of the grandchild alone */
	map(f, f->alive, CODE + 8192); /* of the first, after the fork */
	assert_int_equal(follow_process(f->follow, NOBODY, NOBODY, START + 1, false), 0);
	assert_int_equal(follow_process(f->follow, NOBODY + 1, NOBODY + 1, START + 2, false), 0);
	pump(f);
	assert_read(f, f->alive);
	assert_read(f, NOBODY);
	assert_read(f, NOBODY + 1);
	assert_true(!knows(f, f->alive, CODE) && knows(f, f->alive, CODE + 8192));
	assert_true(!knows(f, NOBODY, CODE) && !knows(f, NOBODY, CODE + 8192));
	assert_true(knows(f, NOBODY + 1, CODE) && !knows(f, NOBODY + 1, CODE + 8192));
	event(f, SIDEBAND_FORK, NOBODY + 2, NOBODY);
	assert_int_equal(follow_process(f->follow, NOBODY + 2, NOBODY + 2, START + 3, false), 0);
	pump(f);
	assert_true(range_of(f->follow, NOBODY, &first, &count));
	assert_true(range_of(f->follow, NOBODY + 2, &first_child, &count_child));
	assert_int_equal(first, first_child); /* shared */
	assert_int_equal(count, count_child);
	assert_int_equal(rescans(f), 1);
}

/* The record of the ring comes before the event of the fork. */
static void a_child_may_be_told_before_its_fork(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(follow_process(f->follow, f->alive, f->alive, START, true), 0);
	pump(f);
	assert_int_equal(follow_process(f->follow, NOBODY, NOBODY, START + 1, false), 0);
	event(f, SIDEBAND_FORK, NOBODY, f->alive);
	pump(f);
	assert_read(f, NOBODY);
	assert_int_equal(rescans(f), 1);
	/* that of an unknown parent: it is read by itself, when its fork does not come */
	assert_int_equal(follow_process(f->follow, NOBODY, NOBODY, START + 2, false), 0);
	pump_for(f, 50 * NS_PER_MS);
	assert_false(knows(f, NOBODY, (uintptr_t)assert_read)); /* there is no such process */
}

static void strangers_are_ignored(void **state)
{
	struct fixture *f = *state;

	event(f, SIDEBAND_FORK, NOBODY, 1);
	map(f, NOBODY, CODE);
	event(f, SIDEBAND_EXEC, NOBODY, 0);
	event(f, SIDEBAND_EXIT, NOBODY, 0);
	pump(f);
	assert_false(knows(f, NOBODY, CODE));
	assert_int_equal(follow_due(f->follow), 0);
}

static void an_exec_forgets_what_was_mapped(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(follow_process(f->follow, f->alive, f->alive, START, true), 0);
	pump(f);
	event(f, SIDEBAND_FORK, NOBODY, f->alive);
	assert_int_equal(follow_process(f->follow, NOBODY, NOBODY, START + 1, false), 0);
	map(f, NOBODY, CODE);
	event(f, SIDEBAND_EXEC, NOBODY, 0);
	map(f, NOBODY, CODE + 4096);
	pump(f);
	assert_false(knows(f, NOBODY, CODE));
	assert_true(knows(f, NOBODY, CODE + 4096));
	assert_false(knows(f, NOBODY, (uintptr_t)assert_read));
	assert_read(f, f->alive);
}

static void events_older_than_the_scan_are_in_it_already(void **state)
{
	struct fixture *f = *state;
	struct sideband_event old = { .type = SIDEBAND_MAP,
				      .pid = f->alive,
				      .time_ns = clock_monotonic_ns(),
				      .region = { .start = CODE, .length = 4096, .path = "" } };

	assert_int_equal(follow_process(f->follow, f->alive, f->alive, START, true), 0);
	pump(f);
	follow_event(f->follow, &old); /* unmapped since, perhaps */
	assert_false(knows(f, f->alive, CODE));
	map(f, f->alive, CODE);
	assert_true(knows(f, f->alive, CODE));
	follow_rescan(f->follow, f->alive);
	pump_for(f, 50 * NS_PER_MS);
	assert_false(knows(f, f->alive, CODE)); /* it never was in truth */
	assert_read(f, f->alive);
}

/* It executes between the two questions around the reading. */
static void a_scan_of_two_programs_is_done_again(void **state)
{
	struct fixture *f = *state;

	f->exec_now = 2;
	assert_int_equal(follow_process(f->follow, f->alive, f->alive, START, true), 0);
	pump_for(f, 20 * NS_PER_MS);
	assert_int_equal(rescans(f), 2);
	assert_read(f, f->alive);
}

/* The kernel has counted an exec that no event told of. */
static void a_missed_exec_is_noticed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(follow_process(f->follow, f->alive, f->alive, START, true), 0);
	pump(f);
	map(f, f->alive, CODE);
	assert_true(knows(f, f->alive, CODE));
	f->kernel_execs = 1;
	pump_for(f, 400 * NS_PER_MS);
	assert_false(knows(f, f->alive, CODE)); /* read anew */
	assert_true(rescans(f) >= 2);
	assert_read(f, f->alive);
}

static void after_a_loss_all_is_read_anew(void **state)
{
	struct fixture *f = *state;
	struct unwinder_stats stats = {};

	assert_int_equal(follow_process(f->follow, f->alive, f->alive, START, true), 0);
	pump(f);
	map(f, f->alive, CODE);
	event(f, SIDEBAND_LOST, 0, 0);
	pump_for(f, 50 * NS_PER_MS);
	assert_false(knows(f, f->alive, CODE));
	follow_stats(f->follow, &stats);
	assert_int_equal(stats.lost_events, 3);
	assert_int_equal(stats.rescans, 2);
}

static void a_pid_used_again_is_another_process(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(follow_process(f->follow, f->alive, f->alive, START, true), 0);
	pump(f);
	event(f, SIDEBAND_FORK, NOBODY, f->alive);
	assert_int_equal(follow_process(f->follow, NOBODY, NOBODY, START + 1, false), 0);
	map(f, NOBODY, CODE);
	pump(f);
	assert_true(knows(f, NOBODY, CODE));
	event(f, SIDEBAND_FORK, NOBODY, f->alive); /* the exit was missed */
	assert_int_equal(follow_process(f->follow, NOBODY, NOBODY, START + 2, false), 0);
	pump(f);
	assert_false(knows(f, NOBODY, CODE));
	assert_read(f, NOBODY);
	follow_exit(f->follow, NOBODY, START + 1); /* late, and of the other one */
	pump(f);
	assert_read(f, NOBODY);
	follow_exit(f->follow, NOBODY, START + 2);
	pump_for(f, 10 * NS_PER_MS);
	assert_false(knows(f, NOBODY, (uintptr_t)assert_read));
}

/* A daemon's parent has ended before its fork was looked at. */
static void a_parent_is_known_until_its_last_events_came(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(follow_process(f->follow, f->alive, f->alive, START, true), 0);
	pump(f);
	follow_exit(f->follow, f->alive, START);
	event(f, SIDEBAND_FORK, NOBODY, f->alive);
	assert_int_equal(follow_process(f->follow, NOBODY, NOBODY, START + 1, false), 0);
	pump(f);
	assert_read(f, NOBODY);
	assert_int_equal(rescans(f), 1);
}

/* Mappings that change all the time do not use up the array: ranges rest for a second each. */
static void a_busy_mapper_leaves_room_for_others(void **state)
{
	struct fixture *f = *state;
	uint64_t begin = clock_monotonic_ns();
	static struct mapping others[MAPPINGS_MAX / 2];
	uint64_t at = CODE;
	uint32_t first;

	assert_int_equal(follow_process(f->follow, f->alive, f->alive, START, true), 0);
	pump(f);
	while (clock_monotonic_ns() - begin < 3 * NS_PER_S / 2) {
		for (int i = 0; i < 40 && at < CODE + 3000 * 8192ULL; i++, at += 8192)
			map(f, f->alive, at);
		map(f, f->alive, CODE);
		follow_pump(f->follow, clock_monotonic_ns());
	}
	assert_int_equal(mappings_write(f->mappings, others, MAPPINGS_MAX / 2, &first), 0);
	pump(f);
	assert_read(f, f->alive);
	assert_true(knows(f, f->alive, at - 8192));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_child_is_its_parent_until_one_changes),
		TEST(a_child_may_be_told_before_its_fork),
		TEST(strangers_are_ignored),
		TEST(an_exec_forgets_what_was_mapped),
		TEST(events_older_than_the_scan_are_in_it_already),
		TEST(a_scan_of_two_programs_is_done_again),
		TEST(a_missed_exec_is_noticed),
		TEST(after_a_loss_all_is_read_anew),
		TEST(a_pid_used_again_is_another_process),
		TEST(a_parent_is_known_until_its_last_events_came),
		TEST(a_busy_mapper_leaves_room_for_others),
	};

	return cmocka_run_group_tests_name("unwind/follow", tests, NULL, NULL);
}
