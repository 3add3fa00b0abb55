/* inspect_perf_map_test.c - maps of JITs; oracle: the map read forwards, line by line, by sscanf.
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
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "inspect/names.h"
#include "inspect/perf_map.h"

#define ADDRESSES 500

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dULL;
}

static int map_of(const char *text, size_t size)
{
	int fd = memfd_create("map", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), size);
	return fd;
}

struct found {
	uint64_t start[ADDRESSES];
	char *name[ADDRESSES];
};

static int take(void *context, size_t index, uint64_t start, const char *name)
{
	struct found *f = context;

	assert_null(f->name[index]); /* told once */
	f->start[index] = start;
	f->name[index] = strdup(name);
	return 0;
}

static void forget(struct found *f)
{
	for (size_t i = 0; i < ADDRESSES; i++)
		free(f->name[i]);
}

static struct perf_map_stats find(const char *text, size_t size, const uint64_t *addresses,
				  size_t count, struct found *ret)
{
	struct perf_map_stats stats;
	int fd = map_of(text, size);

	memset(ret, 0, sizeof(*ret));
	assert_int_equal(perf_map_find(fd, addresses, count, take, ret, &stats), 0);
	close(fd);
	return stats;
}

static void forwards(const char *text, const uint64_t *addresses, size_t count, struct found *ret)
{
	char *copy = strdup(text), *save = NULL, name[4096];

	memset(ret, 0, sizeof(*ret));
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		uint64_t start, size;

		assert_int_equal(
		    sscanf(line, "%" SCNx64 " %" SCNx64 " %4095[^\n]", &start, &size, name), 3);
		for (size_t i = 0; i < count; i++) {
			if (addresses[i] < start || addresses[i] - start >= size)
				continue;
			free(ret->name[i]);
			ret->name[i] = strdup(name);
			ret->start[i] = start;
		}
	}
	free(copy);
}

/* Lines that overlap at random; names of all lengths, so that they lie across every border between
 * two reads. */
static void the_last_line_that_covers_an_address_wins(void **state)
{
	uint64_t seed = 4242, addresses[ADDRESSES], at = 0x7f0000000000;
	struct found ours, theirs;
	size_t size, unnamed = 0;
	char *text = NULL;

	(void)state;
	for (size_t i = 0; i < ADDRESSES; i++)
		addresses[i] = at += next(&seed) % 3 ? next(&seed) % 900 : 0;
	for (int round = 0; round < 20; round++) {
		FILE *f = open_memstream(&text, &size);

		for (int line = 0; line < 1500; line++) {
			uint64_t start = 0x7f0000000000 + next(&seed) % (at - 0x7f0000000000);

			fprintf(
			    f, "%" PRIx64 " %" PRIx64 " LazyCompile:*f%d %.*s\n", start,
			    next(&seed) % (line % 100 ? 400 : 20000), line,
			    (int)(next(&seed) % 300),
			    "/srv/app/a name with blanks/index.js:1:1 /srv/app/another.js:22:3 "
			    "/srv/app/a name with blanks/index.js:1:1 /srv/app/another.js:22:3 "
			    "/srv/app/a name with blanks/index.js:1:1 /srv/app/another.js:22:3 x");
		}
		fclose(f);
		/* blanks at the end of a line are no part of the name: neither for sscanf, below */
		find(text, size, addresses, ADDRESSES, &ours);
		forwards(text, addresses, ADDRESSES, &theirs);
		for (size_t i = 0; i < ADDRESSES; i++) {
			char *end = theirs.name[i] ? strchr(theirs.name[i], '\0') : NULL;

			while (end && end[-1] == ' ')
				*--end = '\0';
			unnamed += !theirs.name[i];
			assert_int_equal(!ours.name[i], !theirs.name[i]);
			if (!ours.name[i])
				continue;
			assert_string_equal(ours.name[i], theirs.name[i]);
			assert_int_equal(ours.start[i], theirs.start[i]);
		}
		forget(&ours);
		forget(&theirs);
		free(text);
	}
	assert_in_range(unnamed, 1, ADDRESSES * 20 - 1000); /* both cases were seen */
}

static void malformed_lines_are_skipped_and_counted(void **state)
{
	static const char text[] = "10 10 good\n"
				   "\n" /* nothing at all: not a line */
				   "zz 10 bad\n"
				   "10\n"
				   "10 10\n"
				   "10 10 \n"
				   " 10 10 bad\n"
				   "-10 10 bad\n"
				   "10000000000000000 10 bad\n" /* 2^64 */
				   "ffffffffffffffff 2 bad\n"	/* wraps */
				   "10 10 b\0ad\n"
				   "0x30 0x10 with prefix\r\n"
				   "50 0 covers nothing\n"
				   "FFFFFFFFFFFFFFFE 1 at the end"; /* no newline */
	static const uint64_t addresses[] = { 0,    0xf,  0x10,		  0x1f,	     0x20,
					      0x30, 0x50, UINT64_MAX - 1, UINT64_MAX };
	static const char *const names[] = { NULL,	    NULL, "good",	"good", NULL,
					     "with prefix", NULL, "at the end", NULL };
	struct perf_map_stats stats;
	struct found f;

	(void)state;
	stats = find(text, sizeof(text) - 1, addresses, 9, &f);
	for (size_t i = 0; i < 9; i++) {
		assert_int_equal(!f.name[i], !names[i]);
		if (names[i])
			assert_string_equal(f.name[i], names[i]);
	}
	assert_int_equal(stats.lines, 13);
	assert_int_equal(stats.skipped, 9);
	forget(&f);
}

static char *with_long_line(size_t long_bytes, size_t *ret_size)
{
	char *text = malloc(long_bytes + 100), *at = text;

	at += sprintf(at, "10 10 before\n20 10 ");
	memset(at, 'x', long_bytes);
	at += long_bytes;
	at += sprintf(at, "\n30 10 behind\n");
	*ret_size = (size_t)(at - text);
	return text;
}

static void long_names_are_cut_and_longer_lines_skipped(void **state)
{
	static const size_t sizes[] = { 1,     2046,  2047,  2048,   8186,   8187,
					57000, 65535, 65536, 131072, 200000, 1000000 };
	static const uint64_t addresses[] = { 0x10, 0x20, 0x30 };
	struct perf_map_stats stats;
	struct found f;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		bool kept = sizes[i] + strlen("20 10 ") <= PERF_MAP_LINE_MAX;
		size_t size;
		char *text = with_long_line(sizes[i], &size);

		stats = find(text, size, addresses, 3, &f);
		assert_string_equal(f.name[0], "before");
		assert_string_equal(f.name[2], "behind");
		assert_int_equal(stats.skipped, !kept);
		assert_int_equal(stats.lines, 3);
		assert_int_equal(f.name[1] != NULL, kept);
		if (kept)
			assert_int_equal(strlen(f.name[1]), sizes[i] < PERF_MAP_NAME_MAX
								? sizes[i]
								: PERF_MAP_NAME_MAX - 1);
		forget(&f);
		free(text);
	}
}

static void reading_ends_when_every_address_has_a_name(void **state)
{
	static const uint64_t addresses[] = { 0x10, 0x11 };
	struct perf_map_stats stats;
	struct found f;

	(void)state;
	stats = find("10 10 a\n10 10 b\n10 10 c\n", 24, addresses, 2, &f);
	assert_string_equal(f.name[0], "c");
	assert_int_equal(stats.lines, 1);
	forget(&f);
	stats = find("", 0, addresses, 2, &f);
	assert_int_equal(stats.lines, 0);
	forget(&f);
}

static void a_map_is_a_regular_file_of_64_megabytes_at_most(void **state)
{
	static const uint64_t addresses[] = { 0x10 };
	struct perf_map_stats stats;
	struct found f = { 0 };
	int ends[2], fd;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(perf_map_find(ends[0], addresses, 1, take, &f, &stats), -EINVAL);
	close(ends[0]);
	close(ends[1]);
	fd = map_of("10 10 a\n", 8);
	assert_int_equal(ftruncate(fd, PERF_MAP_BYTES_MAX), 0);
	/* NULs to the end: one line, much too long */
	assert_int_equal(perf_map_find(fd, addresses, 1, take, &f, &stats), 0);
	assert_string_equal(f.name[0], "a");
	assert_int_equal(stats.skipped, 1);
	assert_int_equal(ftruncate(fd, PERF_MAP_BYTES_MAX + 1), 0);
	assert_int_equal(perf_map_find(fd, addresses, 1, take, &f, &stats), -EFBIG);
	close(fd);
	forget(&f);
}

static void an_answer_has_every_address_and_readable_names(void **state)
{
	static const char text[] = "10 10 _ZN3foo3barEv\n20 10 LazyCompile:~run /a.js:1:2\nbad\n";
	static const uint64_t addresses[] = { 0x1, 0x10, 0x18, 0x2f, 0x30 };
	struct names_answer answer = { 0 };
	const char *cause = NULL;
	struct inspect_name *n;
	size_t count;
	int fd = map_of(text, sizeof(text) - 1);

	(void)state;
	assert_int_equal(names_perf_map(fd, addresses, 5, &answer, &cause), 0);
	assert_string_equal(cause, "malformed lines in the perf map: ignored");
	assert_int_equal(names_decode(answer.bytes, answer.size, 5, &n, &count), 0);
	assert_int_equal(count, 5);
	assert_null(n[0].name);
	assert_string_equal(n[1].name, "foo::bar()");
	assert_int_equal(n[1].start, 0x10);
	assert_ptr_equal(n[2].name, n[1].name);
	assert_string_equal(n[3].name, "LazyCompile:~run /a.js:1:2");
	assert_null(n[4].name);
	free(n);
	free(answer.bytes);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_line_that_covers_an_address_wins),
		cmocka_unit_test(malformed_lines_are_skipped_and_counted),
		cmocka_unit_test(long_names_are_cut_and_longer_lines_skipped),
		cmocka_unit_test(reading_ends_when_every_address_has_a_name),
		cmocka_unit_test(a_map_is_a_regular_file_of_64_megabytes_at_most),
		cmocka_unit_test(an_answer_has_every_address_and_readable_names),
	};

	return cmocka_run_group_tests_name("inspect/perf_map", tests, NULL, NULL);
}
