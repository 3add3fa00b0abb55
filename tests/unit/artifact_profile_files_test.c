/* artifact_profile_files_test.c - the four files of a profile. Oracles: docs/artifact-format.md,
 * worked out by hand; jansson for JSON; zlib and a reader of the wire format of its own for pprof.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include <zlib.h>

#include "artifact/profile_files.h"
#include "artifact/profile_samples.h"
#include "artifact/profile_walk.h"
#include "artifact/protobuf.h"

#define PERIOD_NS 1500 /* one and a half µs: rounding shows */
#define SLICE_NS 1000000000ULL

static const struct profile_run run = { .start_utc_ns = 1700000000000000001,
					.duration_ns = 5000000000,
					.command = "./demo \"x\"" };

static uint32_t frame(struct profile *p, const char *name, const char *file, uint32_t line,
		      uint64_t address, bool inlined)
{
	struct profile_frame f = { .name = name,
				   .file = file,
				   .line = line,
				   .mapping = address ? 0 : PROFILE_NONE,
				   .address = address,
				   .inlined = inlined };

	return profile_frame(p, &f);
}

/* 9 marks: main;parse;middle(i);inner(i) runs at two addresses, main waits for a lock in two
 * slices, another thread has no stack. */
static struct profile *small(void)
{
	struct profile *p = profile_new(PERIOD_NS, SLICE_NS);
	struct profile_mapping m = { "/bin/demo", "abcd", 0x1000, 0x9000, 0x200, true };
	uint32_t cpu, lock, root;

	assert_non_null(p);
	profile_mapping(p, &m);
	profile_process(p, &(struct profile_process){ "demo-7", 7 });
	profile_thread(p, &(struct profile_thread){ .name = "demo", .tid = 7 });
	profile_thread(p, &(struct profile_thread){ .name = "work;er", .tid = 8 });
	cpu = profile_cause(p, "cpu", true);
	lock = profile_cause(p, "[lock]", false);
	root =
	    profile_stack(p, PROFILE_NO_STACK, frame(p, "main", "/src/main.c", 12, 0x1010, false));
	profile_add(p, root, 0, lock, 3, 1);
	profile_add(p, root, 0, lock, 1, 2);
	for (uint64_t at = 0x1100; at <= 0x1200; at += 0x100) {
		uint32_t s = profile_stack(p, root, frame(p, "parse", "p.c", 40, at, false));

		s = profile_stack(p, s, frame(p, "middle", "p.h", 7, at, true));
		s = profile_stack(p, s, frame(p, "inner", NULL, 0, at, true));
		profile_add(p, s, 0, cpu, 2, at == 0x1100 ? 1 : 2);
	}
	profile_add(p, PROFILE_NO_STACK, 1, cpu, 0, 2);
	profile_add(p, PROFILE_NO_STACK, 1, lock, 0, 1);
	return p;
}

struct text {
	char *data;
	size_t size;
};

static struct text written(profile_write_fn *write, const struct profile *p)
{
	struct text t = { 0 };
	FILE *f = open_memstream(&t.data, &t.size);

	assert_non_null(f);
	assert_int_equal(write(p, &run, f), 0);
	assert_int_equal(fclose(f), 0);
	return t;
}

static json_t *written_json(profile_write_fn *write, const struct profile *p)
{
	struct text t = written(write, p);
	json_error_t error;
	json_t *json = json_loadb(t.data, t.size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

	if (!json)
		fail_msg("%s at line %d", error.text, error.line);
	free(t.data);
	return json;
}

static void folded_merges_sorts_and_carries_the_remainder(void **state)
{
	struct profile *p = small();
	struct text t = written(profile_write_folded, p);

	(void)state;
	/* 3, 3, 1, 2 marks of 1.5 µs: 4.5, 9, 10.5, 13.5 µs in the end, each rounded half up */
	assert_string_equal(t.data,
			    "demo-7;demo-7;main (main.c:12);[lock] 5\n"
			    "demo-7;demo-7;main (main.c:12);parse (p.c:40);middle (p.h:7);inner 4\n"
			    "demo-7;work:er-8;[lock] 2\n"
			    "demo-7;work:er-8;[no stack] 3\n");
	free(t.data);
	profile_free(p);
}

/* ------------------------------------------------------------------ a reader of the wire format */

struct wire {
	const unsigned char *at, *end;
};

struct field {
	uint32_t number;
	uint64_t value;	   /* of a varint */
	struct wire bytes; /* else */
};

static uint64_t read_varint(struct wire *w)
{
	uint64_t value = 0;

	for (int shift = 0; shift < 70; shift += 7) {
		assert_true(w->at < w->end);
		value |= (uint64_t)(*w->at & 0x7f) << shift;
		if (!(*w->at++ & 0x80))
			return value;
	}
	fail_msg("a varint of more than 10 bytes");
	return 0;
}

static bool next_field(struct wire *w, struct field *ret)
{
	uint64_t key, length;

	if (w->at == w->end)
		return false;
	key = read_varint(w);
	*ret = (struct field){ .number = (uint32_t)(key >> 3) };
	if ((key & 7) == 0) {
		ret->value = read_varint(w);
		return true;
	}
	assert_int_equal(key & 7, 2);
	length = read_varint(w);
	assert_true(length <= (uint64_t)(w->end - w->at));
	ret->bytes = (struct wire){ w->at, w->at + length };
	w->at += length;
	return true;
}

/* Value of the @nth number field with this number; 0 when absent. */
static uint64_t number_nth(struct wire w, uint32_t number, size_t nth)
{
	struct field f;

	while (next_field(&w, &f))
		if (f.number == number && !nth--)
			return f.value;
	return 0;
}

static uint64_t number_of(struct wire w, uint32_t number)
{
	return number_nth(w, number, 0);
}

/* The @nth field with this number. */
static bool find_nth(struct wire w, uint32_t number, size_t nth, struct wire *ret)
{
	struct field f;

	while (next_field(&w, &f)) {
		if (f.number != number || nth--)
			continue;
		*ret = f.bytes;
		return true;
	}
	return false;
}

static struct wire nth(struct wire w, uint32_t number, size_t n)
{
	struct wire found = { 0 };

	assert_true(find_nth(w, number, n, &found));
	return found;
}

static void assert_text(struct wire profile, uint64_t string, const char *wanted)
{
	struct wire s = nth(profile, 6, string);

	assert_int_equal(s.end - s.at, strlen(wanted));
	assert_memory_equal(s.at, wanted, strlen(wanted));
}

/* The message in the table @table of the profile with this id. */
static struct wire with_id(struct wire profile, uint32_t table, uint64_t id)
{
	struct wire w;

	for (size_t i = 0; find_nth(profile, table, i, &w); i++)
		if (number_of(w, 1) == id)
			return w;
	fail_msg("table %u has no id %lu", table, (unsigned long)id);
	return w;
}

static struct wire inflated(struct text t, unsigned char *room, size_t size)
{
	z_stream z = { .next_in = (unsigned char *)t.data,
		       .avail_in = (uInt)t.size,
		       .next_out = room,
		       .avail_out = (uInt)size };

	assert_int_equal(inflateInit2(&z, MAX_WBITS | 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	inflateEnd(&z);
	return (struct wire){ room, z.next_out };
}

static size_t count_samples(struct text t)
{
	size_t size = 256u << 20, count = 0;
	unsigned char *room = malloc(size);
	struct wire w;
	struct field f;

	assert_non_null(room);
	w = inflated(t, room, size);
	while (next_field(&w, &f))
		count += f.number == 2;
	free(room);
	return count;
}

/* A location must have these lines, innermost first, as "name:line name:line". */
static void assert_location(struct wire profile, uint64_t id, uint64_t mapping, uint64_t address,
			    const char *lines)
{
	struct wire location = with_id(profile, 4, id), line;
	char text[256] = "";

	assert_int_equal(number_of(location, 2), mapping);
	assert_int_equal(number_of(location, 3), address);
	for (size_t i = 0; find_nth(location, 4, i, &line); i++) {
		struct wire function = with_id(profile, 5, number_of(line, 1));
		struct wire name = nth(profile, 6, number_of(function, 2));
		size_t used = strlen(text);

		snprintf(text + used, sizeof(text) - used, "%s%.*s:%lu", i ? " " : "",
			 (int)(name.end - name.at), name.at, (unsigned long)number_of(line, 2));
	}
	assert_string_equal(text, lines);
}

static void assert_label(struct wire profile, struct wire sample, size_t n, const char *key,
			 const char *text, uint64_t number)
{
	struct wire label = nth(sample, 3, n);

	assert_text(profile, number_of(label, 1), key);
	if (text)
		assert_text(profile, number_of(label, 2), text);
	assert_int_equal(number_of(label, 3), number);
}

struct wanted_sample {
	uint64_t marks, wall, cpu, time;
	const char *thread, *cause;
	uint64_t tid;
};

static void assert_sample(struct wire profile, size_t n, struct wanted_sample wanted)
{
	struct wire sample = nth(profile, 2, n), values = nth(sample, 2, 0);

	assert_int_equal(read_varint(&values), wanted.marks);
	assert_int_equal(read_varint(&values), wanted.wall);
	assert_int_equal(read_varint(&values), wanted.cpu);
	assert_true(values.at == values.end);
	assert_label(profile, sample, 0, "process", "demo-7", 0);
	assert_label(profile, sample, 1, "pid", NULL, 7);
	assert_label(profile, sample, 2, "thread", wanted.thread, 0);
	assert_label(profile, sample, 3, "tid", NULL, wanted.tid);
	assert_label(profile, sample, 4, "cause", wanted.cause, 0);
	assert_label(profile, sample, 5, "time", NULL, wanted.time);
	assert_text(profile, number_of(nth(sample, 3, 5), 4), "nanoseconds");
}

static void pprof_has_samples_with_labels(void **state)
{
	static unsigned char room[65536];
	struct profile *p = small();
	struct text t = written(profile_write_pprof, p);
	struct wire profile = inflated(t, room, sizeof(room)), none;

	(void)state;
	assert_sample(profile, 0,
		      (struct wanted_sample){ 1, 1500, 0, 3 * SLICE_NS, "demo-7", "lock", 7 });
	assert_sample(profile, 1,
		      (struct wanted_sample){ 2, 3000, 0, SLICE_NS, "demo-7", "lock", 7 });
	assert_sample(profile, 2,
		      (struct wanted_sample){ 1, 1500, 1500, 2 * SLICE_NS, "demo-7", "cpu", 7 });
	assert_sample(profile, 3,
		      (struct wanted_sample){ 2, 3000, 3000, 2 * SLICE_NS, "demo-7", "cpu", 7 });
	assert_sample(profile, 4,
		      (struct wanted_sample){ 2, 3000, 3000, 0, "work;er-8", "cpu", 8 });
	assert_sample(profile, 5, (struct wanted_sample){ 1, 1500, 0, 0, "work;er-8", "lock", 8 });
	assert_false(find_nth(profile, 2, 6, &none));
	free(t.data);
	profile_free(p);
}

static void pprof_locations_are_leaf_first_and_hold_inlines(void **state)
{
	static unsigned char room[65536];
	struct profile *p = small();
	struct text t = written(profile_write_pprof, p);
	struct wire profile = inflated(t, room, sizeof(room)), path, none;

	(void)state;
	path = nth(nth(profile, 2, 0), 1, 0);
	assert_location(profile, read_varint(&path), 0, 0, "[lock]:0");
	assert_location(profile, read_varint(&path), 1, 0x1010, "main:12");
	assert_true(path.at == path.end);
	path = nth(nth(profile, 2, 3), 1, 0);
	assert_location(profile, read_varint(&path), 1, 0x1200, "inner:0 middle:7 parse:40");
	assert_location(profile, read_varint(&path), 1, 0x1010, "main:12");
	assert_true(path.at == path.end);
	path = nth(nth(profile, 2, 4), 1, 0);
	assert_location(profile, read_varint(&path), 0, 0, "[no stack]:0");
	assert_true(path.at == path.end);
	assert_false(find_nth(profile, 4, 5, &none)); /* 5 locations; parse alone is none */
	free(t.data);
	profile_free(p);
}

static void assert_value_type(struct wire profile, struct wire w, const char *type,
			      const char *unit)
{
	assert_text(profile, number_of(w, 1), type);
	assert_text(profile, number_of(w, 2), unit);
}

static void pprof_says_what_it_is(void **state)
{
	static unsigned char room[65536];
	struct profile *p = small();
	struct text t = written(profile_write_pprof, p), again = written(profile_write_pprof, p);
	struct wire profile = inflated(t, room, sizeof(room)), mapping = with_id(profile, 3, 1);

	(void)state;
	assert_text(profile, 0, "");
	assert_value_type(profile, nth(profile, 1, 0), "samples", "count");
	assert_value_type(profile, nth(profile, 1, 1), "wall", "nanoseconds");
	assert_value_type(profile, nth(profile, 1, 2), "cpu", "nanoseconds");
	assert_value_type(profile, nth(profile, 11, 0), "wall", "nanoseconds");
	assert_int_equal(number_of(profile, 12), PERIOD_NS);
	assert_text(profile, number_of(profile, 14), "wall");
	assert_text(profile, number_nth(profile, 13, 0), "taskdiag-bpf " TASKDIAG_VERSION);
	assert_text(profile, number_nth(profile, 13, 1), "slice 1000000000 ns");
	assert_text(profile, number_nth(profile, 13, 2), "./demo \"x\"");
	assert_int_equal(number_of(profile, 9), run.start_utc_ns);
	assert_int_equal(number_of(profile, 10), run.duration_ns);
	assert_int_equal(number_of(mapping, 2), 0x1000);
	assert_int_equal(number_of(mapping, 3), 0x9000);
	assert_int_equal(number_of(mapping, 4), 0x200);
	assert_text(profile, number_of(mapping, 5), "/bin/demo");
	assert_text(profile, number_of(mapping, 6), "abcd");
	assert_int_equal(number_of(mapping, 7), 1);
	assert_text(profile, number_of(with_id(profile, 5, 1), 4), "/src/main.c");
	/* the same again, and no time in the header of gzip (RFC 1952: bytes 4 to 7) */
	assert_int_equal(t.size, again.size);
	assert_memory_equal(t.data, again.data, t.size);
	assert_memory_equal(t.data + 4, "\0\0\0\0", 4);
	free(t.data);
	free(again.data);
	profile_free(p);
}

static void a_varint_has_every_bit(void **state)
{
	struct protobuf b = { 0 };
	struct field f;
	struct wire w;

	(void)state;
	for (unsigned bit = 0; bit < 64; bit++)
		protobuf_number(&b, bit + 1, UINT64_MAX >> bit);
	protobuf_number(&b, 65, 0);
	protobuf_bytes(&b, 66, "", 0);
	assert_false(b.failed);
	w = (struct wire){ b.data, b.data + b.length };
	for (unsigned bit = 0; bit < 64; bit++) {
		assert_true(next_field(&w, &f));
		assert_int_equal(f.number, bit + 1);
		assert_true(f.value == UINT64_MAX >> bit);
	}
	assert_true(next_field(&w, &f)); /* a zero is left out, an empty string is not */
	assert_int_equal(f.number, 66);
	assert_false(next_field(&w, &f));
	protobuf_clear(&b);
}

/* ------------------------------------------------------------------ JSON */

static json_int_t sum(const json_t *numbers)
{
	json_int_t total = 0;
	const json_t *number;
	size_t i;

	json_array_foreach(numbers, i, number) total += json_integer_value(number);
	return total;
}

static const char *frame_name(const json_t *root, const json_t *sample, size_t i)
{
	json_t *frames = json_object_get(json_object_get(root, "shared"), "frames");
	size_t at = (size_t)json_integer_value(json_array_get(sample, i));

	return json_string_value(json_object_get(json_array_get(frames, at), "name"));
}

static void speedscope_has_a_profile_per_thread_in_order_of_time(void **state)
{
	static const int weights[] = { 3000, 1500, 3000, 1500 }; /* slices 1, 2, 2, 3 */
	struct profile *p = small();
	json_t *root = written_json(profile_write_speedscope, p), *t, *samples;

	(void)state;
	assert_int_equal(json_array_size(json_object_get(root, "profiles")), 2);
	t = json_array_get(json_object_get(root, "profiles"), 0);
	assert_string_equal(json_string_value(json_object_get(t, "type")), "sampled");
	assert_string_equal(json_string_value(json_object_get(t, "unit")), "nanoseconds");
	assert_string_equal(json_string_value(json_object_get(t, "name")), "demo-7 / demo-7");
	assert_int_equal(json_integer_value(json_object_get(t, "endValue")), 9000);
	samples = json_object_get(t, "samples");
	assert_int_equal(json_array_size(samples), 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
		    json_integer_value(json_array_get(json_object_get(t, "weights"), i)),
		    weights[i]);
	assert_int_equal(json_array_size(json_array_get(samples, 0)), 2);
	assert_string_equal(frame_name(root, json_array_get(samples, 0), 0), "main");
	assert_string_equal(frame_name(root, json_array_get(samples, 0), 1), "[lock]");
	assert_int_equal(json_array_size(json_array_get(samples, 1)), 4);
	assert_string_equal(frame_name(root, json_array_get(samples, 1), 3), "inner");
	t = json_array_get(json_object_get(root, "profiles"), 1);
	assert_string_equal(json_string_value(json_object_get(t, "name")), "demo-7 / work;er-8");
	assert_int_equal(sum(json_object_get(t, "weights")), 4500);
	json_decref(root);
	profile_free(p);
}

/* 2,000,001 samples of one stack, one in each slice: pairs are 1,000,001, which speedscope may
 * have; eights are 250,001, which pprof may have. */
static void too_many_samples_become_fewer_and_longer(void **state)
{
	struct profile *p = profile_new(PERIOD_NS, SLICE_NS);
	struct profile_samples samples;
	uint32_t stack, cpu;
	json_t *root, *t;
	struct text file;

	(void)state;
	profile_process(p, &(struct profile_process){ "demo-7", 7 });
	profile_thread(p, &(struct profile_thread){ .name = "demo", .tid = 7 });
	cpu = profile_cause(p, "cpu", true);
	stack = profile_stack(p, PROFILE_NO_STACK, frame(p, "main", NULL, 0, 0, false));
	for (uint32_t slice = 0; slice <= 2000000; slice++)
		assert_int_equal(profile_add(p, stack, 0, cpu, slice, 1), 0);
	root = written_json(profile_write_speedscope, p);
	t = json_array_get(json_object_get(root, "profiles"), 0);
	assert_int_equal(json_array_size(json_object_get(t, "samples")), 1000001);
	assert_int_equal(sum(json_object_get(t, "weights")), 2000001LL * PERIOD_NS);
	json_decref(root);
	file = written(profile_write_pprof, p);
	assert_int_equal(count_samples(file), 250001);
	free(file.data);
	/* one stack in one slice is as few as it gets */
	assert_int_equal(profile_samples_init(&samples, p, 0), 0);
	assert_int_equal(profile_samples_count(&samples), 1);
	assert_int_equal(profile_samples_at(&samples, 0)->marks, 2000001);
	profile_samples_clear(&samples);
	assert_int_equal(profile_samples_init(&samples, p, 500000), 0);
	assert_int_equal(profile_samples_at(&samples, 1)->slice, 8);
	assert_int_equal(profile_samples_at(&samples, 1)->marks, 8);
	assert_int_equal(profile_samples_at(&samples, 250000)->marks, 1);
	assert_int_equal(profile_samples_slice_ns(&samples), 8 * SLICE_NS);
	profile_samples_clear(&samples);
	profile_free(p);
}

static void pyisession_has_records_from_root_to_leaf(void **state)
{
	static const char *const frames[] = { "demo-7\0process\0"
					      "0",
					      "demo-7\0thread\0"
					      "0",
					      "main\0/src/main.c\0"
					      "12",
					      "[lock]\0wait\0"
					      "0" };
	static const size_t lengths[] = { 16, 15, 19, 13 };
	struct profile *p = small();
	json_t *root = written_json(profile_write_pyisession, p), *record;

	(void)state;
	assert_int_equal(json_array_size(json_object_get(root, "frame_records")), 4);
	record = json_array_get(json_object_get(root, "frame_records"), 0);
	assert_true(json_real_value(json_array_get(record, 1)) == 0.0000045);
	record = json_array_get(record, 0);
	assert_int_equal(json_array_size(record), 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(json_string_length(json_array_get(record, i)), lengths[i]);
		assert_memory_equal(json_string_value(json_array_get(record, i)), frames[i],
				    lengths[i]);
	}
	assert_true(json_real_value(json_object_get(root, "duration")) == 0.0000135);
	assert_true(json_real_value(json_object_get(root, "cpu_time")) == 0.0000075);
	assert_int_equal(json_integer_value(json_object_get(root, "sample_count")), 9);
	assert_int_equal(json_array_size(json_object_get(root, "start_call_stack")), 1);
	assert_string_equal(json_string_value(json_object_get(root, "program")), run.command);
	assert_string_equal(json_string_value(json_object_get(root, "target_description")),
			    run.command);
	json_decref(root);
	profile_free(p);
}

/* Two lines of one function, above them a module of the standard library. */
static struct profile *python(void)
{
	static const struct profile_frame frames[] = {
		{ "load", NULL, "/usr/lib/python3.11/json/__init__.py", 300, 274, PROFILE_NONE,
		  .python = true },
		{ "work", NULL, "/srv/app.py", 14, 12, PROFILE_NONE, .python = true },
		{ "work", NULL, "/srv/app.py", 17, 12, PROFILE_NONE, .python = true },
	};
	struct profile *p = profile_new(PERIOD_NS, SLICE_NS);
	uint32_t cpu, root;

	assert_non_null(p);
	profile_process(p, &(struct profile_process){ "demo-7", 7 });
	profile_thread(p, &(struct profile_thread){ .name = "demo", .tid = 7 });
	cpu = profile_cause(p, "cpu", true);
	root = profile_stack(p, PROFILE_NO_STACK, profile_frame(p, &frames[0]));
	for (int i = 1; i <= 2; i++)
		profile_add(p, profile_stack(p, root, profile_frame(p, &frames[i])), 0, cpu, 0, 2);
	return p;
}

/* Oracle: frame_info.py and stat_profile_python.py of pyinstrument 5.1.3. */
static void pyisession_knows_a_python_function_by_its_first_line(void **state)
{
	static const char *const frames[] = { "load\0/usr/lib/python3.11/json/__init__.py\0"
					      "274\1l300",
					      "work\0/srv/app.py\0"
					      "12\1l14",
					      "work\0/srv/app.py\0"
					      "12\1l17" };
	static const size_t lengths[] = { 50, 23, 23 };
	struct profile *p = python();
	json_t *root = written_json(profile_write_pyisession, p), *record;
	json_t *prefixes = json_object_get(root, "sys_prefixes");

	(void)state;
	assert_int_equal(json_array_size(json_object_get(root, "frame_records")), 2);
	for (size_t i = 0; i < 3; i++) {
		record = json_array_get(json_object_get(root, "frame_records"), i == 2);
		record = json_array_get(json_array_get(record, 0), i ? 3 : 2);
		assert_int_equal(json_string_length(record), lengths[i]);
		assert_memory_equal(json_string_value(record), frames[i], lengths[i]);
	}
	assert_int_equal(json_array_size(prefixes), 1);
	assert_string_equal(json_string_value(json_array_get(prefixes, 0)), "/usr/lib/python3.11/");
	json_decref(root);
	profile_free(p);
}

static void folded_and_speedscope_tell_the_line_that_ran(void **state)
{
	struct profile *p = python();
	struct text folded = written(profile_write_folded, p);
	json_t *root = written_json(profile_write_speedscope, p), *frame;

	(void)state;
	assert_string_equal(folded.data,
			    "demo-7;demo-7;load (__init__.py:300);work (app.py:14) 3\n"
			    "demo-7;demo-7;load (__init__.py:300);work (app.py:17) 3\n");
	frame = json_object_get(json_object_get(root, "shared"), "frames");
	for (size_t i = 0; i < json_array_size(frame); i++) {
		json_t *f = json_array_get(frame, i);

		if (strcmp(json_string_value(json_object_get(f, "name")), "work"))
			continue;
		assert_string_equal(json_string_value(json_object_get(f, "file")), "/srv/app.py");
		assert_in_set(json_integer_value(json_object_get(f, "line")),
			      ((unsigned long[]){ 14, 17 }), 2);
	}
	json_decref(root);
	free(folded.data);
	profile_free(p);
}

/* ------------------------------------------------------------------ hostile names */

static void a_safe_name_cannot_act(void **state)
{
	static const struct {
		const char *name, *safe;
	} cases[] = {
		{ "plain <T>::f(char const*, \"x\") & 'y'",
		  "plain <T>::f(char const*, \"x\") & 'y'" },
		{ "a\nb\tc\x1b[31m\x01\x7f", "a\\nb\\tc\\x1b[31m\\x01\\x7f" },
		{ "&amp;&lt;&#39;&quot;&gt;&amp", "&amp;&lt;&#39;&quot;&gt;&amp" },
		{ "\xe2\x80\xae"
		  "drow",
		  "\\u202edrow" },
		{ "\xff\xc3 (", "?? (" },
		{ "caf\xc3\xa9 \xf0\x9f\x94\xa5", "caf\xc3\xa9 \xf0\x9f\x94\xa5" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *safe = profile_safe_name(cases[i].name);

		assert_string_equal(safe, cases[i].safe);
		free(safe);
	}
}

static void a_long_name_is_cut_between_two_characters(void **state)
{
	char name[6000], *safe;

	(void)state;
	for (size_t shift = 0; shift < 3; shift++) { /* € has 3 bytes: every place of the cut */
		memset(name, 'x', shift);
		for (size_t i = shift; i + 3 < sizeof(name); i += 3)
			memcpy(name + i, "€", 4);
		safe = profile_safe_name(name);
		assert_in_range(strlen(safe), PROFILE_NAME_BYTES - 6, PROFILE_NAME_BYTES);
		assert_string_equal(safe + strlen(safe) - 6, "€…");
		assert_null(strchr(safe, '?'));
		free(safe);
	}
	memset(name, '\n', sizeof(name) - 1); /* grows when it becomes visible */
	name[sizeof(name) - 1] = '\0';
	safe = profile_safe_name(name);
	assert_in_range(strlen(safe), PROFILE_NAME_BYTES - 6, PROFILE_NAME_BYTES);
	free(safe);
	memset(name, 0x80, sizeof(name) - 1); /* nothing but the inside of characters */
	safe = profile_safe_name(name);
	assert_in_range(strlen(safe), PROFILE_NAME_BYTES - 6, PROFILE_NAME_BYTES);
	free(safe);
}

static void an_id_is_said_once(void **state)
{
	static const struct {
		const char *name;
		uint32_t id;
		const char *wanted;
	} cases[] = {
		{ "demo-7", 7, "demo-7" },     { "demo", 7, "demo-7" },
		{ "demo-17", 7, "demo-17-7" }, { "", 7, "-7" },
		{ "-7", 7, "-7-7" },	       { "x", UINT32_MAX, "x-4294967295" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *name = profile_name_with_id(cases[i].name, cases[i].id);

		assert_string_equal(name, cases[i].wanted);
		free(name);
	}
}

/* Every line must be PROCESS;THREAD;FRAME…  NUMBER, whatever the names hold. */
static void a_hostile_name_makes_no_line_and_no_frame_of_its_own(void **state)
{
	static const char evil[] = "a;b\nc 5\nroot;x 99 \xff\xe2\x80\xa8 1";
	struct profile *p = profile_new(PERIOD_NS, SLICE_NS);
	uint32_t cause, stack = PROFILE_NO_STACK;
	struct text t;

	(void)state;
	profile_process(p, &(struct profile_process){ evil, 7 });
	profile_thread(p, &(struct profile_thread){ .name = evil, .tid = 8 });
	cause = profile_cause(p, evil, false);
	for (int i = 0; i < 2; i++)
		stack = profile_stack(p, stack, frame(p, evil, evil, 3, 0, i));
	assert_int_equal(profile_add(p, stack, 0, cause, 0, 1000), 0);
	t = written(profile_write_folded, p);
#define SAFE "a:b\\nc 5\\nroot:x 99 ?\\u2028 1"
	assert_string_equal(t.data, SAFE "-7;" SAFE "-8;" SAFE " (" SAFE ":3);" SAFE " (" SAFE
					 ":3);" SAFE " 1500\n");
	free(t.data);
	json_decref(written_json(profile_write_speedscope, p));
	json_decref(written_json(profile_write_pyisession, p));
	profile_free(p);
}

/* ------------------------------------------------------------------ all four */

static profile_write_fn *const writers[] = { profile_write_folded, profile_write_pprof,
					     profile_write_speedscope, profile_write_pyisession };

static void an_empty_profile_is_a_valid_file(void **state)
{
	static unsigned char room[4096];
	struct profile *p = profile_new(PERIOD_NS, SLICE_NS);
	struct text t = written(profile_write_folded, p);
	json_t *root;

	(void)state;
	assert_int_equal(t.size, 0);
	free(t.data);
	t = written(profile_write_pprof, p);
	assert_text(inflated(t, room, sizeof(room)), 0, "");
	free(t.data);
	root = written_json(profile_write_speedscope, p);
	assert_int_equal(json_array_size(json_object_get(root, "profiles")), 1);
	json_decref(root);
	root = written_json(profile_write_pyisession, p);
	assert_int_equal(json_array_size(json_object_get(root, "frame_records")), 0);
	json_decref(root);
	profile_free(p);
}

static void a_full_disk_is_told(void **state)
{
	struct profile *p = small();

	(void)state;
	for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++) {
		FILE *full = fopen("/dev/full", "w");
		int err;

		assert_non_null(full);
		setvbuf(full, NULL, _IONBF, 0);
		err = writers[i](p, &run, full);
		assert_int_equal(err, -EIO);
		fclose(full);
	}
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folded_merges_sorts_and_carries_the_remainder),
		cmocka_unit_test(pprof_has_samples_with_labels),
		cmocka_unit_test(pprof_locations_are_leaf_first_and_hold_inlines),
		cmocka_unit_test(pprof_says_what_it_is),
		cmocka_unit_test(a_varint_has_every_bit),
		cmocka_unit_test(speedscope_has_a_profile_per_thread_in_order_of_time),
		cmocka_unit_test(too_many_samples_become_fewer_and_longer),
		cmocka_unit_test(pyisession_has_records_from_root_to_leaf),
		cmocka_unit_test(pyisession_knows_a_python_function_by_its_first_line),
		cmocka_unit_test(folded_and_speedscope_tell_the_line_that_ran),
		cmocka_unit_test(a_safe_name_cannot_act),
		cmocka_unit_test(a_long_name_is_cut_between_two_characters),
		cmocka_unit_test(an_id_is_said_once),
		cmocka_unit_test(a_hostile_name_makes_no_line_and_no_frame_of_its_own),
		cmocka_unit_test(an_empty_profile_is_a_valid_file),
		cmocka_unit_test(a_full_disk_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
