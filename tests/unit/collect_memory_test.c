/* collect_memory_test.c - the memory diagnostic, fed as the kernel feeds it (bpf/events.h); oracle:
 * sums worked out by hand, docs/artifact-format.md for the manifest. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "collect/memory.h"
#include "collect/memory_manifest.h"
#include "session/stream.h"

#define START_NS 1000000000000ULL
#define SECOND 1000000000ULL
#define MIB 1048576ULL
#define NO_SUCH_PID 0x7fff0000u /* above every pid_max: its PSS cannot be read */

static const struct collector collector = MEMORY_COLLECTOR;

struct fixture {
	struct observation o;
	struct stream stream; /* as session/ wires it: processes first, then the collector */
	struct memory *m;
};

static int setup(void **state, bool event_driven)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	f->o = (struct observation){ .processes = processes_new(),
				     .start_ns = START_NS,
				     .interval_ns = 2 * SECOND,
				     .event_driven = event_driven,
				     .command = "command" };
	f->m = memory_new(&f->o);
	f->stream.o = &f->o;
	f->stream.collectors[0] = &collector;
	f->stream.selves[0] = f->m;
	*state = f;
	return f->o.processes && f->m ? 0 : -1;
}

static int event_driven(void **state)
{
	return setup(state, true);
}

static int ticks_only(void **state)
{
	return setup(state, false);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	memory_free(f->m);
	processes_free(f->o.processes);
	free(f);
	return 0;
}

static struct event_header header(uint32_t type, uint32_t size, uint32_t tgid)
{
	return (struct event_header){ .type = type,
				      .size = size,
				      .time_ns = START_NS + SECOND,
				      .start_ns = START_NS + tgid,
				      .tgid = tgid,
				      .pid = NO_SUCH_PID + tgid };
}

static void feed(struct fixture *f, const void *record)
{
	uint64_t before = f->stream.recorded;

	stream_record(&f->stream, record, ((const struct event_header *)record)->size);
	assert_int_equal(f->stream.recorded, before + 1);
}

static void joins(struct fixture *f, uint32_t type, uint32_t tgid, const char *name)
{
	struct process_event e = { .h = header(type, sizeof(e), tgid), .root = tgid == 1 };

	strncpy(e.name, name, sizeof(e.name) - 1);
	feed(f, &e);
}

static void exits(struct fixture *f, uint32_t tgid, int code, uint64_t minor, uint64_t major)
{
	struct exit_event e = { .h = header(EV_EXIT, sizeof(e), tgid),
				.minor_faults = minor,
				.major_faults = major,
				.exit_code = code };

	feed(f, &e);
}

static void image_ends(struct fixture *f, uint32_t tgid, uint64_t peak, uint64_t peak_ns,
		       uint64_t epoch, uint64_t share)
{
	struct image_event e = { .h = header(EV_IMAGE_END, sizeof(e), tgid),
				 .peak_bytes = peak,
				 .peak_ns = peak_ns,
				 .epoch = epoch,
				 .share_bytes = share };

	feed(f, &e);
}

/* A tick, as take_tick() of session/pump.c goes: its number, the ring, then the samples. */
static void tick_number(struct fixture *f)
{
	f->o.tick++;
	f->o.tick_ns = START_NS + f->o.tick * 2 * SECOND;
}

static void task_sample(struct fixture *f, uint64_t tracked, uint64_t peak, uint64_t peak_ns)
{
	struct task_sample s = { .h = { SAMPLE_TASK, sizeof(s) },
				 .time_ns = f->o.tick_ns,
				 .rss_bytes = tracked,
				 .interval_peak_bytes = peak,
				 .interval_peak_ns = peak_ns };

	stream_sample(&f->stream, &s, sizeof(s));
}

static void tick_begin(struct fixture *f, uint64_t tracked, uint64_t peak, uint64_t peak_ns)
{
	tick_number(f);
	task_sample(f, tracked, peak, peak_ns);
}

static struct process_sample process(uint32_t tgid, uint64_t image, uint64_t anon, uint64_t file)
{
	struct process_sample s = { .h = { SAMPLE_PROCESS, sizeof(s) },
				    .start_ns = START_NS + tgid,
				    .image = image,
				    .anon_bytes = anon,
				    .file_bytes = file,
				    .tgid = tgid,
				    .pid = NO_SUCH_PID + tgid,
				    .threads = 1 };

	snprintf(s.name, sizeof(s.name), "p%u", tgid);
	return s;
}

static void sample(struct fixture *f, struct process_sample s)
{
	stream_sample(&f->stream, &s, sizeof(s));
}

static void thread(struct fixture *f, uint32_t tgid, uint64_t minor, uint64_t major)
{
	struct thread_sample s = { .h = { SAMPLE_THREAD, sizeof(s) },
				   .minor_faults = minor,
				   .major_faults = major,
				   .tgid = tgid };

	stream_sample(&f->stream, &s, sizeof(s));
}

static const struct series_point *tick_end(struct fixture *f)
{
	assert_int_equal(memory_tick(f->m), 0);
	stream_forget(&f->stream, 2);
	return series_at(f->m->series, series_length(f->m->series) - 1);
}

/* One tick of the processes 1…n with @bytes[i] each, all anonymous. */
static const struct series_point *tick_of(struct fixture *f, const uint64_t *bytes, uint32_t n)
{
	tick_begin(f, 0, 0, 0);
	for (uint32_t i = 0; i < n; i++)
		if (bytes[i])
			sample(f, process(i + 1, 0x1000 + i, bytes[i], 0));
	return tick_end(f);
}

static json_t *manifest(struct fixture *f)
{
	json_t *limits = json_array(), *o = memory_manifest(f->m, limits);

	assert_non_null(o);
	json_decref(limits);
	return o;
}

static json_int_t number(const json_t *o, const char *key)
{
	const json_t *value = json_object_get(o, key);

	if (!json_is_integer(value))
		fail_msg("%s: not an integer", key);
	return json_integer_value(value);
}

static void assert_seconds(const json_t *o, const char *key, double seconds)
{
	const json_t *value = json_object_get(o, key);

	if (!json_is_real(value))
		fail_msg("%s: not a real", key);
	assert_true(json_real_value(value) > seconds - 1e-6);
	assert_true(json_real_value(value) < seconds + 1e-6);
}

static void assert_word(const json_t *o, const char *key, const char *word)
{
	assert_string_equal(json_string_value(json_object_get(o, key)), word);
}

static void a_tick_is_the_sum_of_its_processes(void **state)
{
	struct fixture *f = *state;
	struct process_sample a = process(1, 0xa, 10 * MIB, 3 * MIB),
			      b = process(2, 0xb, 20 * MIB, 5 * MIB);
	const struct series_point *p;
	struct memory_now now;

	a.shmem_bytes = MIB;
	a.swap_bytes = 4096;
	a.threads = 3;
	b.swap_bytes = 8192;
	tick_begin(f, 39 * MIB, 50 * MIB, START_NS + SECOND);
	sample(f, a);
	sample(f, b);
	p = tick_end(f);
	assert_int_equal(p->time_ns, START_NS + 2 * SECOND);
	assert_int_equal(p->rss_bytes, 39 * MIB);
	assert_int_equal(p->anon_bytes, 30 * MIB);
	assert_int_equal(p->file_bytes, 8 * MIB);
	assert_int_equal(p->shmem_bytes, MIB);
	assert_int_equal(p->swap_bytes, 12288);
	assert_int_equal(p->processes, 2);
	assert_int_equal(p->threads, 4);
	assert_int_equal(p->peak_bytes, 50 * MIB);
	assert_int_equal(p->peak_ns, START_NS + SECOND);
	memory_now(f->m, &now);
	assert_int_equal(now.rss_bytes, 39 * MIB);
	assert_int_equal(now.peak_bytes, 50 * MIB);
	assert_int_equal(now.processes, 2);
	assert_int_equal(now.threads, 4);

	tick_begin(f, MIB, 0, 0); /* nothing stays from the tick before */
	sample(f, process(2, 0xb, MIB, 0));
	p = tick_end(f);
	assert_int_equal(p->rss_bytes, MIB);
	assert_int_equal(p->processes, 1);
	assert_int_equal(p->swap_bytes, 0);
}

static void a_shared_address_space_counts_once(void **state)
{
	struct fixture *f = *state;
	const struct series_point *p;

	for (int i = 0; i < 2; i++) { /* in every tick anew */
		tick_begin(f, 0, 0, 0);
		sample(f, process(1, 0xa, 10 * MIB, 0));
		sample(f, process(2, 0xa, 10 * MIB, 0)); /* vfork */
		sample(f, process(3, 0xb, 10 * MIB, 0)); /* equal, but its own */
		p = tick_end(f);
		assert_int_equal(p->rss_bytes, 20 * MIB);
		assert_int_equal(p->anon_bytes, 20 * MIB);
		assert_int_equal(p->processes, 3);
	}
}

static void many_address_spaces_are_told_apart(void **state)
{
	struct fixture *f = *state;
	const struct series_point *p;

	tick_begin(f, 0, 0, 0);
	for (uint32_t i = 0; i < 1000; i++)
		sample(f, process(i + 1, 1 + i % 700, MIB, 0));
	p = tick_end(f);
	assert_int_equal(p->rss_bytes, 700 * MIB);
	assert_int_equal(p->processes, 1000);
}

static void a_process_without_address_space_holds_nothing(void **state)
{
	struct fixture *f = *state;
	const struct series_point *p;

	tick_begin(f, 0, 0, 0);
	sample(f, process(1, 0, MIB, MIB));
	sample(f, process(2, 0, MIB, MIB)); /* 0 is no identity that two could share */
	sample(f, process(3, 0xa, MIB, 0));
	p = tick_end(f);
	assert_int_equal(p->rss_bytes, MIB);
	assert_int_equal(p->processes, 3);
}

/* "several threads speak for a first thread that has ended" */
static void a_process_told_twice_counts_once(void **state)
{
	struct fixture *f = *state;
	const struct series_point *p;

	tick_begin(f, 0, 0, 0);
	sample(f, process(1, 0xa, 10 * MIB, 0));
	sample(f, process(1, 0xa, 10 * MIB, 0));
	sample(f, process(1, 0xa, 10 * MIB, 0));
	p = tick_end(f);
	assert_int_equal(p->rss_bytes, 10 * MIB);
	assert_int_equal(p->processes, 1);
	assert_int_equal(p->threads, 1);
}

/* The same of one that shares its address space, so that its part of the sum is 0. */
static void a_sharing_process_told_twice_counts_once(void **state)
{
	struct fixture *f = *state;
	const struct series_point *p;

	tick_begin(f, 0, 0, 0);
	sample(f, process(1, 0xa, 10 * MIB, 0));
	sample(f, process(2, 0xa, 10 * MIB, 0));
	sample(f, process(2, 0xa, 10 * MIB, 0));
	p = tick_end(f);
	assert_int_equal(p->rss_bytes, 10 * MIB);
	assert_int_equal(p->processes, 2);
	assert_int_equal(p->threads, 2);
}

/* take_tick() counts the tick, then drains the ring, then samples: an exec record that waited in
 * the ring must not hide its process from this tick. */
static void an_exec_record_drained_at_a_tick_hides_nothing(void **state)
{
	struct fixture *f = *state;
	const struct series_point *p;

	tick_begin(f, 0, 0, 0);
	sample(f, process(1, 0xa, 10 * MIB, 0));
	tick_end(f);
	tick_number(f);
	joins(f, EV_EXEC, 1, "other");
	task_sample(f, 0, 0, 0);
	sample(f, process(1, 0xb, 30 * MIB, 0));
	p = tick_end(f);
	assert_int_equal(p->rss_bytes, 30 * MIB);
	assert_int_equal(p->processes, 1);
	assert_int_equal(f->m->peak_bytes, 30 * MIB);
}

static void an_ended_process_is_not_sampled(void **state)
{
	struct fixture *f = *state;
	const struct series_point *p;

	tick_begin(f, 0, 0, 0);
	sample(f, process(1, 0xa, 10 * MIB, 0));
	tick_end(f);
	exits(f, 1, 0, 0, 0);
	tick_begin(f, 0, 0, 0);
	sample(f, process(1, 0xa, 10 * MIB, 0)); /* read before it went */
	p = tick_end(f);
	assert_int_equal(p->rss_bytes, 0);
	assert_int_equal(p->processes, 0);
}

static void faults_are_those_of_all_threads_and_of_the_ended(void **state)
{
	struct fixture *f = *state;
	struct process_sample a = process(1, 0xa, MIB, 0), b = process(2, 0xb, MIB, 0);
	const struct series_point *p;

	a.minor_faults = 100;
	a.major_faults = 10;
	b.minor_faults = 1000;
	tick_begin(f, 0, 0, 0);
	sample(f, a);
	thread(f, 1, 20, 2);
	thread(f, 1, 3, 1);
	sample(f, b);
	p = tick_end(f);
	assert_int_equal(p->minor_faults, 1123);
	assert_int_equal(p->major_faults, 13);

	exits(f, 2, 0, 1500, 7); /* its last word: all its threads, ever */
	a.minor_faults = 123;	 /* its threads have ended: now they are part of it */
	a.major_faults = 13;
	tick_begin(f, 0, 0, 0);
	sample(f, a);
	p = tick_end(f);
	assert_int_equal(p->minor_faults, 1623);
	assert_int_equal(p->major_faults, 20);
	exits(f, 1, 0, 124, 13);
	tick_begin(f, 0, 0, 0);
	p = tick_end(f);
	assert_int_equal(p->minor_faults, 1624);
	assert_int_equal(p->major_faults, 20);
}

static void faults_never_fall(void **state)
{
	struct fixture *f = *state;
	struct process_sample a = process(1, 0xa, MIB, 0);
	const struct series_point *p;

	a.minor_faults = 100;
	tick_begin(f, 0, 0, 0);
	sample(f, a);
	thread(f, 1, 50, 5);
	p = tick_end(f);
	assert_int_equal(p->minor_faults, 150);
	tick_begin(f, 0, 0, 0); /* the thread ends just now: told by nobody */
	sample(f, a);
	p = tick_end(f);
	assert_int_equal(p->minor_faults, 150);
	assert_int_equal(p->major_faults, 5);
	tick_begin(f, 0, 0, 0); /* nor when a tick finds nothing at all */
	p = tick_end(f);
	assert_int_equal(p->minor_faults, 150);
	a.minor_faults = 151;
	tick_begin(f, 0, 0, 0);
	sample(f, a);
	p = tick_end(f);
	assert_int_equal(p->minor_faults, 151);
}

static void the_kernels_peak_and_shares_are_the_manifests(void **state)
{
	struct fixture *f = *state;
	json_t *o, *list, *p;

	joins(f, EV_PROCESS, 1, "root");
	joins(f, EV_PROCESS, 2, "child");
	image_ends(f, 2, 70 * MIB, START_NS + 3 * SECOND, 4, 5 * MIB); /* of an older peak */
	image_ends(f, 2, 60 * MIB, START_NS + 4 * SECOND, 5, 60 * MIB);
	image_ends(f, 1, 45 * MIB, START_NS + 4 * SECOND, 5, 40 * MIB);
	joins(f, EV_PROCESS, 3, "older"); /* held something at an older peak, nothing at this */
	image_ends(f, 3, 50 * MIB, START_NS + 2 * SECOND, 4, 50 * MIB);
	image_ends(f, 99, 1 * MIB, START_NS + 4 * SECOND, 5, MIB); /* of a process never seen */
	exits(f, 2, 3 << 8, 0, 0);
	exits(f, 1, 9, 0, 0);
	tick_begin(f, 0, 0, START_NS + 4 * SECOND);
	tick_end(f);
	memory_totals(f->m, 101 * MIB, START_NS + 4 * SECOND, 5);

	o = manifest(f);
	assert_int_equal(number(o, "peak_rss_bytes"), 101 * MIB);
	assert_seconds(o, "peak_time_s", 4);
	assert_int_equal(number(o, "omitted_at_peak_bytes"), MIB);
	list = json_object_get(o, "processes");
	assert_int_equal(json_array_size(list), 3);
	assert_int_equal(number(json_array_get(list, 2), "rss_at_peak_bytes"), 0);
	assert_int_equal(number(json_array_get(list, 2), "peak_rss_bytes"), 50 * MIB);
	p = json_array_get(list, 0);
	assert_word(p, "name", "child");
	assert_int_equal(number(p, "rss_at_peak_bytes"), 60 * MIB);
	assert_int_equal(number(p, "peak_rss_bytes"), 70 * MIB);
	assert_seconds(p, "peak_time_s", 3);
	assert_int_equal(number(p, "exit_status"), 3);
	p = json_array_get(list, 1);
	assert_int_equal(number(p, "rss_at_peak_bytes"), 40 * MIB);
	assert_word(p, "end", "killed-by-signal");
	json_decref(o);
}

static void still_at_its_peak_at_the_last_tick(void **state)
{
	struct fixture *f = *state;
	json_t *o, *list;

	joins(f, EV_PROCESS, 1, "root");
	joins(f, EV_PROCESS, 2, "child");
	tick_begin(f, 90 * MIB, 90 * MIB, START_NS + SECOND);
	sample(f, process(1, 0xa, 30 * MIB, 0));
	sample(f, process(2, 0xb, 60 * MIB, 0));
	tick_end(f);
	/* the last that the kernel wrote down was lower: RSS has not fallen since */
	image_ends(f, 1, 20 * MIB, START_NS, 3, 20 * MIB);
	memory_totals(f->m, 50 * MIB, START_NS + SECOND, 3);

	o = manifest(f);
	list = json_object_get(o, "processes");
	assert_int_equal(number(o, "peak_rss_bytes"), 90 * MIB);
	assert_seconds(o, "peak_time_s", 2);
	assert_int_equal(number(json_array_get(list, 0), "rss_at_peak_bytes"), 60 * MIB);
	assert_int_equal(number(json_array_get(list, 1), "rss_at_peak_bytes"), 30 * MIB);
	assert_int_equal(number(o, "omitted_at_peak_bytes"), 0);
	json_decref(o);
}

static void a_tick_stands_where_the_kernel_kept_the_probe_from_the_peak(void **state)
{
	struct fixture *f = *state;
	json_t *o, *list;

	joins(f, EV_PROCESS, 1, "root");
	joins(f, EV_PROCESS, 2, "child");
	tick_begin(f, 40 * MIB, 50 * MIB, START_NS + SECOND);
	sample(f, process(1, 0xa, 30 * MIB, 0));
	sample(f, process(2, 0xb, 60 * MIB, 0)); /* 20 MiB that no probe has told */
	tick_end(f);
	exits(f, 2, 0, 0, 0);
	tick_begin(f, 30 * MIB, 40 * MIB, START_NS + 2 * SECOND);
	sample(f, process(1, 0xa, 30 * MIB, 0));
	tick_end(f);
	f->o.probe_missed = 1;
	memory_totals(f->m, 50 * MIB, START_NS + SECOND, 7);
	o = manifest(f);
	assert_int_equal(number(o, "peak_rss_bytes"), 90 * MIB);
	assert_seconds(o, "peak_time_s", 2);
	list = json_object_get(o, "processes");
	assert_int_equal(number(json_array_get(list, 0), "rss_at_peak_bytes"), 60 * MIB);
	assert_int_equal(number(json_array_get(list, 1), "rss_at_peak_bytes"), 30 * MIB);
	assert_int_equal(json_array_size(json_object_get(o, "limits")), 1);
	json_decref(o);
}

static void the_kernels_peak_stands_when_it_is_higher(void **state)
{
	struct fixture *f = *state;
	json_t *o;

	tick_begin(f, 40 * MIB, 50 * MIB, START_NS + SECOND);
	sample(f, process(1, 0xa, 40 * MIB, 0));
	tick_end(f);
	image_ends(f, 1, 50 * MIB, START_NS + SECOND, 7, 50 * MIB);
	memory_totals(f->m, 50 * MIB, START_NS + SECOND, 7);
	o = manifest(f);
	assert_int_equal(number(o, "peak_rss_bytes"), 50 * MIB);
	assert_seconds(o, "peak_time_s", 1);
	assert_int_equal(
	    number(json_array_get(json_object_get(o, "processes"), 0), "rss_at_peak_bytes"),
	    50 * MIB);
	json_decref(o);
}

static void without_rss_stat_the_highest_tick_is_the_peak(void **state)
{
	static const uint64_t ticks[][3] = { { 10 * MIB, 20 * MIB, 0 },
					     { 50 * MIB, 30 * MIB, 5 * MIB },
					     { 60 * MIB, 0, 0 } };
	struct fixture *f = *state;
	json_t *o, *list;
	uint64_t sum = 0;

	for (size_t i = 0; i < 3; i++)
		tick_of(f, ticks[i], 3);
	memory_totals(f->m, 0, 0, 0); /* the kernel kept nothing */
	o = manifest(f);
	list = json_object_get(o, "processes");
	assert_word(o, "source", "ticks");
	assert_true(json_is_null(json_object_get(o, "tracked_rss_bytes")));
	assert_int_equal(number(o, "peak_rss_bytes"), 85 * MIB);
	assert_seconds(o, "peak_time_s", 4);
	assert_int_equal(number(o, "final_rss_bytes"), 60 * MIB);
	assert_int_equal(json_array_size(list), 3);
	for (size_t i = 0; i < 3; i++) {
		json_t *p = json_array_get(list, i);

		assert_int_equal(number(p, "pid"), NO_SUCH_PID + i + 1);
		assert_int_equal(number(p, "rss_at_peak_bytes"), ticks[1][i]);
		sum += number(p, "rss_at_peak_bytes");
	}
	assert_int_equal(sum, number(o, "peak_rss_bytes"));
	assert_int_equal(number(json_array_get(list, 0), "peak_rss_bytes"), 60 * MIB);
	json_decref(o);
}

/* what rss_stat would have said is not used when it is not attached */
static void without_rss_stat_only_ticks_count(void **state)
{
	struct fixture *f = *state;
	const struct series_point *p;

	tick_begin(f, 999 * MIB, 999 * MIB, START_NS);
	sample(f, process(1, 0xa, MIB, 0));
	p = tick_end(f);
	assert_int_equal(p->peak_bytes, MIB);
	assert_int_equal(p->peak_ns, p->time_ns);
	memory_totals(f->m, 999 * MIB, START_NS, 3);
	assert_int_equal(f->m->peak_bytes, MIB);
}

/* who held the peak is listed, also after thousands of short-lived ones that were larger than it */
static void without_rss_stat_the_holder_of_the_peak_stays_listed(void **state)
{
	struct fixture *f = *state;
	json_t *o, *first;

	joins(f, EV_PROCESS, 1, "root");
	tick_begin(f, 0, 0, 0);
	sample(f, process(1, 0xa, 500 * MIB, 0));
	for (uint32_t i = 2; i <= 6; i++)
		sample(f, process(i, 0x100 + i, 100 * MIB + i, 0)); /* the peak: 1,000 MiB */
	tick_end(f);
	for (uint32_t i = 2; i <= 6; i++)
		exits(f, i, 0, 0, 0);
	for (uint32_t i = 10; i < 2000; i++) { /* one after the other, 200 MiB each */
		tick_begin(f, 0, 0, 0);
		sample(f, process(1, 0xa, MIB, 0));
		sample(f, process(i, 0x1000 + i, 200 * MIB, 0));
		tick_end(f);
		exits(f, i, 0, 0, 0);
	}
	memory_totals(f->m, 0, 0, 0);
	o = manifest(f);
	assert_int_equal(number(o, "peak_rss_bytes"), 1000 * MIB + 20);
	for (size_t i = 1; i <= 5; i++) { /* behind the root */
		first = json_array_get(json_object_get(o, "processes"), i);
		assert_int_equal(number(first, "rss_at_peak_bytes"), 100 * MIB + 7 - i);
	}
	json_decref(o);
}

/* the sum of the listed and the omitted is the peak, however many there were */
static void shares_add_up_to_the_peak(void **state)
{
	struct fixture *f = *state;
	json_t *o, *list, *p;
	uint64_t sum, last = UINT64_MAX;
	size_t i;

	tick_begin(f, 0, 0, 0);
	for (uint32_t k = 1; k <= 1500; k++)
		sample(f, process(k, k, k * 4096, 0));
	tick_end(f);
	memory_totals(f->m, 0, 0, 0);
	o = manifest(f);
	list = json_object_get(o, "processes");
	assert_int_equal(json_array_size(list), 512);
	assert_int_equal(number(o, "processes_omitted"), 1500 - 512);
	sum = number(o, "omitted_at_peak_bytes");
	assert_int_equal(sum, 988 * 989 / 2 * 4096);
	json_array_foreach(list, i, p)
	{
		assert_true((uint64_t)number(p, "rss_at_peak_bytes") < last);
		last = number(p, "rss_at_peak_bytes");
		sum += last;
	}
	assert_int_equal(sum, number(o, "peak_rss_bytes"));
	json_decref(o);
}

static void a_tick_of_an_ended_task_has_a_time_of_its_peak(void **state)
{
	struct fixture *f = *state;
	const struct series_point *p;

	tick_begin(f, 0, 0, 0);
	p = tick_end(f);
	assert_int_equal(p->rss_bytes, 0);
	assert_int_equal(p->peak_ns, p->time_ns);
}

static void every_end_has_its_word(void **state)
{
	struct oom_event oom = { .h = header(EV_OOM, sizeof(oom), 4) };
	/* tgid, wait(2) status, word, exit_status, signal; in order of share */
	static const struct {
		int code;
		const char *word;
		int status, signal; /* -1: null */
	} ends[] = {
		{ 0, "exited", 0, -1 },
		{ 255 << 8, "exited", 255, -1 },
		{ 11 | 0x80, "killed-by-signal", -1, 11 }, /* with a core */
		{ 9, "oom", -1, 9 },
		{ -1, "running", -1, -1 },
		{ -2, "unknown", -1, -1 },
	};
	struct fixture *f = *state;
	json_t *o, *list;

	for (uint32_t i = 1; i <= 6; i++) {
		joins(f, EV_PROCESS, i, "p");
		image_ends(f, i, MIB, START_NS, 1, (10 - i) * MIB);
	}
	feed(f, &oom);
	for (uint32_t i = 1; i <= 4; i++)
		exits(f, i, ends[i - 1].code, 0, 0);
	for (int i = 0; i < 3; i++) {
		tick_begin(f, 0, 0, 0);
		sample(f, process(5, 0xa, MIB, 0));
		tick_end(f);
	}
	memory_totals(f->m, 1000 * MIB, START_NS, 1);
	o = manifest(f);
	list = json_object_get(o, "processes");
	assert_int_equal(json_array_size(list), 6);
	for (size_t i = 0; i < 6; i++) {
		const json_t *p = json_array_get(list, i);

		assert_word(p, "end", ends[i].word);
		if (ends[i].status < 0)
			assert_true(json_is_null(json_object_get(p, "exit_status")));
		else
			assert_int_equal(number(p, "exit_status"), ends[i].status);
		if (ends[i].signal < 0)
			assert_true(json_is_null(json_object_get(p, "signal")));
		else
			assert_int_equal(number(p, "signal"), ends[i].signal);
		if (ends[i].code == -1)
			assert_true(json_is_null(json_object_get(p, "end_s")));
		else
			assert_seconds(p, "end_s", i < 4 ? 1 : 4); /* unknown: when it was missed */
	}
	json_decref(o);
}

/* docs/artifact-format.md, in full */
static void the_manifest_has_every_key_of_the_contract(void **state)
{
	static const char *const keys[] = {
		"status",
		"limits",
		"source",
		"interval_s",
		"peak_rss_bytes",
		"peak_time_s",
		"final_rss_bytes",
		"tracked_rss_bytes",
		"pss_bytes",
		"pss_time_s",
		"swap_peak_bytes",
		"minor_faults",
		"major_faults",
		"ticks",
		"gaps",
		"processes",
		"processes_omitted",
		"omitted_at_peak_bytes",
	};
	static const char *const process_keys[] = {
		"pid",
		"name",
		"start_s",
		"end_s",
		"rss_at_peak_bytes",
		"peak_rss_bytes",
		"peak_time_s",
		"end",
		"exit_status",
		"signal",
	};
	struct fixture *f = *state;
	json_t *o, *p;

	for (int i = 0; i < 3; i++) {
		struct process_sample s = process(1, 0xa, MIB, 0);

		s.start_ns = START_NS - 3 * SECOND; /* older than the observation */
		s.swap_bytes = i == 1 ? 8192 : 4096;
		tick_begin(f, MIB + 4096, MIB, START_NS + SECOND);
		sample(f, s);
		tick_end(f);
	}
	memory_totals(f->m, 0, 0, 0);
	o = manifest(f);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!json_object_get(o, keys[i]))
			fail_msg("%s is missing", keys[i]);
	p = json_array_get(json_object_get(o, "processes"), 0);
	for (size_t i = 0; i < sizeof(process_keys) / sizeof(process_keys[0]); i++)
		if (!json_object_get(p, process_keys[i]))
			fail_msg("processes[].%s is missing", process_keys[i]);
	assert_word(o, "status", "ok");
	assert_word(o, "source", "rss_stat");
	assert_seconds(o, "interval_s", 2);
	assert_int_equal(number(o, "ticks"), 3);
	assert_int_equal(number(o, "swap_peak_bytes"), 8192);
	assert_int_equal(number(o, "final_rss_bytes"), MIB);
	assert_int_equal(number(o, "tracked_rss_bytes"), MIB + 4096);
	assert_int_equal(json_array_size(json_object_get(o, "gaps")), 0);
	assert_seconds(p, "start_s", -3);
	assert_word(p, "name", "p1");
	json_decref(o);
}

static void a_limit_makes_it_limited_and_no_tick_a_failure(void **state)
{
	struct fixture *f = *state;
	json_t *limits = json_array(), *o = memory_manifest(f->m, limits);

	assert_word(o, "status", "failed");
	assert_true(json_is_null(json_object_get(o, "peak_time_s")));
	json_decref(o);
	tick_begin(f, 0, 0, 0);
	tick_end(f);
	json_array_append_new(limits, json_string("a reason"));
	o = memory_manifest(f->m, limits);
	assert_word(o, "status", "limited");
	assert_int_equal(json_array_size(json_object_get(o, "limits")), 1);
	json_decref(o);
	json_decref(limits);
}

static void gaps_are_told_with_their_cause(void **state)
{
	struct fixture *f = *state;
	const uint64_t bytes = MIB;
	json_t *o, *gaps;

	tick_of(f, &bytes, 1);
	f->o.gap_ns = 90 * SECOND;
	f->o.gap_suspend = true;
	tick_of(f, &bytes, 1);
	f->o.gap_ns = 7 * SECOND;
	f->o.gap_suspend = false;
	tick_of(f, &bytes, 1);
	f->o.gap_ns = 0;
	tick_of(f, &bytes, 1);
	o = manifest(f);
	gaps = json_object_get(o, "gaps");
	assert_int_equal(json_array_size(gaps), 2);
	assert_word(json_array_get(gaps, 0), "cause", "suspend");
	assert_seconds(json_array_get(gaps, 0), "seconds", 90);
	assert_seconds(json_array_get(gaps, 0), "time_s", 4);
	assert_word(json_array_get(gaps, 1), "cause", "observer not running");
	assert_seconds(json_array_get(gaps, 1), "seconds", 7);
	json_decref(o);
}

/* oracle: a process's PSS is above nothing and, by definition, not above its RSS */
static void pss_is_measured_of_a_real_process(void **state)
{
	struct fixture *f = *state;
	struct process_sample s = process(1, 0xa, 0, 0);
	size_t pages = 0;
	FILE *statm = fopen("/proc/self/statm", "r");

	assert_non_null(statm);
	assert_int_equal(fscanf(statm, "%*s %zu", &pages), 1);
	fclose(statm);
	s.anon_bytes = pages * sysconf(_SC_PAGESIZE);
	s.pid = getpid();
	tick_begin(f, 0, 0, 0);
	sample(f, s);
	tick_end(f);
	json_t *o = manifest(f);

	assert_in_range(number(o, "pss_bytes"), MIB, s.anon_bytes + 16 * MIB);
	assert_seconds(o, "pss_time_s", 2);
	json_decref(o);
}

static void pss_is_not_measured_beyond_its_budget(void **state)
{
	struct fixture *f = *state;
	struct process_sample s = process(1, 0xa, 100ULL << 30, 0);
	json_t *o;

	s.pid = getpid();
	tick_begin(f, 0, 0, 0);
	sample(f, s);
	assert_true(tick_end(f)->pss_bytes == NOT_MEASURED);
	o = manifest(f);
	assert_true(json_is_null(json_object_get(o, "pss_bytes")));
	assert_true(json_is_null(json_object_get(o, "pss_time_s")));
	json_decref(o);
}

static void names_are_hostile_and_the_manifest_is_json(void **state)
{
	struct fixture *f = *state;
	struct process_sample s = process(1, 0xa, MIB, 0);
	json_t *o;
	char *text;

	memset(s.name, 0xff, sizeof(s.name)); /* not terminated either */
	tick_begin(f, 0, 0, 0);
	sample(f, s);
	tick_end(f);
	o = manifest(f);
	assert_word(json_array_get(json_object_get(o, "processes"), 0), "name", "???????????????");
	text = json_dumps(o, 0);
	assert_non_null(text);
	free(text);
	json_decref(o);
}

static void samples_of_a_wrong_size_or_type_are_left_alone(void **state)
{
	struct fixture *f = *state;
	struct process_sample s = process(1, 0xa, MIB, 0);

	tick_begin(f, 0, 0, 0);
	s.h.size = sizeof(s) - 8;
	sample(f, s);
	s.h.size = sizeof(s) + 8;
	sample(f, s);
	s.h = (struct sample_header){ 99, sizeof(s) };
	sample(f, s);
	s.h = (struct sample_header){ 0, sizeof(s) };
	sample(f, s);
	assert_int_equal(tick_end(f)->processes, 0);
	assert_int_equal(processes_seen(f->o.processes), 0);
}

static void the_table_of_collectors_knows_it(void **state)
{
	(void)state;
	assert_non_null(collector_find("memory"));
	assert_ptr_equal(collector_find("memory")->new, memory_new);
	assert_null(collector_find("memor"));
	assert_null(collector_find("memory "));
	assert_null(collector_find(""));
}

int main(void)
{
#define with_rss_stat(test) cmocka_unit_test_setup_teardown(test, event_driven, teardown)
#define with_ticks(test) cmocka_unit_test_setup_teardown(test, ticks_only, teardown)
	const struct CMUnitTest tests[] = {
		with_rss_stat(a_tick_is_the_sum_of_its_processes),
		with_rss_stat(a_shared_address_space_counts_once),
		with_rss_stat(many_address_spaces_are_told_apart),
		with_rss_stat(a_process_without_address_space_holds_nothing),
		with_rss_stat(a_process_told_twice_counts_once),
		with_rss_stat(a_sharing_process_told_twice_counts_once),
		with_ticks(an_exec_record_drained_at_a_tick_hides_nothing),
		with_rss_stat(an_ended_process_is_not_sampled),
		with_rss_stat(faults_are_those_of_all_threads_and_of_the_ended),
		with_rss_stat(faults_never_fall),
		with_rss_stat(the_kernels_peak_and_shares_are_the_manifests),
		with_rss_stat(still_at_its_peak_at_the_last_tick),
		with_rss_stat(a_tick_stands_where_the_kernel_kept_the_probe_from_the_peak),
		with_rss_stat(the_kernels_peak_stands_when_it_is_higher),
		with_ticks(without_rss_stat_the_highest_tick_is_the_peak),
		with_ticks(without_rss_stat_only_ticks_count),
		with_ticks(without_rss_stat_the_holder_of_the_peak_stays_listed),
		with_ticks(shares_add_up_to_the_peak),
		with_ticks(a_tick_of_an_ended_task_has_a_time_of_its_peak),
		with_rss_stat(every_end_has_its_word),
		with_rss_stat(the_manifest_has_every_key_of_the_contract),
		with_rss_stat(a_limit_makes_it_limited_and_no_tick_a_failure),
		with_rss_stat(gaps_are_told_with_their_cause),
		with_rss_stat(pss_is_measured_of_a_real_process),
		with_rss_stat(pss_is_not_measured_beyond_its_budget),
		with_rss_stat(names_are_hostile_and_the_manifest_is_json),
		with_rss_stat(samples_of_a_wrong_size_or_type_are_left_alone),
		cmocka_unit_test(the_table_of_collectors_knows_it),
	};

	return cmocka_run_group_tests_name("collect/memory", tests, NULL, NULL);
}
