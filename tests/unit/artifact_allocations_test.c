/* artifact_allocations_test.c - the files of the allocations. Oracles:
 * artifact/allocations_files.h, worked out by hand; jansson for JSON; zlib and readers of our own
 * for pprof's and memray's formats. That the other people's programs read them:
 * tests/e2e/allocations_files.bats.
 */
#include <errno.h>
#include <inttypes.h>
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

#include "artifact/allocations_files.h"
#include "artifact/profile_walk.h"

#define MS 1000000ULL

static const struct allocations_facts facts = {
	.exact = true,
	.peak_bytes = 1000,
	.peak_ns = 1500000,
	.start_utc_ns = 1700000000123456789,
	.duration_ns = 5 * MS,
	.peak_rss_bytes = 4096,
	.command = "./demo \"x\"",
	.pid = 7,
	.python = true,
};

static uint32_t frame(struct profile *p, const char *name, const char *file, uint32_t line,
		      uint32_t mapping, uint64_t address)
{
	struct profile_frame f = {
		.name = name, .file = file, .line = line, .mapping = mapping, .address = address
	};

	return profile_frame(p, &f);
}

/* Stacks: 0 main, 1 and 3 main;parse at two addresses, 2 main;parse;grow. */
static void add_names(struct profile *p)
{
	struct profile_mapping demo = { "/bin/demo", "abcd", 0x1000, 0x9000, 0x200, true };
	struct profile_mapping libz = { "/lib/libz.so", NULL, 0x1000, 0x2000, 0, false };
	uint32_t root;

	profile_mapping(p, &demo);
	profile_mapping(p, &libz);
	profile_process(p, &(struct profile_process){ "demo-7", 7 });
	profile_process(p, &(struct profile_process){ "help;er", 9 });
	profile_thread(p, &(struct profile_thread){ .name = "demo", .tid = 7 });
	profile_thread(p, &(struct profile_thread){ .name = "work;er", .tid = 8 });
	profile_thread(p, &(struct profile_thread){ .name = "help;er", .process = 1, .tid = 9 });
	root = profile_stack(p, PROFILE_NO_STACK, frame(p, "main", "/src/main.c", 12, 0, 0x1010));
	profile_stack(p, root, frame(p, "parse", "p.c", 40, 0, 0x1100));
	profile_stack(p, 1, frame(p, "grow", NULL, 0, 1, 0x1200));
	assert_int_equal(profile_stack(p, root, frame(p, "parse", "p.c", 40, 0, 0x1104)), 3);
}

/* Twice @side frames of different names, in @ret. */
static void add_frames(struct profile *p, uint32_t side, uint32_t *ret)
{
	char name[16];

	for (uint32_t i = 0; i < 2 * side; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		ret[i] = frame(p, name, NULL, 0, 0, i);
	}
}

static struct allocations *small_of(const struct allocations_facts *f)
{
	static const struct allocation_entry entries[] = {
		{ 2, 0, ALLOCATOR_MALLOC, { 600, 6 }, { 0, 0 }, { 1000, 10 }, { 100, 1 }, 0, 0 },
		{ 3, 0, ALLOCATOR_CALLOC, { 300, 3 }, { 200, 2 }, { 300, 3 }, { 0, 0 }, 0, 0 },
		{ 1, 0, ALLOCATOR_MALLOC, { 50, 1 }, { 0, 0 }, { 50, 1 }, { 0, 0 }, 0, 0 },
		{ PROFILE_NO_STACK,
		  1,
		  ALLOCATOR_MALLOC,
		  { 40, 1 },
		  { 40, 1 },
		  { 40, 1 },
		  { 0, 0 },
		  0,
		  0 },
		{ 0, 2, ALLOCATOR_PAGE_ANON, { 10, 0 }, { 0, 0 }, { 10, 1 }, { 0, 0 }, 3, 0 },
		{ 2, 1, ALLOCATOR_MALLOC, { 0, 0 }, { 0, 0 }, { 5000, 5 }, { 5000, 5 }, 0, 0 },
	};
	struct allocations *a = allocations_new(f);

	assert_non_null(a);
	add_names(allocations_tree(a));
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		assert_int_equal(allocations_add(a, &entries[i]), 0);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(
		    allocations_point(a, &(struct allocation_point){ i * MS, 100 * i, 1000, i }),
		    0);
	return a;
}

static struct allocations *small(void)
{
	return small_of(&facts);
}

struct text {
	char *data;
	size_t size;
};

static struct text written_as(allocations_write_fn *write, const struct allocations *a,
			      unsigned memray_format)
{
	struct allocations_options options = { .memray_format = memray_format };
	struct text t = { 0 };
	FILE *f = open_memstream(&t.data, &t.size);

	assert_non_null(f);
	assert_int_equal(write(a, &options, f), 0);
	assert_int_equal(fclose(f), 0);
	return t;
}

static struct text written(allocations_write_fn *write, const struct allocations *a)
{
	return written_as(write, a, 0);
}

static void folded_has_the_bytes_at_the_peak(void **state)
{
	struct allocations *a = small();
	struct text t = written(allocations_write_folded, a);

	(void)state;
	assert_string_equal(t.data, "demo-7;demo-7;main (main.c:12);parse (p.c:40) 350\n"
				    "demo-7;demo-7;main (main.c:12);parse (p.c:40);grow 600\n"
				    "demo-7;work:er-8;[no stack] 40\n"
				    "help:er-9;help:er-9;main (main.c:12) 10\n");
	free(t.data);
	allocations_free(a);
}

/* ------------------------------------------------------------------ pprof */

struct bytes {
	const unsigned char *at, *end;
};

static uint64_t read_varint(struct bytes *b)
{
	uint64_t value = 0;

	for (int shift = 0; shift < 70; shift += 7) {
		assert_true(b->at < b->end);
		value |= (uint64_t)(*b->at & 0x7f) << shift;
		if (!(*b->at++ & 0x80))
			return value;
	}
	fail_msg("a varint of more than 10 bytes");
	return 0;
}

/* The @n-th field with this number: its value, or its bytes. */
static bool find(struct bytes message, uint32_t number, size_t n, uint64_t *value,
		 struct bytes *part)
{
	while (message.at < message.end) {
		uint64_t key = read_varint(&message), v = read_varint(&message);
		struct bytes inner = { message.at, message.at };

		if ((key & 7) == 2) {
			assert_true(v <= (uint64_t)(message.end - message.at));
			inner.end = message.at += v;
		} else {
			assert_int_equal(key & 7, 0);
		}
		if (key >> 3 != number || n--)
			continue;
		*value = v;
		*part = inner;
		return true;
	}
	return false;
}

static uint64_t number_of(struct bytes message, uint32_t number, size_t n)
{
	struct bytes part;
	uint64_t value;

	return find(message, number, n, &value, &part) ? value : 0;
}

static struct bytes part_of(struct bytes message, uint32_t number, size_t n)
{
	struct bytes part = { 0 };
	uint64_t value;

	assert_true(find(message, number, n, &value, &part));
	return part;
}

static void assert_text(struct bytes profile, uint64_t string, const char *wanted)
{
	struct bytes s = part_of(profile, 6, string);

	assert_int_equal(s.end - s.at, strlen(wanted));
	assert_memory_equal(s.at, wanted, strlen(wanted));
}

static struct bytes inflated(struct text t, unsigned char *room, size_t size)
{
	z_stream z = { .next_in = (unsigned char *)t.data,
		       .avail_in = (uInt)t.size,
		       .next_out = room,
		       .avail_out = (uInt)size };

	assert_int_equal(inflateInit2(&z, MAX_WBITS | 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	inflateEnd(&z);
	return (struct bytes){ room, z.next_out };
}

static void assert_values(struct bytes profile, size_t n, const uint64_t wanted[9])
{
	struct bytes values = part_of(part_of(profile, 2, n), 2, 0);

	for (size_t i = 0; i < 9; i++)
		assert_int_equal(read_varint(&values), wanted[i]);
	assert_true(values.at == values.end);
}

static void assert_label(struct bytes profile, size_t sample, size_t n, const char *key,
			 const char *text, uint64_t number)
{
	struct bytes label = part_of(part_of(profile, 2, sample), 3, n);

	assert_text(profile, number_of(label, 1, 0), key);
	assert_text(profile, number_of(label, 2, 0), text);
	assert_int_equal(number_of(label, 3, 0), number);
}

static void pprof_has_every_number_of_every_entry(void **state)
{
	static const char *const types[][2] = {
		{ "alloc_objects", "count" },	  { "alloc_space", "bytes" },
		{ "inuse_objects", "count" },	  { "inuse_space", "bytes" },
		{ "leaked_objects", "count" },	  { "leaked_space", "bytes" },
		{ "temporary_objects", "count" }, { "temporary_space", "bytes" },
		{ "error_95", "bytes" },
	};
	static unsigned char room[65536];
	struct allocations *a = small();
	struct text t = written(allocations_write_pprof, a);
	struct bytes profile = inflated(t, room, sizeof(room)), part;
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < 9; i++) {
		assert_text(profile, number_of(part_of(profile, 1, i), 1, 0), types[i][0]);
		assert_text(profile, number_of(part_of(profile, 1, i), 2, 0), types[i][1]);
	}
	assert_false(find(profile, 1, 9, &value, &part));
	assert_values(profile, 0, (uint64_t[]){ 10, 1000, 6, 600, 0, 0, 1, 100, 0 });
	assert_values(profile, 1, (uint64_t[]){ 3, 300, 3, 300, 2, 200, 0, 0, 0 });
	assert_values(profile, 4, (uint64_t[]){ 1, 10, 0, 10, 0, 0, 0, 0, 3 });
	assert_values(profile, 5, (uint64_t[]){ 5, 5000, 0, 0, 0, 0, 5, 5000, 0 });
	assert_false(find(profile, 2, 6, &value, &part));
	assert_label(profile, 4, 0, "process", "help;er-9", 0);
	assert_label(profile, 4, 1, "pid", "", 9);
	assert_label(profile, 4, 2, "thread", "help;er-9", 0);
	assert_label(profile, 4, 3, "tid", "", 9);
	assert_label(profile, 4, 4, "allocator", "anonymous page", 0);
	assert_label(profile, 1, 4, "allocator", "calloc", 0);
	assert_text(profile, number_of(part_of(profile, 3, 0), 5, 0), "/bin/demo");
	assert_text(profile, number_of(part_of(profile, 3, 0), 6, 0), "abcd");
	free(t.data);
	allocations_free(a);
}

static void assert_comments(const struct allocations_facts *f, const char *const *wanted,
			    size_t count, uint64_t period)
{
	static unsigned char room[65536];
	struct allocations *a = small_of(f);
	struct text t = written(allocations_write_pprof, a);
	struct bytes profile = inflated(t, room, sizeof(room)), type = part_of(profile, 11, 0);

	for (size_t i = 0; i < count; i++)
		assert_text(profile, number_of(profile, 13, i), wanted[i]);
	assert_int_equal(number_of(profile, 13, count), 0);
	assert_int_equal(number_of(profile, 12, 0), period);
	assert_text(profile, number_of(type, 1, 0), "space");
	assert_text(profile, number_of(type, 2, 0), "bytes");
	assert_text(profile, number_of(profile, 14, 0), "inuse_space");
	assert_int_equal(number_of(profile, 9, 0), f->start_utc_ns);
	assert_int_equal(number_of(profile, 10, 0), f->duration_ns);
	free(t.data);
	allocations_free(a);
}

static void pprof_tells_the_facts_as_comments(void **state)
{
	static const char *const exact[] = {
		"taskdiag-bpf " TASKDIAG_VERSION,
		"source=heap",
		"exact=true",
		"gap_bytes=0",
		"peak_bytes=1000",
		"peak_s=0.001500000",
		"peak_rss_bytes=4096",
		"pid=7",
		"python=true",
		"command=./demo \"x\"",
	};
	static const char *const sampled[] = {
		"taskdiag-bpf " TASKDIAG_VERSION,
		"source=resident",
		"exact=false",
		"gap_bytes=65536",
		"peak_bytes=1000",
		"peak_s=12345678901.000000001",
		"peak_rss_bytes=4096",
		"pid=7",
		"python=false",
	};
	struct allocations_facts f = facts;

	(void)state;
	assert_comments(&f, exact, sizeof(exact) / sizeof(exact[0]), 1);
	f.resident = true;
	f.exact = f.python = false;
	f.gap_bytes = 65536;
	f.peak_ns = 12345678901000000001ULL;
	f.command = NULL;
	assert_comments(&f, sampled, sizeof(sampled) / sizeof(sampled[0]), 65536);
}

/* ------------------------------------------------------------------ speedscope */

static json_t *speedscope_of(const struct allocations *a)
{
	struct text t = written(allocations_write_speedscope, a);
	json_error_t error;
	json_t *json = json_loadb(t.data, t.size, JSON_REJECT_DUPLICATES, &error);

	if (!json)
		fail_msg("%s at line %d", error.text, error.line);
	free(t.data);
	return json;
}

/* The frames of a sample as "a;b;c" must be as wanted. */
static void assert_sample(const json_t *root, size_t profile, size_t n, const char *wanted,
			  json_int_t weight)
{
	json_t *frames = json_object_get(json_object_get(root, "shared"), "frames");
	json_t *p = json_array_get(json_object_get(root, "profiles"), profile), *number;
	char text[512] = "";
	size_t i;

	json_array_foreach(json_array_get(json_object_get(p, "samples"), n), i, number)
	{
		json_t *f = json_array_get(frames, (size_t)json_integer_value(number));

		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? ";" : "",
			 json_string_value(json_object_get(f, "name")));
	}
	assert_string_equal(text, wanted);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(p, "weights"), n)),
			 weight);
}

static void assert_profile(const json_t *root, size_t n, const char *name, size_t samples,
			   json_int_t sum)
{
	json_t *p = json_array_get(json_object_get(root, "profiles"), n);

	assert_string_equal(json_string_value(json_object_get(p, "name")), name);
	assert_string_equal(json_string_value(json_object_get(p, "type")), "sampled");
	assert_string_equal(json_string_value(json_object_get(p, "unit")), "bytes");
	assert_int_equal(json_integer_value(json_object_get(p, "startValue")), 0);
	assert_int_equal(json_integer_value(json_object_get(p, "endValue")), sum);
	assert_int_equal(json_array_size(json_object_get(p, "samples")), samples);
	assert_int_equal(json_array_size(json_object_get(p, "weights")), samples);
}

static void speedscope_has_the_peak_and_the_leaks(void **state)
{
	struct allocations *a = small();
	json_t *root = speedscope_of(a);

	(void)state;
	assert_int_equal(json_array_size(json_object_get(root, "profiles")), 2);
	assert_profile(root, 0, "held at the peak", 4, 1000);
	assert_sample(root, 0, 0, "demo-7;demo-7;main;parse", 350);
	assert_sample(root, 0, 1, "demo-7;demo-7;main;parse;grow", 600);
	assert_sample(root, 0, 2, "demo-7;work;er-8;[no stack]", 40);
	assert_sample(root, 0, 3, "help;er-9;help;er-9;main", 10);
	assert_profile(root, 1, "left at the end", 2, 240);
	assert_sample(root, 1, 0, "demo-7;demo-7;main;parse", 200);
	assert_sample(root, 1, 1, "demo-7;work;er-8;[no stack]", 40);
	json_decref(root);
	allocations_free(a);
}

static void speedscope_has_no_profile_of_no_leaks(void **state)
{
	struct allocations *a = allocations_new(&facts);
	struct allocation_entry e = { .stack = 0, .peak = { 5, 1 } };
	json_t *root;

	(void)state;
	add_names(allocations_tree(a));
	allocations_add(a, &e);
	root = speedscope_of(a);
	assert_int_equal(json_array_size(json_object_get(root, "profiles")), 1);
	assert_profile(root, 0, "held at the peak", 1, 5);
	json_decref(root);
	allocations_free(a);
	/* and when there are only leaks, they have all their frames */
	a = allocations_new(&facts);
	add_names(allocations_tree(a));
	e = (struct allocation_entry){ .stack = 2, .leaked = { 5, 1 } };
	allocations_add(a, &e);
	root = speedscope_of(a);
	assert_profile(root, 0, "held at the peak", 0, 0);
	assert_profile(root, 1, "left at the end", 1, 5);
	assert_sample(root, 1, 0, "demo-7;demo-7;main;parse;grow", 5);
	json_decref(root);
	allocations_free(a);
}

/* Stacks of 100 + 2 frames: 196,078 of them are 20,000,000. The larger half of 250,000 is in. */
static void speedscope_makes_the_smallest_stacks_one_where_they_are_too_many(void **state)
{
	struct allocations *a = allocations_new(&facts);
	struct profile *p = allocations_tree(a);
	uint32_t stack = PROFILE_NO_STACK, frames[1000];
	json_t *root;

	(void)state;
	add_names(p);
	add_frames(p, 500, frames);
	for (uint32_t i = 0; i < 98; i++)
		stack = profile_stack(p, stack, frames[i]);
	for (uint32_t i = 0; i < 250000; i++) {
		struct allocation_entry e = { .peak = { i < 125000 ? 1 : 2, 1 } };

		e.stack = profile_stack(p, stack, frames[i / 500]);
		e.stack = profile_stack(p, e.stack, frames[500 + i % 500]);
		assert_int_equal(allocations_add(a, &e), 0);
	}
	root = speedscope_of(a);
	assert_profile(root, 0, "held at the peak", 125001, 375000);
	assert_sample(root, 0, 125000, "[smaller stacks]", 125000);
	json_decref(root);
	allocations_free(a);
}

/* ------------------------------------------------------------------ memray */

#define MEMRAY_MAX 64

struct memray_file {
	struct bytes in;
	uint32_t version;
	uint64_t n_allocations, n_frames;
	int64_t start_ms, end_ms;
	int32_t pid;
	uint64_t main_tid;
	char frames[MEMRAY_MAX][256]; /* name@file:line */
	char codes[MEMRAY_MAX][256];
	uint64_t frame_of[MEMRAY_MAX], parent_of[MEMRAY_MAX]; /* of each node */
	size_t frame_count, node_count, threads, snapshots;
	int64_t line;	 /* of the last code object */
	char text[4096]; /* a line per thread, snapshot, allocation */
};

static uint64_t fixed(struct memray_file *f, size_t bytes)
{
	uint64_t value = 0;

	assert_true((size_t)(f->in.end - f->in.at) >= bytes);
	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t)*f->in.at++ << (8 * i);
	return value;
}

static const char *string(struct memray_file *f)
{
	const char *s = (const char *)f->in.at;
	const unsigned char *end = memchr(f->in.at, '\0', (size_t)(f->in.end - f->in.at));

	assert_non_null(end);
	f->in.at = end + 1;
	return s;
}

static int64_t zigzag(struct memray_file *f)
{
	uint64_t v = read_varint(&f->in);

	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

__attribute__((format(printf, 2, 3))) static void say(struct memray_file *f, const char *format,
						      ...)
{
	size_t used = strlen(f->text);
	va_list args;

	va_start(args, format);
	vsnprintf(f->text + used, sizeof(f->text) - used, format, args);
	va_end(args);
}

static void read_head(struct memray_file *f)
{
	assert_string_equal(string(f), "memray");
	f->version = (uint32_t)fixed(f, 4);
	if (f->version >= 12)
		assert_true(fixed(f, 4) >= 0x030b0000); /* line tables as in 3.11 */
	assert_int_equal(fixed(f, 1), 0);
	assert_int_equal(fixed(f, 1), 1);
	f->n_allocations = fixed(f, 8);
	f->n_frames = fixed(f, 8);
	f->start_ms = (int64_t)fixed(f, 8);
	f->end_ms = (int64_t)fixed(f, 8);
	say(f, "command %s\n", string(f));
	f->pid = (int32_t)fixed(f, 4);
	f->main_tid = fixed(f, 8);
	assert_int_equal(fixed(f, 8), 0);
	assert_int_equal(fixed(f, 1), 3);
	fixed(f, f->version >= 12 ? 2 : 1);
	for (int lists = f->version >= 13 ? 3 : 0; lists; lists--)
		assert_string_equal(string(f), "");
}

static void read_code(struct memray_file *f)
{
	uint64_t id = read_varint(&f->in), length;
	const char *name = string(f), *file = string(f);

	assert_in_range(id, 0, MEMRAY_MAX - 1);
	f->line += zigzag(f);
	snprintf(f->codes[id], sizeof(f->codes[id]), "%s@%s:%d", name, file, (int)f->line);
	length = read_varint(&f->in);
	assert_int_equal(length, 2);
	assert_int_equal(fixed(f, 2), 0x00ef);
}

static void read_frame(struct memray_file *f)
{
	uint64_t id = f->version >= 12 ? read_varint(&f->in) : fixed(f, 8);

	assert_int_equal(id, f->frame_count++);
	assert_in_range(id, 0, MEMRAY_MAX - 1);
	if (f->version >= 12) {
		memcpy(f->frames[id], f->codes[read_varint(&f->in)], sizeof(f->frames[id]));
		assert_int_equal(zigzag(f), 0);
	} else {
		const char *name = string(f), *file = string(f);

		snprintf(f->frames[id], sizeof(f->frames[id]), "%s@%s:%d", name, file,
			 (int)fixed(f, 4));
	}
	assert_int_equal(fixed(f, 1), 1);
}

/* Parents come first, and none has the same frame twice. */
static void read_node(struct memray_file *f)
{
	size_t n = ++f->node_count;

	assert_in_range(n, 1, MEMRAY_MAX - 1);
	f->frame_of[n] = f->version >= 12 ? read_varint(&f->in) : fixed(f, 8);
	f->parent_of[n] = f->version >= 12 ? read_varint(&f->in) : fixed(f, 4);
	assert_true(f->frame_of[n] < f->frame_count);
	assert_true(f->parent_of[n] < n);
	for (size_t i = 1; i < n; i++)
		assert_false(f->frame_of[i] == f->frame_of[n] &&
			     f->parent_of[i] == f->parent_of[n]);
}

/* Oracle: memray.AllocatorType of memray 1.11, 1.17, 1.18, and of 1.19, 1.20. */
static const char *allocator_of(const struct memray_file *f, uint64_t number)
{
	static const char *const names[] = { "malloc",	 "free",	   "calloc",
					     "realloc",	 "posix_memalign", "aligned_alloc",
					     "memalign", "valloc",	   "pvalloc",
					     "mmap" };
	static const char *const since_12[] = { "free",	    "malloc",	      "realloc",
						"calloc",   "posix_memalign", "aligned_alloc",
						"memalign", "valloc",	      "pvalloc",
						"mmap" };
	uint64_t first = f->version >= 12 ? 5 : 1;

	assert_in_range(number, first, first + 9);
	return (f->version >= 12 ? since_12 : names)[number - first];
}

static void read_allocation(struct memray_file *f)
{
	uint64_t tid = fixed(f, 8), allocator = fixed(f, 8), node, sums[4];

	assert_int_equal(fixed(f, 8), 0);
	node = fixed(f, 8);
	assert_int_equal(fixed(f, 8), 0);
	for (int i = 0; i < 4; i++)
		sums[i] = fixed(f, 8);
	say(f, "%" PRIx64 " by %s: peak %" PRIu64 "/%" PRIu64 " leaked %" PRIu64 "/%" PRIu64, tid,
	    allocator_of(f, allocator), sums[2], sums[0], sums[3], sums[1]);
	for (; node; node = f->parent_of[node])
		say(f, " < %s", f->frames[f->frame_of[node]]);
	say(f, "\n");
}

static bool read_record(struct memray_file *f)
{
	uint64_t tag = fixed(f, 1);

	switch (tag) {
	case 1:
		say(f, "at %" PRId64, (int64_t)fixed(f, 8) - f->start_ms);
		say(f, " rss %" PRIu64, fixed(f, 8));
		say(f, " heap %" PRIu64 "\n", fixed(f, 8));
		break;
	case 12:
		say(f, "thread %" PRIx64, fixed(f, 8));
		assert_int_equal(fixed(f, 1), 10);
		say(f, " %s\n", string(f));
		break;
	case 14:
		assert_true(f->version >= 12);
		read_code(f);
		break;
	case 4:
		read_frame(f);
		break;
	case 3:
		read_node(f);
		break;
	case 2:
		read_allocation(f);
		break;
	default:
		assert_int_equal(tag, 15);
		assert_true(f->in.at == f->in.end);
		return false;
	}
	return true;
}

static struct memray_file *read_memray(const struct allocations *a, unsigned format)
{
	struct text t = written_as(allocations_write_memray, a, format);
	struct memray_file *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->in = (struct bytes){ (unsigned char *)t.data, (unsigned char *)t.data + t.size };
	read_head(f);
	assert_int_equal(f->version, format);
	while (read_record(f))
		;
	free(t.data);
	return f;
}

/* What was freed before the peak and the end has no record; of the rest there is a frame once. */
static void memray_has_the_same_in_every_format(void **state)
{
	static const char wanted[] =
	    "command ./demo \"x\"\n"
	    "at 0 rss 0 heap 0\nat 1 rss 1 heap 100\nat 2 rss 2 heap 200\n"
	    "at 3 rss 3 heap 300\nat 4 rss 4 heap 400\n"
	    "thread 7 demo-7 / demo\nthread 8 demo-7 / work;er\nthread 9 help;er-9 / help;er\n"
	    "7 by malloc: peak 600/6 leaked 0/0 < grow@/lib/libz.so:0 < parse@p.c:40 < "
	    "main@/src/main.c:12\n"
	    "7 by calloc: peak 350/4 leaked 200/2 < parse@p.c:40 < main@/src/main.c:12\n"
	    "8 by malloc: peak 40/1 leaked 40/1 < [no stack]@<unknown>:0\n"
	    "9 by mmap: peak 10/1 leaked 0/0 < main@/src/main.c:12\n";
	struct allocations *a = small();

	(void)state;
	for (unsigned format = 11; format <= 13; format++) {
		struct memray_file *f = read_memray(a, format);

		assert_string_equal(f->text, wanted);
		assert_int_equal(f->n_allocations, 21);
		assert_int_equal(f->n_frames, 4);
		assert_int_equal(f->frame_count, 4);
		assert_int_equal(f->node_count, 4);
		assert_int_equal(f->start_ms, 1700000000123);
		assert_int_equal(f->end_ms, 1700000000128);
		assert_int_equal(f->pid, 7);
		assert_int_equal(f->main_tid, 7);
		free(f);
	}
	allocations_free(a);
}

/* Of every allocator, and of pages, the name that memray has for it. */
static void memray_numbers_allocators_as_its_version_does(void **state)
{
	struct allocations *a = allocations_new(&facts);
	struct profile *p = allocations_tree(a);
	char wanted[2048] = "command ./demo \"x\"\nthread 8 t\n";

	(void)state;
	profile_process(p, &(struct profile_process){ "demo-7", 7 });
	profile_thread(p, &(struct profile_thread){ .name = "t", .tid = 8 });
	for (uint32_t i = 0; i < ALLOCATORS; i++) {
		struct allocation_entry e = { .allocator = i,
					      .peak = { 2, 1 },
					      .leaked = { 1, 1 } };
		const char *name = allocator_name(i < ALLOCATOR_MMAP ? i : ALLOCATOR_MMAP);
		size_t used = strlen(wanted);

		e.stack = profile_stack(
		    p, PROFILE_NO_STACK,
		    profile_frame(p, &(struct profile_frame){ .name = allocator_name(i),
							      .mapping = PROFILE_NONE }));
		allocations_add(a, &e);
		/* of one stack that of the most bytes is shown */
		e.allocator = i ? ALLOCATOR_MALLOC : ALLOCATOR_CALLOC;
		e.peak = (struct allocation_sum){ 1, 5 };
		allocations_add(a, &e);
		snprintf(wanted + used, sizeof(wanted) - used,
			 "8 by %s: peak 3/6 leaked 2/2 < %s@<unknown>:0\n", name,
			 allocator_name(i));
	}
	for (unsigned format = 11; format <= 13; format++) {
		struct memray_file *f = read_memray(a, format);

		assert_string_equal(f->text, wanted);
		free(f);
	}
	allocations_free(a);
}

static void memray_formats_that_are_not_written_are_refused(void **state)
{
	struct allocations *a = small();

	(void)state;
	for (unsigned format = 0; format < 20; format++) {
		struct allocations_options options = { .memray_format = format };
		bool known = format >= 11 && format <= 13;
		FILE *out = fopen("/dev/null", "w");

		assert_int_equal(memray_readers(format) != NULL, known);
		assert_int_equal(allocations_write_memray(a, &options, out),
				 known || !format ? 0 : -EINVAL);
		fclose(out);
	}
	assert_string_equal(memray_readers(12), "memray 1.19");
	allocations_free(a);
}

static void memray_tells_two_threads_with_one_tid_apart(void **state)
{
	struct allocations_facts f = facts;
	struct allocations *a = allocations_new(&f);
	struct profile *p = allocations_tree(a);
	struct memray_file *file;

	(void)state;
	profile_process(p, &(struct profile_process){ "demo-7", 7 });
	for (uint32_t i = 0; i < 3; i++) {
		profile_thread(p, &(struct profile_thread){ .name = "t", .tid = 8 + i % 2 });
		allocations_add(a, &(struct allocation_entry){
				       .stack = PROFILE_NO_STACK,
				       .thread = i,
				       .peak = { i + 1, 1 },
				   });
	}
	file = read_memray(a, 11);
	assert_string_equal(file->text,
			    "command ./demo \"x\"\nthread 8 t\nthread 9 t\nthread 100000008 t\n"
			    "8 by malloc: peak 1/1 leaked 0/0 < [no stack]@<unknown>:0\n"
			    "9 by malloc: peak 2/1 leaked 0/0 < [no stack]@<unknown>:0\n"
			    "100000008 by malloc: peak 3/1 leaked 0/0 < [no stack]@<unknown>:0\n");
	free(file);
	allocations_free(a);
}

/* ------------------------------------------------------------------ massif */

#define SNAPSHOT(n, time, bytes, tree)                                                 \
	"#-----------\nsnapshot=" n "\n#-----------\ntime=" time "\nmem_heap_B=" bytes \
	"\nmem_heap_extra_B=0\nmem_stacks_B=0\nheap_tree=" tree "\n"
#define HEAD "desc: taskdiag-bpf " TASKDIAG_VERSION ", heap\ncmd: ./demo \"x\"\ntime_unit: ms\n"
#define ROOT "(heap allocation functions) malloc/new/new[], --alloc-fns, etc.\n"

static void massif_has_the_callers_of_who_held_the_peak(void **state)
{
	struct allocations *a = small();
	struct text t = written(allocations_write_massif, a);

	(void)state;
	assert_string_equal(
	    t.data,
	    HEAD SNAPSHOT("0", "0", "0", "empty") SNAPSHOT("1", "1", "100", "empty") SNAPSHOT(
		"2", "1", "1000",
		"peak") "n4: 1000 " ROOT " n1: 600 grow (in /lib/libz.so)\n"
			"  n1: 600 parse (p.c:40)\n"
			"   n0: 600 main (/src/main.c:12)\n"
			" n1: 350 parse (p.c:40)\n"
			"  n0: 350 main (/src/main.c:12)\n"
			" n0: 40 [no stack]\n"
			" n0: 10 main (/src/main.c:12)\n" SNAPSHOT("3", "2", "200", "empty")
			    SNAPSHOT("4", "3", "300", "empty") SNAPSHOT("5", "4", "400", "empty"));
	free(t.data);
	allocations_free(a);
}

/* Of 5000 bytes 1 % is 50: 40 and 10 are below it, 50 of parse at its own address is in its 350. */
static void massif_names_the_remainder_and_folds_what_is_small(void **state)
{
	struct allocations_facts f = facts;
	struct allocations *a;
	struct text t;

	(void)state;
	f.peak_bytes = 5000;
	f.peak_ns = 9 * MS; /* after the last point */
	a = small_of(&f);
	t = written(allocations_write_massif, a);
	assert_non_null(strstr(
	    t.data,
	    SNAPSHOT("5", "9", "5000", "peak") "n4: 5000 " ROOT " n1: 600 grow (in /lib/libz.so)\n"
					       "  n1: 600 parse (p.c:40)\n"
					       "   n0: 600 main (/src/main.c:12)\n"
					       " n1: 350 parse (p.c:40)\n"
					       "  n0: 350 main (/src/main.c:12)\n"
					       " n0: 50 in 2 places, all below massif's threshold "
					       "(1.00%)\n"
					       " n0: 4000 [not attributed]\n"));
	free(t.data);
	allocations_free(a);
	/* one place; and a sum of estimates above what was measured */
	f.peak_bytes = 3;
	f.resident = true;
	a = allocations_new(&f);
	add_names(allocations_tree(a));
	allocations_add(a, &(struct allocation_entry){ .stack = 0, .peak = { 100000, 1 } });
	allocations_add(a, &(struct allocation_entry){ .stack = 2, .peak = { 999, 1 } });
	t = written(allocations_write_massif, a);
	assert_non_null(strstr(
	    t.data, SNAPSHOT("0", "9", "100999",
			     "peak") "n2: 100999 (resident pages) first touched by\n"
				     " n0: 100000 main (/src/main.c:12)\n"
				     " n0: 999 in 1 place, below massif's threshold (1.00%)\n"));
	free(t.data);
	allocations_free(a);
}

static void massif_has_at_most_100_snapshots_and_the_highest_of_those_left_out(void **state)
{
	struct allocations_facts f = facts;
	struct allocations *a;
	unsigned count = 0;
	struct text t;

	(void)state;
	f.peak_ns = 5005 * MS;
	a = allocations_new(&f);
	add_names(allocations_tree(a));
	for (uint64_t i = 0; i < 10000; i++)
		allocations_point(a, &(struct allocation_point){
					 .time_ns = i * MS,
					 .live_bytes = i % 1000 == 500 ? 900 : 100,
				     });
	t = written(allocations_write_massif, a);
	for (const char *at = t.data; (at = strstr(at, "\nsnapshot=")); at++)
		count++;
	assert_int_equal(count, 100);
	for (int i = 0; i < 10; i++) {
		char wanted[64];

		snprintf(wanted, sizeof(wanted), "time=%d\nmem_heap_B=900\n", i * 1000 + 500);
		assert_non_null(strstr(t.data, wanted));
	}
	assert_non_null(strstr(t.data, "time=9999\nmem_heap_B=100\n"));
	assert_non_null(strstr(t.data, "time=5005\nmem_heap_B=1000\n"));
	free(t.data);
	allocations_free(a);
}

/* ------------------------------------------------------------------ all of them */

static allocations_write_fn *const writers[] = {
	allocations_write_folded, allocations_write_pprof,  allocations_write_speedscope,
	allocations_write_memray, allocations_write_massif,
};
#define WRITERS (sizeof(writers) / sizeof(writers[0]))

static void a_hostile_name_makes_no_line_and_no_frame_of_its_own(void **state)
{
	static const char evil[] = "a;b\nn0: 5 x\nroot;x 99 \xff\xe2\x80\xa8 1";
#define SAFE ":b\\nn0: 5 x\\nroot:x 99 ?\\u2028 1"
	struct allocations_facts f = facts;
	struct allocations *a;
	struct profile *p;
	struct memray_file *file;
	struct text t;

	(void)state;
	f.command = evil;
	f.peak_bytes = 5;
	a = allocations_new(&f);
	p = allocations_tree(a);
	profile_mapping(p, &(struct profile_mapping){ .path = evil });
	profile_process(p, &(struct profile_process){ evil, 7 });
	profile_thread(p, &(struct profile_thread){ .name = evil, .tid = 8 });
	profile_stack(p, PROFILE_NO_STACK, frame(p, evil, evil, UINT32_MAX, 0, 0));
	allocations_add(a, &(struct allocation_entry){ .stack = 0, .peak = { 5, 1 } });
	t = written(allocations_write_folded, a);
	assert_string_equal(t.data, "a" SAFE "-7;a" SAFE "-8;a" SAFE " (a" SAFE ":4294967295) 5\n");
	free(t.data);
	t = written(allocations_write_massif, a);
#define EVIL "a;b\\nn0: 5 x\\nroot;x 99 ?\\u2028 1"
	assert_string_equal(
	    t.data, "desc: taskdiag-bpf " TASKDIAG_VERSION ", heap\ncmd: " EVIL
		    "\ntime_unit: ms\n" SNAPSHOT("0", "1", "5", "peak") "n1: 5 " ROOT " n0: 5 " EVIL
									" (" EVIL ":4294967295)\n");
	free(t.data);
	file = read_memray(a, 12);
	assert_string_equal(file->text,
			    "command " EVIL "\nthread 8 " EVIL
			    "\n8 by malloc: peak 5/1 leaked 0/0 < " EVIL "@" EVIL ":2147483647\n");
	free(file);
	json_decref(speedscope_of(a));
	allocations_free(a);
}

static void an_empty_record_is_a_valid_file(void **state)
{
	static unsigned char room[4096];
	struct allocations_facts f = { .exact = true };
	struct allocations *a = allocations_new(&f);
	struct text t = written(allocations_write_folded, a);
	struct memray_file *file;
	json_t *root;

	(void)state;
	assert_int_equal(t.size, 0);
	free(t.data);
	t = written(allocations_write_pprof, a);
	assert_text(inflated(t, room, sizeof(room)), 0, "");
	free(t.data);
	t = written(allocations_write_massif, a);
	assert_non_null(strstr(t.data, SNAPSHOT("0", "0", "0", "peak") "n0: 0 " ROOT));
	free(t.data);
	for (unsigned format = 11; format <= 13; format++) {
		file = read_memray(a, format);
		assert_string_equal(file->text, "command \n");
		free(file);
	}
	root = speedscope_of(a);
	assert_profile(root, 0, "held at the peak", 0, 0);
	json_decref(root);
	allocations_free(a);
}

/* One stack of 200,000 frames, and 200,000 stacks: every file is written, and tells the sum. */
static void deep_and_many_stacks_are_written(void **state)
{
	struct allocations_facts f = facts;
	struct allocations *a = allocations_new(&f);
	struct profile *p = allocations_tree(a);
	uint32_t deep = PROFILE_NO_STACK, frames[900];
	uint64_t sum = 0;
	struct text t;

	(void)state;
	add_names(p);
	add_frames(p, 450, frames);
	for (uint32_t i = 0; i < 200000; i++) {
		struct allocation_entry e = { .peak = { 1, 1 }, .leaked = { 1, 1 } };

		deep = profile_stack(p, deep, frames[0]);
		e.stack = profile_stack(p, PROFILE_NO_STACK, frames[1 + i / 450]);
		e.stack = profile_stack(p, e.stack, frames[450 + i % 450]);
		assert_int_equal(allocations_add(a, &e), 0);
	}
	assert_int_equal(allocations_count(a), 200000);
	allocations_add(a, &(struct allocation_entry){ .stack = deep, .peak = { 100000, 1 } });
	for (size_t i = 0; i < WRITERS; i++)
		free(written(writers[i], a).data);
	t = written(allocations_write_folded, a);
	for (char *line = strtok(t.data, "\n"); line; line = strtok(NULL, "\n"))
		sum += strtoull(strrchr(line, ' '), NULL, 10);
	assert_int_equal(sum, 300000);
	free(t.data);
	allocations_free(a);
}

static void a_full_disk_is_told(void **state)
{
	struct allocations *a = small();

	(void)state;
	for (size_t i = 0; i < WRITERS; i++) {
		FILE *full = fopen("/dev/full", "w");

		assert_non_null(full);
		setvbuf(full, NULL, _IONBF, 0);
		assert_int_equal(writers[i](a, NULL, full), -EIO);
		fclose(full);
	}
	allocations_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folded_has_the_bytes_at_the_peak),
		cmocka_unit_test(pprof_has_every_number_of_every_entry),
		cmocka_unit_test(pprof_tells_the_facts_as_comments),
		cmocka_unit_test(speedscope_has_the_peak_and_the_leaks),
		cmocka_unit_test(speedscope_has_no_profile_of_no_leaks),
		cmocka_unit_test(speedscope_makes_the_smallest_stacks_one_where_they_are_too_many),
		cmocka_unit_test(memray_has_the_same_in_every_format),
		cmocka_unit_test(memray_numbers_allocators_as_its_version_does),
		cmocka_unit_test(memray_formats_that_are_not_written_are_refused),
		cmocka_unit_test(memray_tells_two_threads_with_one_tid_apart),
		cmocka_unit_test(massif_has_the_callers_of_who_held_the_peak),
		cmocka_unit_test(massif_names_the_remainder_and_folds_what_is_small),
		cmocka_unit_test(
		    massif_has_at_most_100_snapshots_and_the_highest_of_those_left_out),
		cmocka_unit_test(a_hostile_name_makes_no_line_and_no_frame_of_its_own),
		cmocka_unit_test(an_empty_record_is_a_valid_file),
		cmocka_unit_test(deep_and_many_stacks_are_written),
		cmocka_unit_test(a_full_disk_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
