/* report_alloc_pprof_test.c - allocations.pb.gz, however damaged, becomes allocations or one cause;
 * oracles: the writer of artifact/, bytes made by hand.
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

#include "artifact/allocations_files.h"
#include "lib/cleanup.h"
#include "report/alloc_pprof.h"
#include "report/gzip.h"

/* Nine types of values, then one sample by thread 7 of process 7, below f at location 1. */
#define TYPE(name) "\x0a\x02\x08" name
#define TYPES        \
	TYPE("\x01") \
	TYPE("\x02") \
	TYPE("\x03") TYPE("\x04") TYPE("\x05") TYPE("\x06") TYPE("\x07") TYPE("\x08") TYPE("\x09")
#define FUNCTION "\x2a\x06\x08\x01\x10\x0a\x18\x0a"
#define LOCATION "\x22\x08\x08\x01\x22\x04\x08\x01\x10\x0c"
#define LABELS(allocator)                        \
	"\x1a\x04\x08\x0b\x10\x0c" /* process */ \
	"\x1a\x04\x08\x0d\x18\x07" /* pid */     \
	"\x1a\x04\x08\x0e\x10\x0c" /* thread */  \
	"\x1a\x04\x08\x0f\x18\x07" /* tid */     \
	"\x1a\x04\x08\x10\x10" allocator
#define SAMPLE "\x12\x2c\x0a\x01\x01\x12\x09\x05\x32\x03\x1e\x01\x0a\x02\x14\x04" LABELS("\x11")
#define COMMENTS "\x68\x12\x68\x13\x68\x14\x68\x15"
#define STRING(size, text) "\x32" size text
#define STRINGS                                                                                   \
	"\x32\x00" STRING("\x0d", "alloc_objects") STRING("\x0b", "alloc_space")                  \
	    STRING("\x0d", "inuse_objects") STRING("\x0b", "inuse_space")                         \
		STRING("\x0e", "leaked_objects") STRING("\x0c", "leaked_space")                   \
		    STRING("\x11", "temporary_objects") STRING("\x0f", "temporary_space")         \
			STRING("\x08", "error_95") STRING("\x01", "f") STRING("\x07", "process")  \
			    STRING("\x04", "sh-7") STRING("\x03", "pid") STRING("\x06", "thread") \
				STRING("\x03", "tid") STRING("\x09", "allocator")                 \
				    STRING("\x06", "calloc")
#define FACTS                         \
	STRING("\x0b", "source=heap") \
	STRING("\x0a", "exact=true") STRING("\x0e", "peak_bytes=100") STRING("\x0a", "peak_s=1.5")

static const char message[] = TYPES FUNCTION LOCATION SAMPLE COMMENTS STRINGS FACTS;

static void assert_refused(const void *data, size_t size, int err, const char *part)
{
	struct allocations *a = NULL;
	const char *cause = NULL;
	int found = alloc_pprof_parse(data, size, &a, &cause);

	if (found != err || a)
		fail_msg("is %d, should be %d (%s)", found, err, part);
	assert_non_null(cause);
	if (!strstr(cause, part))
		fail_msg("'%s' does not have: %s", cause, part);
}

static void every_value_of_a_sample_is_read(void **state)
{
	struct allocations *a = NULL;
	const struct allocation_entry *e;
	const char *cause = "";

	(void)state;
	if (alloc_pprof_parse(message, sizeof(message) - 1, &a, &cause))
		fail_msg("%s", cause);
	assert_int_equal(allocations_count(a), 1);
	e = allocations_at(a, 0);
	assert_int_equal(e->allocated.count, 5);
	assert_int_equal(e->allocated.bytes, 50);
	assert_int_equal(e->peak.count, 3);
	assert_int_equal(e->peak.bytes, 30);
	assert_int_equal(e->leaked.count, 1);
	assert_int_equal(e->leaked.bytes, 10);
	assert_int_equal(e->temporary.count, 2);
	assert_int_equal(e->temporary.bytes, 20);
	assert_int_equal(e->error_95_bytes, 4);
	assert_int_equal(e->allocator, ALLOCATOR_CALLOC);
	assert_string_equal(profile_frame_at(allocations_names(a),
					     profile_stack_frame(allocations_names(a), e->stack))
				->name,
			    "f");
	assert_int_equal(profile_thread_at(allocations_names(a), e->thread)->tid, 7);
	assert_false(allocations_facts(a)->resident);
	assert_true(allocations_facts(a)->exact);
	assert_int_equal(allocations_facts(a)->peak_bytes, 100);
	assert_int_equal(allocations_facts(a)->peak_ns, 1500000000);
	allocations_free(a);
}

/* Comments name the strings that stand last: no shorter message is whole. */
static void a_message_cut_anywhere_is_refused(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(message) - 1; n++) {
		/* exactly as long as told: the sanitizer sees a read beyond it */
		_cleanup_free_ char *cut = malloc(n + 1);
		struct allocations *a = NULL;
		const char *cause = NULL;

		memcpy(cut, message, n);
		cut = realloc(cut, n ? n : 1);
		assert_int_equal(alloc_pprof_parse(cut, n, &a, &cause), -EBADMSG);
		assert_null(a);
		assert_non_null(cause);
	}
}

static void a_byte_changed_anywhere_does_no_harm(void **state)
{
	static const uint8_t values[] = { 0, 1, 7, 0x7f, 0x80, 0xff };
	_cleanup_free_ char *copy = malloc(sizeof(message) - 1);

	(void)state;
	for (size_t i = 0; i < (sizeof(message) - 1) * sizeof(values); i++) {
		struct allocations *a = NULL;
		const char *cause = NULL;
		int err;

		memcpy(copy, message, sizeof(message) - 1);
		copy[i / sizeof(values)] = (char)values[i % sizeof(values)];
		err = alloc_pprof_parse(copy, sizeof(message) - 1, &a, &cause);
		assert_true(err == 0 || err == -EBADMSG || err == -E2BIG);
		assert_true(!err == !!a);
		allocations_free(a);
	}
}

/* Eight values of 2^62 or 0, then 0: sums of two do not fit. */
#define HUGE "\x80\x80\x80\x80\x80\x80\x80\x80\x40"
#define SAMPLE_HUGE "\x12\x34\x0a\x01\x01\x12\x11" HUGE "\0\0\0\0\0\0\0\0" LABELS("\x11")
#define SAMPLE_UNKNOWN "\x12\x2c\x0a\x01\x01\x12\x09\1\1\1\1\1\1\1\1\1" LABELS("\x0a")

static void what_is_wrong_is_said_by_name(void **state)
{
#define REFUSED(text, err, part) assert_refused(text, sizeof(text) - 1, err, part)
	(void)state;
	REFUSED("", -EBADMSG, "no string table");
	REFUSED(TYPE("\x01") STRINGS, -EBADMSG, "sample types of allocations");
	REFUSED(TYPES STRINGS SAMPLE, -EBADMSG, "a location that it does not hold");
	REFUSED(TYPES FUNCTION LOCATION SAMPLE_UNKNOWN STRINGS, -EBADMSG, "an allocator");
	REFUSED(TYPES STRINGS COMMENTS, -EBADMSG, "a string that it does not hold");
	REFUSED(TYPES STRINGS STRING("\x0a", "source=car") "\x68\x12", -EBADMSG, "a source");
	REFUSED(TYPES STRINGS STRING("\x0d", "peak_bytes=-1") "\x68\x12", -EBADMSG,
		"negative size");
	REFUSED(TYPES FUNCTION LOCATION SAMPLE_HUGE SAMPLE_HUGE STRINGS, -E2BIG, "more bytes than");
#undef REFUSED
}

/* A report shows a name again and again: 64 callers of 256 MB each would fill the memory. */
static void a_name_without_end_is_refused(void **state)
{
	static const char head[] = "\x32\x00\x32\x81\x80\x01"; /* a string of 16,385 bytes */
	_cleanup_free_ char *bytes = malloc(sizeof(head) - 1 + 16385);

	(void)state;
	memcpy(bytes, head, sizeof(head) - 1);
	memset(bytes + sizeof(head) - 1, 'x', 16385);
	assert_refused(bytes, sizeof(head) - 1 + 16385, -E2BIG, "a name that is too long");
	bytes[3] = (char)0x80; /* 16,384 are read; then more is missing */
	assert_refused(bytes, sizeof(head) - 1 + 16384, -EBADMSG, "sample types");
}

static uint32_t pushed(struct allocations *a, uint32_t stack, const char *name, const char *file,
		       uint32_t line)
{
	struct profile_frame f = {
		.name = name, .file = file, .line = line, .mapping = PROFILE_NONE, .python = true
	};

	return profile_stack(allocations_tree(a), stack, profile_frame(allocations_tree(a), &f));
}

static struct allocations *made(const struct allocations_facts *facts)
{
	struct allocations *a = allocations_new(facts);
	struct profile_process process = { .name = "app-9", .pid = 9 };
	struct profile_thread thread = { .name = "app-9", .tid = 9 };
	struct allocation_entry e = { .allocator = ALLOCATOR_PAGE_SHMEM,
				      .peak = { 4096, 1 },
				      .leaked = { 8192, 2 },
				      .allocated = { 12288, 3 },
				      .temporary = { 0, 0 },
				      .error_95_bytes = 77 };

	thread.process = profile_process(allocations_tree(a), &process);
	e.thread = profile_thread(allocations_tree(a), &thread);
	e.stack = pushed(a, PROFILE_NO_STACK, "<module>", "/srv/app.py", 90);
	e.stack = pushed(a, e.stack, "go", "/srv/app.py", 12);
	assert_int_equal(allocations_add(a, &e), 0);
	e.stack = PROFILE_NO_STACK;
	e.allocator = ALLOCATOR_MMAP;
	assert_int_equal(allocations_add(a, &e), 0);
	return a;
}

static void what_the_writer_writes_is_read_back(void **state)
{
	const struct allocations_facts facts = { .resident = true,
						 .gap_bytes = 65536,
						 .peak_bytes = 9999,
						 .peak_ns = 12170000000,
						 .peak_rss_bytes = 12345,
						 .command = "app exact=true\npeak_bytes=1" };
	struct allocations *a = made(&facts), *b = NULL;
	const struct allocations_facts *read;
	_cleanup_free_ char *bytes = NULL;
	const char *cause = "";
	size_t size = 0;
	FILE *f = open_memstream(&bytes, &size);

	(void)state;
	assert_int_equal(allocations_write_pprof(a, &(struct allocations_options){}, f), 0);
	assert_int_equal(fclose(f), 0);
	if (alloc_pprof_read(bytes, size, &b, &cause))
		fail_msg("%s", cause);
	read = allocations_facts(b);
	assert_true(read->resident);
	assert_false(read->exact);
	assert_int_equal(read->gap_bytes, facts.gap_bytes);
	assert_int_equal(read->peak_bytes, facts.peak_bytes);
	assert_int_equal(read->peak_ns / 1000, facts.peak_ns / 1000);
	assert_int_equal(read->peak_rss_bytes, facts.peak_rss_bytes);
	assert_int_equal(allocations_count(b), 2);
	for (size_t i = 0; i < 2; i++) {
		const struct allocation_entry *x = allocations_at(a, i), *y = allocations_at(b, i);
		const struct profile *p = allocations_names(b);
		const struct profile_frame *leaf =
		    profile_frame_at(p, profile_stack_frame(p, y->stack));

		assert_int_equal(x->allocator, y->allocator);
		assert_memory_equal(&x->peak, &y->peak,
				    sizeof(*x) - offsetof(struct allocation_entry, peak));
		assert_string_equal(leaf->name, i ? "[no stack]" : "go");
		assert_int_equal(leaf->line, i ? 0 : 12);
		assert_string_equal(
		    profile_process_at(p, profile_thread_at(p, y->thread)->process)->name, "app-9");
	}
	for (size_t n = 0; n < size; n += 7) {
		struct allocations *cut = NULL;

		assert_int_equal(alloc_pprof_read(bytes, n, &cut, &cause), -EBADMSG);
		assert_null(cut);
	}
	allocations_free(a);
	allocations_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_of_a_sample_is_read),
		cmocka_unit_test(a_message_cut_anywhere_is_refused),
		cmocka_unit_test(a_byte_changed_anywhere_does_no_harm),
		cmocka_unit_test(what_is_wrong_is_said_by_name),
		cmocka_unit_test(a_name_without_end_is_refused),
		cmocka_unit_test(what_the_writer_writes_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
