/* report_pprof_test.c - profile.pb.gz, however damaged, becomes a profile or one cause; oracles:
 * profile.proto's numbers, bytes made by hand, the writer of artifact/.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "artifact/profile_files.h"
#include "lib/cleanup.h"
#include "report/functions.h"
#include "report/gzip.h"
#include "report/pprof.h"
#include "report/wire.h"

/* Fields are written here in an order that the reader must not count on: strings last. */
#define TYPES                      \
	"\x0a\x04\x08\x01\x10\x02" \
	"\x0a\x04\x08\x03\x10\x04" \
	"\x0a\x04\x08\x05\x10\x04"
#define MAPPING "\x1a\x0a\x08\x07\x10\x80\x20\x18\x80\x40\x28\x0d"
/* location 9: f inlined into g, at 0x1010 of the mapping; 10: nothing known; 11: [lock] */
#define LOCATIONS                                                                      \
	"\x22\x11\x08\x09\x10\x07\x18\x90\x20\x22\x04\x08\x01\x10\x0c\x22\x02\x08\x02" \
	"\x22\x07\x08\x0a\x10\x07\x18\xa0\x20"                                         \
	"\x22\x06\x08\x0b\x22\x02\x08\x03"
#define FUNCTIONS                                  \
	"\x2a\x08\x08\x01\x10\x0e\x18\x0e\x20\x0f" \
	"\x2a\x06\x08\x02\x10\x10\x18\x10"         \
	"\x2a\x06\x08\x03\x10\x11\x18\x11"
#define WHO                                           \
	"\x1a\x04\x08\x06\x10\x07" /* process sh-7 */ \
	"\x1a\x04\x08\x08\x18\x07" /* pid 7 */        \
	"\x1a\x04\x08\x09\x10\x07" /* thread sh-7 */  \
	"\x1a\x04\x08\x0a\x18\x07" /* tid 7 */
/* two marks on the CPU, leaf first 9 10, in the second 0 */
#define SAMPLE_CPU \
	"\x12\x29\x0a\x02\x09\x0a\x12\x05\x02\xd0\x0f\xd0\x0f" WHO "\x1a\x04\x08\x0b\x10\x05"
/* one mark waiting for a lock, below 10, in the second 3; its numbers are not packed */
#define SAMPLE_LOCK                                                                           \
	"\x12\x33\x08\x0b\x08\x0a\x10\x01\x10\xe8\x07\x10\x00" WHO "\x1a\x04\x08\x0b\x10\x12" \
	"\x1a\x08\x08\x0c\x18\x80\xbc\xc1\x96\x0b"
#define PERIOD "\x60\xe8\x07"
#define STRINGS                 \
	"\x32\x00"              \
	"\x32\x07samples"       \
	"\x32\x05"              \
	"count"                 \
	"\x32\x04wall"          \
	"\x32\x0bnanoseconds"   \
	"\x32\x03"              \
	"cpu"                   \
	"\x32\x07process"       \
	"\x32\x04sh-7"          \
	"\x32\x03pid"           \
	"\x32\x06thread"        \
	"\x32\x03tid"           \
	"\x32\x05"              \
	"cause"                 \
	"\x32\x04time"          \
	"\x32\x0d/usr/lib/l.so" \
	"\x32\x01"              \
	"f"                     \
	"\x32\x03"              \
	"f.c"                   \
	"\x32\x01g"             \
	"\x32\x06[lock]"        \
	"\x32\x04lock"

static const char message[] =
    TYPES MAPPING LOCATIONS FUNCTIONS SAMPLE_CPU SAMPLE_LOCK PERIOD STRINGS;

static struct profile *parse_good(const void *data, size_t size)
{
	struct profile *p = NULL;
	const char *cause = NULL;
	int err = pprof_parse(data, size, 0, &p, &cause);

	if (err)
		fail_msg("%s: %s", strerror(-err), cause);
	return p;
}

static void assert_refused(const void *data, size_t size, int err, const char *part)
{
	struct profile *p = NULL;
	const char *cause = NULL;
	int found = pprof_parse(data, size, 0, &p, &cause);

	if (found != err || p)
		fail_msg("is %d, should be %d (%s)", found, err, part);
	assert_non_null(cause);
	if (!strstr(cause, part))
		fail_msg("'%s' does not have: %s", cause, part);
}

static const struct profile_frame *frame_of(const struct profile *p, uint32_t stack)
{
	return profile_frame_at(p, profile_stack_frame(p, stack));
}

static void every_field_of_a_profile_is_read(void **state)
{
	struct profile *p = parse_good(message, sizeof(message) - 1);
	const struct profile_sample *s = profile_sample_at(p, 0);
	const struct profile_frame *f;

	(void)state;
	assert_int_equal(profile_period_ns(p), 1000);
	assert_int_equal(profile_slice_ns(p), 3000000000); /* the only time that is told */
	assert_int_equal(profile_marks(p), 3);
	assert_int_equal(profile_sample_count(p), 2);
	assert_int_equal(s->marks, 2);
	assert_true(profile_cause_at(p, s->cause)->running);
	f = frame_of(p, s->stack);
	assert_string_equal(f->name, "f");
	assert_string_equal(f->file, "f.c");
	assert_int_equal(f->line, 12);
	assert_true(f->inlined);
	assert_int_equal(f->address, 0x1010);
	assert_string_equal(profile_mapping_at(p, f->mapping)->path, "/usr/lib/l.so");
	f = frame_of(p, profile_stack_parent(p, s->stack));
	assert_string_equal(f->name, "g");
	assert_false(f->inlined);
	assert_null(f->file);
	f = frame_of(p, profile_stack_parent(p, profile_stack_parent(p, s->stack)));
	assert_string_equal(f->name, "l.so+0x1020");
	profile_free(p);
}

static void the_leaf_of_a_wait_is_its_cause_and_no_frame(void **state)
{
	struct profile *p = parse_good(message, sizeof(message) - 1);
	const struct profile_sample *s = profile_sample_at(p, 1);

	(void)state;
	assert_string_equal(profile_cause_at(p, s->cause)->name, "[lock]");
	assert_false(profile_cause_at(p, s->cause)->running);
	assert_string_equal(frame_of(p, s->stack)->name, "l.so+0x1020");
	assert_int_equal(profile_stack_parent(p, s->stack), PROFILE_NO_STACK);
	assert_int_equal(s->slice, 1);
	profile_free(p);
}

static void threads_and_processes_are_told_by_the_labels(void **state)
{
	struct profile *p = parse_good(message, sizeof(message) - 1);

	(void)state;
	assert_int_equal(profile_process_count(p), 1);
	assert_int_equal(profile_thread_count(p), 1);
	assert_string_equal(profile_process_at(p, 0)->name, "sh-7");
	assert_int_equal(profile_process_at(p, 0)->pid, 7);
	assert_int_equal(profile_thread_at(p, 0)->tid, 7);
	profile_free(p);
}

static void a_slice_that_the_manifest_tells_is_taken(void **state)
{
	struct profile *p = NULL;
	const char *cause;

	(void)state;
	assert_int_equal(pprof_parse(message, sizeof(message) - 1, 1000000000, &p, &cause), 0);
	assert_int_equal(profile_sample_at(p, 1)->slice, 3);
	profile_free(p);
}

/* Between two fields the shorter message is whole, too: then it lacks a table that is named. */
static void a_message_cut_anywhere_is_refused(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(message) - 1; n++) {
		/* exactly as long as told: the sanitizer sees a read beyond it */
		_cleanup_free_ char *cut = malloc(n + 1);
		struct profile *p = NULL;
		const char *cause = NULL;

		memcpy(cut, message, n);
		cut = realloc(cut, n ? n : 1);
		assert_int_equal(pprof_parse(cut, n, 0, &p, &cause), -EBADMSG);
		assert_null(p);
		assert_non_null(cause);
	}
}

static void a_byte_changed_anywhere_does_no_harm(void **state)
{
	static const uint8_t values[] = { 0, 1, 7, 0x7f, 0x80, 0xff };
	_cleanup_free_ char *copy = malloc(sizeof(message) - 1);

	(void)state;
	for (size_t i = 0; i < (sizeof(message) - 1) * sizeof(values); i++) {
		struct profile *p = NULL;
		const char *cause = NULL;
		int err;

		memcpy(copy, message, sizeof(message) - 1);
		copy[i / sizeof(values)] = (char)values[i % sizeof(values)];
		err = pprof_parse(copy, sizeof(message) - 1, 0, &p, &cause);
		assert_true(err == 0 || err == -EBADMSG || err == -E2BIG);
		assert_true(!err == !!p);
		profile_free(p);
	}
}

static void what_is_wrong_is_said_by_name(void **state)
{
#define REFUSED(text, err, part) assert_refused(text, sizeof(text) - 1, err, part)
	(void)state;
	REFUSED("", -EBADMSG, "no string table");
	REFUSED("\x32\x01x", -EBADMSG, "no string table");
	REFUSED("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", -EBADMSG, "not a pprof");
	REFUSED("\x0b", -EBADMSG, "not a pprof"); /* a group */
	REFUSED("\x32\x00\x32\x03"
		"a\0b",
		-EBADMSG, "NUL");
	REFUSED("\x32\x00", -EBADMSG, "no sample type");
	REFUSED("\x32\x00\x0a\x02\x08\x05", -EBADMSG, "a string that it does not hold");
	REFUSED(TYPES STRINGS FUNCTIONS FUNCTIONS, -EBADMSG, "an id twice");
	REFUSED(TYPES STRINGS SAMPLE_CPU, -EBADMSG, "a location that it does not hold");
	REFUSED(TYPES STRINGS FUNCTIONS LOCATIONS, -EBADMSG, "a mapping that it does not hold");
	REFUSED(TYPES STRINGS MAPPING LOCATIONS, -EBADMSG, "a function that it does not hold");
	REFUSED(TYPES STRINGS "\x12\x04\x12\x02\x01\x01", -EBADMSG, "more or fewer values");
	REFUSED(TYPES STRINGS "\x12\x0e\x12\x0c\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01\x01",
		-EBADMSG, "negative");
	REFUSED(TYPES STRINGS PERIOD "\x12\x0d\x12\x0b\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01\x01",
		-E2BIG, "more time than fits");
#undef REFUSED
}

/* 4,000 samples that each name a location of 90,000 inlined lines, in a few hundred kB. */
static void few_bytes_that_mean_much_work_are_refused(void **state)
{
	_cleanup_free_ char *bytes = NULL;
	size_t size = 0, lines = 90000;
	FILE *f = open_memstream(&bytes, &size);
	uint32_t length = (uint32_t)(2 + 4 * lines);

	(void)state;
	fwrite(TYPES FUNCTIONS STRINGS, 1, sizeof(TYPES FUNCTIONS STRINGS) - 1, f);
	fprintf(f, "\x22%c%c%c\x08\x01", (int)(length & 127) | 128, (int)(length >> 7 & 127) | 128,
		(int)(length >> 14));
	for (size_t i = 0; i < lines; i++)
		fwrite("\x22\x02\x08\x01", 1, 4, f);
	for (int i = 0; i < 4000; i++)
		fwrite("\x12\x08\x0a\x01\x01\x12\x03\x01\x01\x01", 1, 10, f);
	assert_int_equal(fclose(f), 0);
	assert_refused(bytes, size, -E2BIG, "too many frames");
}

static void gzip_is_whole_and_bounded(void **state)
{
	_cleanup_free_ uint8_t *gz = NULL, *zeros = calloc(1, 1 << 20);
	struct profile *p = NULL;
	const char *cause;
	uint8_t *out = NULL;
	size_t size, n;

	(void)state;
	assert_int_equal(gzip_deflate(message, sizeof(message) - 1, &gz, &size), 0);
	assert_int_equal(pprof_read(gz, size, 0, &p, &cause), 0);
	assert_int_equal(profile_marks(p), 3);
	profile_free(p);
	p = NULL;
	for (n = 0; n < size; n++) {
		assert_int_equal(pprof_read(gz, n, 0, &p, &cause), -EBADMSG);
		assert_string_equal(cause, "is not gzip, or is cut");
	}
	free(gz);
	assert_int_equal(gzip_deflate(zeros, 1 << 20, &gz, &size), 0);
	assert_int_equal(gzip_inflate(gz, size, (1 << 20) - 1, &out, &n), -E2BIG);
	assert_null(out);
	assert_int_equal(gzip_inflate(gz, size, 1 << 20, &out, &n), 0);
	assert_int_equal(n, 1 << 20);
	free(out);
}

static void base64_pads(void **state)
{
	static const char *const wanted[] = { "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==" };
	char text[16] = "";

	(void)state;
	for (size_t n = 0; n < sizeof(wanted) / sizeof(wanted[0]); n++) {
		FILE *f = fmemopen(text, sizeof(text), "w");

		base64_write(f, (const uint8_t *)"foobar", n);
		assert_int_equal(fclose(f), 0);
		assert_string_equal(text, wanted[n]); /* RFC 4648, section 10 */
	}
}

static uint32_t made_frame(struct profile *p, const char *name, uint32_t mapping, bool inlined)
{
	struct profile_frame f = { .name = name,
				   .file = "x.c",
				   .line = 3,
				   .mapping = mapping,
				   .address = mapping == PROFILE_NONE ? 0 : 0x1234,
				   .inlined = inlined };

	return profile_frame(p, &f);
}

static void what_the_writer_writes_is_read_back(void **state)
{
	struct profile_mapping m = { .path = "/usr/bin/x", .start = 0x1000, .limit = 0x9000 };
	struct profile_process process = { .name = "x", .pid = 9 };
	struct profile_thread thread = { .name = "main", .tid = 9 };
	struct profile *p = profile_new(10000000, 1000000000), *q = NULL;
	_cleanup_free_ char *bytes = NULL;
	uint32_t map = profile_mapping(p, &m), t, stack, wait = profile_cause(p, "[lock]", false);
	uint32_t cpu = profile_cause(p, "cpu", true);
	const char *cause;
	size_t size = 0;
	FILE *f = open_memstream(&bytes, &size);

	(void)state;
	thread.process = profile_process(p, &process);
	t = profile_thread(p, &thread);
	stack = profile_stack(p, PROFILE_NO_STACK, made_frame(p, "outer", map, false));
	stack = profile_stack(p, stack, made_frame(p, "inner", map, true));
	assert_int_equal(profile_add(p, stack, t, cpu, 2, 5), 0);
	assert_int_equal(profile_add(p, stack, t, wait, 4, 7), 0);
	assert_int_equal(profile_write_pprof(p, &(struct profile_run){ .command = "x" }, f), 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(pprof_read(bytes, size, 1000000000, &q, &cause), 0);
	assert_int_equal(profile_marks(q), 12);
	assert_int_equal(profile_period_ns(q), 10000000);
	assert_int_equal(profile_sample_count(q), 2);
	for (uint32_t i = 0; i < 2; i++) {
		const struct profile_sample *s = profile_sample_at(q, i);
		bool running = profile_cause_at(q, s->cause)->running;

		assert_int_equal(s->marks, running ? 5 : 7);
		assert_int_equal(s->slice, running ? 2 : 4);
		assert_string_equal(profile_cause_at(q, s->cause)->name,
				    running ? "cpu" : "[lock]");
		assert_string_equal(frame_of(q, s->stack)->name, "inner");
		assert_true(frame_of(q, s->stack)->inlined);
		assert_string_equal(frame_of(q, profile_stack_parent(q, s->stack))->name, "outer");
	}
	profile_free(p);
	profile_free(q);
}

/* One thread, one mark for each frame, a stack deep. */
static struct profile *with_frames(const struct profile_frame *frames, size_t n)
{
	struct profile *p = profile_new(10000000, 1000000000);
	struct profile_mapping m = { .path = "/usr/bin/x", .start = 0x1000, .limit = 0x9000 };
	struct profile_process process = { .name = "x", .pid = 9 };
	struct profile_thread thread = { .name = "main", .tid = 9 };
	uint32_t cpu = profile_cause(p, "cpu", true), t, stack = PROFILE_NO_STACK;

	profile_mapping(p, &m);
	thread.process = profile_process(p, &process);
	t = profile_thread(p, &thread);
	for (size_t i = 0; i < n; i++) {
		stack = profile_stack(p, stack, profile_frame(p, &frames[i]));
		assert_int_equal(profile_add(p, stack, t, cpu, 0, 1), 0);
	}
	return p;
}

static struct profile *written_and_read(const struct profile *p)
{
	_cleanup_free_ char *bytes = NULL;
	struct profile *q = NULL;
	const char *cause;
	size_t size = 0;
	FILE *f = open_memstream(&bytes, &size);

	assert_int_equal(profile_write_pprof(p, &(struct profile_run){ .command = "x" }, f), 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(pprof_read(bytes, size, 1000000000, &q, &cause), 0);
	return q;
}

static void python_is_read_back_with_its_lines(void **state)
{
	static const struct profile_frame frames[] = {
		{ "main", NULL, "/src/x.c", 7, 0, 0, 0x1234, .python = false },
		{ "<module>", NULL, "/srv/app.py", 40, 1, PROFILE_NONE, .python = true },
		{ "go", NULL, "<string>", 2, 0, PROFILE_NONE, .python = true },
		{ "tool", NULL, "/usr/bin/tool", 9, 4, PROFILE_NONE, .python = true },
		{ "odd.py", NULL, "/x.py", 5, 0, 0, 0x2000, .python = false },
		{ "bare", NULL, NULL, 0, 0, PROFILE_NONE, .python = false },
	};
	struct profile *p = with_frames(frames, 6), *q = written_and_read(p);
	uint32_t seen = 0;

	(void)state;
	assert_int_equal(profile_frame_count(q), 6);
	for (uint32_t i = 0; i < 6; i++)
		for (uint32_t j = 0; j < 6; j++) {
			const struct profile_frame *f = profile_frame_at(q, i);

			if (strcmp(f->name, frames[j].name))
				continue;
			seen |= 1u << j;
			assert_int_equal(f->line, frames[j].line);
			assert_int_equal(f->first_line, frames[j].first_line);
			assert_int_equal(f->python, frames[j].python);
		}
	assert_int_equal(seen, 0x3f);
	profile_free(p);
	profile_free(q);
}

static void assert_place(const struct functions *f, uint32_t frame, const char *place,
			 enum function_kind kind)
{
	const struct function_info *info = &f->all[f->of_frame[frame]];
	_cleanup_free_ char *shown = function_place(info);

	assert_string_equal(shown, place);
	assert_int_equal(info->kind, kind);
}

static void lines_of_a_python_function_are_one_at_its_definition(void **state)
{
	static const struct profile_frame frames[] = {
		{ "compute", NULL, "/srv/app.py", 14, 12, PROFILE_NONE, .python = true },
		{ "compute", NULL, "/srv/app.py", 17, 12, PROFILE_NONE, .python = true },
		{ "compute", NULL, "/srv/app.py", 33, 30, PROFILE_NONE, .python = true },
		{ "loads", NULL, "/usr/lib/python3.11/json/__init__.py", 346, 299, PROFILE_NONE,
		  .python = true },
		{ "native", NULL, "/srv/x.c", 3, 0, 0, 16, .python = false },
		{ "native", NULL, "/srv/x.c", 5, 0, 0, 32, .python = false },
	};
	struct profile *p = with_frames(frames, 6);
	struct functions merged, lines;

	(void)state;
	assert_int_equal(functions_init(&merged, p, false), 0);
	assert_int_equal(merged.n, 4);
	assert_int_equal(merged.of_frame[0], merged.of_frame[1]);
	assert_int_not_equal(merged.of_frame[1], merged.of_frame[2]); /* another definition */
	assert_place(&merged, 0, "app.py:12", FUNCTION_PYTHON);
	assert_place(&merged, 2, "app.py:33", FUNCTION_PYTHON);
	assert_place(&merged, 3, "__init__.py:346", FUNCTION_PYTHON_LIBRARY);
	assert_place(&merged, 4, "x.c", FUNCTION_OWN);
	assert_int_equal(functions_init(&lines, p, true), 0);
	assert_int_equal(lines.n, 6);
	assert_place(&lines, 1, "app.py:17", FUNCTION_PYTHON);
	functions_done(&merged);
	functions_done(&lines);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_of_a_profile_is_read),
		cmocka_unit_test(the_leaf_of_a_wait_is_its_cause_and_no_frame),
		cmocka_unit_test(threads_and_processes_are_told_by_the_labels),
		cmocka_unit_test(a_slice_that_the_manifest_tells_is_taken),
		cmocka_unit_test(a_message_cut_anywhere_is_refused),
		cmocka_unit_test(a_byte_changed_anywhere_does_no_harm),
		cmocka_unit_test(what_is_wrong_is_said_by_name),
		cmocka_unit_test(few_bytes_that_mean_much_work_are_refused),
		cmocka_unit_test(gzip_is_whole_and_bounded),
		cmocka_unit_test(base64_pads),
		cmocka_unit_test(what_the_writer_writes_is_read_back),
		cmocka_unit_test(python_is_read_back_with_its_lines),
		cmocka_unit_test(lines_of_a_python_function_are_one_at_its_definition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
