/* collect_profile_day_test.c - a day of profile and memory keeps its size: records as the kernel
 * sends them, with the times of 24 hours; oracles: the marks that were sent, and the same task
 * observed for 12 hours only. Needs root and BPF maps for the unwinder; without, it says so and is
 * skipped. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <inttypes.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "collect/memory.h"
#include "collect/profile.h"
#include "collect/stacks.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "session/stream.h"
#include "unwind/unwinder.h"

#define START_NS (1000 * NS_PER_S)
#define HOUR_NS (3600 * NS_PER_S)
#define PERIOD_NS (NS_PER_S / 100) /* whole microseconds: profile.folded is exact */
#define RECORD_MARKS 400	   /* of one marks record: 4 s */
#define THREADS 50
#define STACKS_EACH 400 /* of a thread: 20,000 in all */
#define HOT 6		/* of these: where a thread mostly is */
#define DEPTH 16
#define TRUNK 4 /* frames that all stacks share */
#define ADDRESSES 2048
#define TICK_NS (2 * NS_PER_S)
#define PATIENCE_NS (60 * NS_PER_S)
#define MIB ((size_t)1 << 20)
#define RSS_BYTES (20480 * MIB) /* beyond what PSS is measured for: the kernel is not asked */

static const struct collector collectors_used[] = { PROFILE_COLLECTOR, MEMORY_COLLECTOR };

/* Room on disk that the artifact of any run of this task may take, and by what part a day's may be
 * larger than half a day's. */
static const struct bound {
	const char *name;
	size_t bytes;
} bounds[] = {
	{ "profile.folded", 16 * MIB },
	{ "profile.pb.gz", 8 * MIB },
	{ "profile.speedscope.json", 32 * MIB },
	{ "profile.pyisession", 64 * MIB },
	{ "memory.datum", MIB },
	{ "memory.csv", MIB },
	{ "mprof.dat", MIB },
};
#define ARTIFACTS (sizeof(bounds) / sizeof(bounds[0]))
#define HEAP_BYTES (32 * MIB)
#define LARGER_PERCENT 25 /* what grows with the run does so by 100 */

struct fixture {
	struct unwinder_maps maps;
	struct inspect *inspect;
	struct unwinder *u;
	struct observation o;
	struct stream stream;
	uint64_t frames[ADDRESSES]; /* of this very program */
	uint32_t seed;
	char place[64];
};

struct outcome {
	uint64_t sent, folded_us, speedscope_ns; /* marks; sums of the artifacts */
	size_t bytes[ARTIFACTS];
	size_t heap_first, heap_second; /* highest of each half of the time */
};

/* In use: mallinfo2() knows nothing of the sanitizer's heap. (gcc has no allocator_interface.h) */
size_t __sanitizer_get_current_allocated_bytes(void);

static size_t heap(void)
{
#ifdef __SANITIZE_ADDRESS__
	return __sanitizer_get_current_allocated_bytes();
#else
	return mallinfo2().uordblks + mallinfo2().hblkhd;
#endif
}

static uint32_t random_below(struct fixture *f, uint32_t limit)
{
	f->seed = f->seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)f->seed * limit >> 32);
}

static int no_execs(void *context, uint32_t tgid, uint64_t start_ns, uint32_t *ret)
{
	(void)context, (void)tgid, (void)start_ns;
	*ret = 0;
	return 0;
}

static int maps_make(struct unwinder_maps *maps)
{
	LIBBPF_OPTS(bpf_map_create_opts, mapped, .map_flags = BPF_F_MMAPABLE);
	LIBBPF_OPTS(bpf_map_create_opts, outer);
	LIBBPF_OPTS(bpf_map_create_opts, hash, .map_flags = BPF_F_NO_PREALLOC);
	int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "inner", 4, CHUNK_WORDS * 8, 1, &mapped);

	if (inner < 0)
		return inner;
	outer.inner_map_fd = inner;
	maps->chunks =
	    bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "chunks", 4, 4, CHUNKS_MAX, &outer);
	maps->mappings = bpf_map_create(BPF_MAP_TYPE_ARRAY, "mappings", 4, sizeof(struct mapping),
					MAPPINGS_MAX, &mapped);
	maps->processes = bpf_map_create(BPF_MAP_TYPE_HASH, "processes", 4,
					 sizeof(struct unwind_process), 65536, &hash);
	close(inner);
	return maps->chunks < 0 || maps->mappings < 0 || maps->processes < 0 ? -1 : 0;
}

static struct event_header header(uint32_t type, uint32_t size, uint64_t time_ns)
{
	return (struct event_header){ .type = type,
				      .size = size,
				      .time_ns = time_ns,
				      .start_ns = 1,
				      .tgid = getpid(),
				      .pid = getpid() };
}

static void feed(struct fixture *f, const void *record)
{
	uint64_t before = f->stream.recorded;

	stream_record(&f->stream, record, ((const struct event_header *)record)->size);
	assert_int_equal(f->stream.recorded, before + 1);
}

/* The task is this program: its frames have names. */
static void task_joins(struct fixture *f)
{
	struct process_event e = { .h = header(EV_PROCESS, sizeof(e), START_NS),
				   .root = ROOT_NAMED | ROOT_FOUND,
				   .name = "day" };
	const struct unwind_file *file;
	struct mapping m;
	uint64_t step;

	feed(f, &e);
	assert_int_equal(unwinder_settle(f->u, PATIENCE_NS), 0);
	assert_true(unwinder_find(f->u, getpid(), (uintptr_t)task_joins, &m));
	file = unwinder_file(f->u, m.file);
	assert_non_null(file);
	step = (file->text_end - file->text_first) / ADDRESSES;
	assert_true(step > 0);
	for (uint64_t i = 0; i < ADDRESSES; i++)
		f->frames[i] = (file->text_first + i * step) | (uint64_t)m.file
								   << FRAME_ADDRESS_BITS;
}

static void threads_are(struct fixture *f, uint32_t type, uint64_t time_ns, uint64_t marks)
{
	for (uint32_t t = 0; t < THREADS; t++) {
		struct thread_event e = { .h = header(type, sizeof(e), time_ns),
					  .begin_ns = START_NS,
					  .marks = marks,
					  .tid = getpid() + t };

		snprintf(e.name, sizeof(e.name), "worker-%u", t);
		feed(f, &e);
	}
}

/* A tree: half of the stacks differ from their neighbour in the innermost frame only. */
static void stacks_are(struct fixture *f)
{
	struct {
		struct stack_event e;
		uint64_t frames[DEPTH];
	} s = { .e = { .h = header(EV_STACK, sizeof(s), START_NS),
		       .outcome = UNWIND_COMPLETE,
		       .frame_count = DEPTH } };

	for (uint64_t id = 1; id <= THREADS * STACKS_EACH; id++) {
		s.e.id = id;
		for (int i = 0; i < DEPTH; i++) {
			uint64_t branch = (id >> i) * 2654435761 + i;

			if (i >= DEPTH - TRUNK)
				branch = i;
			s.frames[i] = f->frames[branch % ADDRESSES];
		}
		feed(f, &s);
	}
}

/* First a thread is in each of its stacks once; then mostly in the hot ones. */
static uint32_t stack_of(struct fixture *f, uint64_t record)
{
	if (record < STACKS_EACH)
		return record;
	return random_below(f, 50) ? random_below(f, HOT) : record % STACKS_EACH;
}

static void marks_are(struct fixture *f, uint32_t thread, uint64_t first_ns)
{
	static const uint32_t causes[] = { CAUSE_CPU, CAUSE_LOCK, CAUSE_SLEEP, CAUSE_EPOLL };
	uint32_t stack = stack_of(f, (first_ns - START_NS) / (RECORD_MARKS * PERIOD_NS));
	struct marks_event e = { .h = header(EV_MARKS, sizeof(e), first_ns),
				 .stack = 1 + thread * STACKS_EACH + stack,
				 .first_ns = first_ns,
				 .marks = RECORD_MARKS,
				 .cause = causes[stack % 4],
				 .tid = getpid() + thread };

	feed(f, &e);
}

static void tick(struct fixture *f, uint64_t time_ns)
{
	uint64_t bytes = RSS_BYTES + random_below(f, 100) * MIB;
	struct task_sample t = { .h = { SAMPLE_TASK, sizeof(t) },
				 .time_ns = time_ns,
				 .rss_bytes = bytes,
				 .interval_peak_bytes = bytes + MIB,
				 .interval_peak_ns = time_ns - 1 };
	struct process_sample p = { .h = { SAMPLE_PROCESS, sizeof(p) },
				    .start_ns = 1,
				    .image = 1,
				    .anon_bytes = bytes,
				    .tgid = getpid(),
				    .pid = getpid(),
				    .threads = THREADS,
				    .name = "day" };

	f->o.tick++;
	f->o.tick_ns = time_ns;
	stream_sample(&f->stream, &t, sizeof(t));
	stream_sample(&f->stream, &p, sizeof(p));
	assert_int_equal(memory_tick(f->stream.selves[1]), 0);
	stream_forget(&f->stream, 2);
}

/* Returns the marks; *ret_heap is the most that was in use, looked at every quarter of an hour. */
static uint64_t observe(struct fixture *f, uint64_t from_ns, uint64_t to_ns, size_t *ret_heap)
{
	uint64_t record_ns = RECORD_MARKS * PERIOD_NS, sent = 0;

	for (uint64_t now = from_ns; now < to_ns; now += record_ns) {
		for (uint32_t t = 0; t < THREADS; t++, sent += RECORD_MARKS)
			marks_are(f, t, START_NS + now);
		for (uint64_t at = TICK_NS; at <= record_ns; at += TICK_NS)
			tick(f, START_NS + now + at);
		if (now % (HOUR_NS / 4) == 0 && heap() > *ret_heap)
			*ret_heap = heap();
	}
	return sent;
}

/* The last number of each line. */
static uint64_t folded_sum(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	uint64_t sum = 0;
	size_t room = 0;

	assert_non_null(file);
	while (getline(&line, &room, file) > 0)
		sum += strtoull(strrchr(line, ' ') + 1, NULL, 10);
	return sum;
}

/* Each thread's weights end at their sum. */
static uint64_t speedscope_sum(const char *path)
{
	static const char key[] = "\"endValue\":";
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	uint64_t sum = 0;
	size_t room = 0;

	assert_non_null(file);
	while (getline(&line, &room, file) > 0)
		for (const char *at = line; (at = strstr(at, key)); at += strlen(key))
			sum += strtoull(at + strlen(key), NULL, 10);
	return sum;
}

static void write_run(struct fixture *f, struct outcome *ret)
{
	struct identity ourselves = { .uid = geteuid(), .gid = getegid() };
	struct problem problem = {};
	struct rundir *r = NULL;
	json_t *manifest = json_object();
	char path[sizeof(f->place) + 64];

	snprintf(path, sizeof(path), "%s/run", f->place);
	assert_int_equal(rundir_new(path, &ourselves, &r, &problem), 0);
	for (size_t i = 0; i < 2; i++)
		if (collectors_used[i].write(f->stream.selves[i], r, &problem))
			fail_msg("%s", problem.text);
	assert_int_equal(rundir_commit(r, manifest, &problem), 0);
	for (size_t i = 0; i < ARTIFACTS; i++) {
		struct stat st;

		snprintf(path, sizeof(path), "%s/run/%s", f->place, bounds[i].name);
		assert_int_equal(stat(path, &st), 0);
		ret->bytes[i] = st.st_size;
	}
	snprintf(path, sizeof(path), "%s/run/profile.folded", f->place);
	ret->folded_us = folded_sum(path);
	snprintf(path, sizeof(path), "%s/run/profile.speedscope.json", f->place);
	ret->speedscope_ns = speedscope_sum(path);
	json_decref(manifest);
	rundir_free(r);
}

static void start(struct fixture *f)
{
	struct unwinder_config config = { .execs = no_execs };
	struct problem problem = {};

	assert_int_equal(inspect_new(NULL, &f->inspect), 0);
	config.maps = f->maps;
	config.inspect = f->inspect;
	if (unwinder_new(&config, &f->u, &problem))
		fail_msg("%s", problem.text);
	f->seed = 7;
	f->o = (struct observation){ .processes = processes_new(),
				     .start_ns = START_NS,
				     .interval_ns = TICK_NS,
				     .event_driven = true,
				     .period_ns = PERIOD_NS,
				     .frequency_hz = 100,
				     .waits = true,
				     .wakes = true,
				     .unwinder = f->u,
				     .inspect = f->inspect,
				     .command = "day" };
	f->o.stacks = task_stacks_new(&f->o);
	assert_non_null(f->o.stacks);
	f->stream = (struct stream){ .o = &f->o };
	for (size_t i = 0; i < 2; i++) {
		f->stream.collectors[i] = &collectors_used[i];
		f->stream.selves[i] = collectors_used[i].new(&f->o);
		assert_non_null(f->stream.selves[i]);
	}
}

static void stop(struct fixture *f)
{
	char command[sizeof(f->place) + 16];

	for (size_t i = 0; i < 2; i++)
		collectors_used[i].free(f->stream.selves[i]);
	task_stacks_free(f->o.stacks);
	processes_free(f->o.processes);
	inspect_free(f->inspect);
	unwinder_free(f->u);
	snprintf(command, sizeof(command), "rm -rf %s/run", f->place);
	assert_int_equal(system(command), 0);
}

static struct outcome run(struct fixture *f, uint64_t hours)
{
	struct outcome o = {};

	start(f);
	task_joins(f);
	threads_are(f, EV_THREAD, START_NS, 0);
	stacks_are(f);
	o.sent = observe(f, 0, hours / 2 * HOUR_NS, &o.heap_first);
	o.sent += observe(f, hours / 2 * HOUR_NS, hours * HOUR_NS, &o.heap_second);
	f->o.end_ns = START_NS + hours * HOUR_NS;
	threads_are(f, EV_THREAD_END, f->o.end_ns, o.sent / THREADS);
	write_run(f, &o);
	assert_int_equal(profile_marks(((struct profile_collector *)f->stream.selves[0])->profile),
			 o.sent);
	assert_int_equal(((struct profile_collector *)f->stream.selves[0])->failed, 0);
	assert_int_equal(f->o.stacks->failed, 0);
	stop(f);
	return o;
}

static void a_day_is_as_large_as_half_a_day_and_no_mark_is_lost(void **state)
{
	struct fixture *f = *state;
	struct outcome half, day;

	if (f->maps.chunks < 0)
		skip();
	half = run(f, 12);
	day = run(f, 24);
	print_message("heap: at most %zu KiB in 12 h, %zu KiB in the 12 h after\n",
		      day.heap_first / 1024, day.heap_second / 1024);
	for (size_t i = 0; i < ARTIFACTS; i++)
		print_message("%s: %zu KiB of 12 h, %zu KiB of 24 h\n", bounds[i].name,
			      half.bytes[i] / 1024, day.bytes[i] / 1024);
	assert_int_equal(day.sent, THREADS * 24 * HOUR_NS / PERIOD_NS);
	assert_int_equal(day.folded_us * 1000, day.sent * PERIOD_NS);
	assert_int_equal(day.speedscope_ns, day.sent * PERIOD_NS);
	for (size_t i = 0; i < ARTIFACTS; i++) {
		assert_in_range(day.bytes[i], 1, bounds[i].bytes);
		assert_true(day.bytes[i] * 100 <= half.bytes[i] * (100 + LARGER_PERCENT));
	}
	assert_in_range(day.heap_second, 1, HEAP_BYTES);
	assert_true(day.heap_second * 100 <= day.heap_first * (100 + LARGER_PERCENT));
}

static int setup(void **state)
{
	static struct fixture f;

	*state = &f;
	f.maps =
	    (struct unwinder_maps){ .chunks = -1, .mappings = -1, .processes = -1, .pythons = -1 };
	snprintf(f.place, sizeof(f.place), "/tmp/profile-day-XXXXXX");
	if (!mkdtemp(f.place))
		return -1;
	if (geteuid() || maps_make(&f.maps)) {
		print_message("no root, or no BPF maps: not tested here\n");
		f.maps.chunks = -1;
	}
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->maps.chunks);
	close(f->maps.mappings);
	close(f->maps.processes);
	return rmdir(f->place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_day_is_as_large_as_half_a_day_and_no_mark_is_lost,
						setup, teardown),
	};

	return cmocka_run_group_tests_name("collect/profile_day", tests, NULL, NULL);
}
