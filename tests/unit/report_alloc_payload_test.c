/* report_alloc_payload_test.c - what the page knows of allocations; oracles: jansson, which reads
 * strictly, and the sums of the entries.
 */
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
#include <fcntl.h>
#include <jansson.h>

#include "report/alloc_payload.h"

#define ACT "</script><script>document.title='acted'</script>\xff\n"

static struct allocations *some(void)
{
	struct allocations *a = allocations_new(&(struct allocations_facts){
	    .exact = true, .peak_bytes = 1000, .peak_ns = 2000000000 });
	struct profile *p = allocations_tree(a);
	struct profile_thread thread = { .name = ACT, .tid = 7 };

	thread.process = profile_process(p, &(struct profile_process){ .name = ACT, .pid = 7 });
	profile_thread(p, &thread);
	return a;
}

/* A function called by ACT, at @line of it. */
static uint32_t stack_at(struct allocations *a, const char *name, uint32_t line)
{
	struct profile *p = allocations_tree(a);
	struct profile_frame outer = {
		.name = ACT, .file = ACT, .line = 1, .mapping = PROFILE_NONE
	};
	struct profile_frame inner = {
		.name = name, .file = "/x.c", .line = line, .mapping = PROFILE_NONE
	};
	uint32_t stack = profile_stack(p, PROFILE_NO_STACK, profile_frame(p, &outer));

	return profile_stack(p, stack, profile_frame(p, &inner));
}

static void add(struct allocations *a, uint32_t stack, enum allocator allocator, uint64_t bytes)
{
	struct allocation_entry e = { .stack = stack,
				      .allocator = allocator,
				      .peak = { bytes, 1 },
				      .leaked = { bytes / 2, 2 },
				      .allocated = { bytes * 3, 3 },
				      .temporary = { bytes / 4, 4 },
				      .error_95_bytes = bytes / 10 };

	assert_int_equal(allocations_add(a, &e), 0);
}

static json_t *payload(struct run *r, struct allocations *a)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	json_error_t error;
	json_t *json;

	assert_int_equal(alloc_payload_json(r, a, f), 0);
	fclose(f);
	assert_null(strstr(text, "</script"));
	json = json_loadb(text, size, 0, &error);
	if (!json)
		fail_msg("%s at %d", error.text, error.position);
	free(text);
	return json;
}

static uint64_t sum_of(const json_t *json, const char *column)
{
	json_t *list = json_object_get(json_object_get(json, "samples"), column), *v;
	uint64_t sum = 0;
	size_t i;

	assert_non_null(list);
	json_array_foreach(list, i, v) sum += (uint64_t)json_integer_value(v);
	return sum;
}

static void every_byte_and_piece_of_the_entries_is_in_it(void **state)
{
	struct run r = { .dirfd = -1, .allocations = some() };
	struct allocation_entry all;
	json_t *json;

	(void)state;
	for (uint32_t i = 0; i < 200; i++)
		add(r.allocations, stack_at(r.allocations, i % 3 ? "f" : "g", i % 7),
		    i % ALLOCATORS, i * 1001);
	add(r.allocations, PROFILE_NO_STACK, ALLOCATOR_MALLOC, 77);
	all = allocations_sum(r.allocations);
	json = payload(&r, r.allocations);
	assert_int_equal(sum_of(json, "peak_bytes"), all.peak.bytes);
	assert_int_equal(sum_of(json, "peak_pieces"), all.peak.count);
	assert_int_equal(sum_of(json, "leaked_bytes"), all.leaked.bytes);
	assert_int_equal(sum_of(json, "leaked_pieces"), all.leaked.count);
	assert_int_equal(sum_of(json, "allocated_bytes"), all.allocated.bytes);
	assert_int_equal(sum_of(json, "allocated_pieces"), all.allocated.count);
	assert_int_equal(sum_of(json, "temporary_bytes"), all.temporary.bytes);
	assert_int_equal(sum_of(json, "temporary_pieces"), all.temporary.count);
	json_decref(json);
	allocations_free(r.allocations);
}

static void lines_of_a_function_are_marked_as_the_same(void **state)
{
	struct run r = { .dirfd = -1, .allocations = some() };
	json_t *json, *names, *same, *lines;

	(void)state;
	add(r.allocations, stack_at(r.allocations, "f", 10), ALLOCATOR_MALLOC, 1);
	add(r.allocations, stack_at(r.allocations, "f", 20), ALLOCATOR_MALLOC, 2);
	add(r.allocations, stack_at(r.allocations, "g", 10), ALLOCATOR_MALLOC, 4);
	json = payload(&r, r.allocations);
	names = json_object_get(json, "names");
	lines = json_object_get(json, "lines");
	same = json_object_get(json, "same");
	assert_int_equal(json_array_size(names), 4);
	assert_int_equal(json_array_size(same), 4);
	for (size_t i = 1; i < 4; i++) {
		const char *name = json_string_value(json_array_get(names, i));
		bool want = !strcmp(name, json_string_value(json_array_get(names, i - 1)));

		assert_int_equal(json_integer_value(json_array_get(same, i)), want);
		if (want)
			assert_int_equal(json_integer_value(json_array_get(lines, i)), 20);
	}
	json_decref(json);
	allocations_free(r.allocations);
}

/* @text as massif.out of an empty directory. */
static json_t *points_of(struct run *r, const char *text)
{
	char path[] = "/tmp/alloc_payload.XXXXXX";
	json_t *json, *points;
	int fd;

	assert_non_null(mkdtemp(path));
	r->dirfd = open(path, O_RDONLY | O_DIRECTORY);
	fd = openat(r->dirfd, "massif.out", O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	json = payload(r, r->allocations);
	points = json_incref(json_object_get(json, "points"));
	json_decref(json);
	unlinkat(r->dirfd, "massif.out", 0);
	close(r->dirfd);
	rmdir(path);
	return points;
}

static void points_are_massifs_and_bounded(void **state)
{
	struct run r = { .dirfd = -1, .allocations = some() };
	char *many = calloc(10000, 40);
	size_t size = 0;
	json_t *points;

	(void)state;
	points = points_of(
	    &r, "time=1500\nmem_heap_B=7\nmem_heap_B=\nmem_heap_B=-\nn0: 1 mem_heap_B=9\n");
	assert_int_equal(json_array_size(points), 1);
	assert_true(json_number_value(json_array_get(json_array_get(points, 0), 0)) == 1.5);
	assert_int_equal(json_integer_value(json_array_get(json_array_get(points, 0), 1)), 7);
	json_decref(points);
	for (int i = 0; i < 10000; i++)
		size += (size_t)sprintf(many + size, "time=%d\nmem_heap_B=1\n", i);
	points = points_of(&r, many);
	assert_int_equal(json_array_size(points), 4096);
	json_decref(points);
	free(many);
	allocations_free(r.allocations);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_and_piece_of_the_entries_is_in_it),
		cmocka_unit_test(lines_of_a_function_are_marked_as_the_same),
		cmocka_unit_test(points_are_massifs_and_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
