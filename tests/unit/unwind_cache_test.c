/* unwind_cache_test.c - tables on disk; oracle: the table that was put in, and the directory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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

#include "bpf/unwind.h"
#include "unwind/cache.h"

#define ROWS 500
#define BUCKETS 100

struct fixture {
	char path[64];
	uint64_t rows_of[ROWS], buckets_of[BUCKETS];
	struct inspect_rows rows;
};

static const struct pin_identity somebody = { 0xfe01, 1234, 1700000000123456789, 98765, 77 };

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->path, sizeof(f->path), "/tmp/cache-test-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	for (size_t i = 0; i < ROWS; i++)
		f->rows_of[i] = i * 0x9e3779b97f4a7c15;
	for (size_t i = 0; i < BUCKETS; i++)
		f->buckets_of[i] = BUCKET(i * 4, 4);
	f->rows = (struct inspect_rows){ .build_id = { 1, 2, 3 },
					 .build_id_bytes = 20,
					 .segment_count = 1,
					 .segments = { { 0x1000, 0x2000, 0x3000, 0x4000 } },
					 .entry = 0x2040,
					 .first = 0x2000,
					 .unsupported = 3,
					 .rows = f->rows_of,
					 .buckets = f->buckets_of,
					 .row_count = ROWS,
					 .bucket_count = BUCKETS,
					 .debug_frame = true };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", f->path);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* Files of the directory; *ret_one: one of them. */
static int listed(struct fixture *f, char ret_one[256])
{
	DIR *dir = opendir(f->path);
	struct dirent *d;
	int count = 0;

	assert_non_null(dir);
	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		if (ret_one)
			snprintf(ret_one, 256, "%.63s/%.191s", f->path, d->d_name);
		count++;
	}
	closedir(dir);
	return count;
}

static struct cache *open_cache(struct fixture *f, uint64_t limit)
{
	struct cache *c = NULL;

	assert_int_equal(cache_new(f->path, limit, &c), 0);
	return c;
}

static void what_is_stored_is_found_by_identity(void **state)
{
	struct fixture *f = *state;
	struct cache *c = open_cache(f, 1 << 20);
	struct pin_identity other[5] = { somebody, somebody, somebody, somebody, somebody };
	struct inspect_rows r;
	void *memory;
	char path[256];
	struct stat st;

	assert_int_equal(cache_load(c, &somebody, &r, &memory), -ENOENT);
	assert_int_equal(cache_store(c, &somebody, &f->rows), 0);
	assert_int_equal(cache_store(c, &somebody, &f->rows), 0); /* another run was faster */
	assert_int_equal(listed(f, path), 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	cache_free(c);

	c = open_cache(f, 1 << 20); /* another run */
	assert_int_equal(cache_load(c, &somebody, &r, &memory), 0);
	assert_int_equal(r.row_count, ROWS);
	assert_int_equal(r.bucket_count, BUCKETS);
	assert_memory_equal(r.rows, f->rows_of, sizeof(f->rows_of));
	assert_memory_equal(r.buckets, f->buckets_of, sizeof(f->buckets_of));
	assert_memory_equal(r.build_id, f->rows.build_id, sizeof(r.build_id));
	assert_int_equal(r.build_id_bytes, 20);
	assert_int_equal(r.segment_count, 1);
	assert_memory_equal(r.segments, f->rows.segments, sizeof(r.segments));
	assert_int_equal(r.entry, 0x2040);
	assert_int_equal(r.first, 0x2000);
	assert_int_equal(r.unsupported, 3);
	assert_true(r.debug_frame);
	free(memory);
	other[0].device++;
	other[1].inode++;
	other[2].change_ns++;
	other[3].size++;
	other[4].filesystem++;
	for (int i = 0; i < 5; i++)
		assert_int_equal(cache_load(c, &other[i], &r, &memory), -ENOENT);
	cache_free(c);
	cache_free(NULL);
}

/* Every byte of an entry in turn, and every length. */
static void a_damaged_entry_is_refused_and_removed(void **state)
{
	struct fixture *f = *state;
	struct cache *c = open_cache(f, 1 << 20);
	struct inspect_rows r;
	struct stat st;
	char path[256];
	uint8_t *good;
	void *memory;
	int fd;

	assert_int_equal(cache_store(c, &somebody, &f->rows), 0);
	listed(f, path);
	fd = open(path, O_RDONLY);
	assert_int_equal(fstat(fd, &st), 0);
	good = malloc(st.st_size + 1);
	assert_int_equal(read(fd, good, st.st_size), st.st_size);
	good[st.st_size] = 0;
	close(fd);
	for (off_t i = 0; i < 3 * st.st_size; i++) {
		bool flip = i < st.st_size;
		off_t size = flip ? st.st_size : i - st.st_size; /* shorter, and one longer */

		if (i >= st.st_size && i < 2 * st.st_size && i % 8 && i > st.st_size + 400)
			continue;
		if (size == st.st_size && !flip)
			continue;
		if (size > st.st_size + 1)
			break;
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		good[i % st.st_size] ^= flip << (i % 8);
		assert_int_equal(write(fd, good, size), size);
		good[i % st.st_size] ^= flip << (i % 8);
		close(fd);
		if (cache_load(c, &somebody, &r, &memory) != -EBADMSG) {
			/* 4 bytes after the sum are for alignment only */
			assert_in_range(i, 20, 23);
			free(memory);
			continue;
		}
		assert_int_equal(listed(f, NULL), 0);
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, good, st.st_size), st.st_size);
	close(fd);
	assert_int_equal(cache_load(c, &somebody, &r, &memory), 0);
	free(memory);
	free(good);
	cache_free(c);
}

/* The sum is right, but the name is of another file: nobody can put rows under it. */
static void an_entry_under_another_name_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cache *c = open_cache(f, 1 << 20);
	struct pin_identity victim = somebody;
	char mine[256], wanted[256];
	struct inspect_rows r;
	void *memory;

	victim.inode++;
	assert_int_equal(cache_store(c, &victim, &f->rows), 0);
	listed(f, wanted);
	assert_int_equal(unlink(wanted), 0);
	assert_int_equal(cache_store(c, &somebody, &f->rows), 0);
	listed(f, mine);
	assert_int_equal(rename(mine, wanted), 0);
	assert_int_equal(cache_load(c, &victim, &r, &memory), -EBADMSG);
	assert_int_equal(listed(f, NULL), 0);
	assert_int_equal(cache_store(c, &somebody, &f->rows), 0);
	assert_int_equal(rename(mine, "/tmp/cache-test-moved"), 0);
	assert_int_equal(symlink("/tmp/cache-test-moved", mine), 0); /* nor a link */
	assert_true(cache_load(c, &somebody, &r, &memory) < 0);
	unlink("/tmp/cache-test-moved");
	cache_free(c);
}

/* A sum proves no sense: buckets that name rows beyond the last. */
static void buckets_beyond_the_rows_are_refused(void **state)
{
	struct fixture *f = *state;
	struct cache *c = open_cache(f, 1 << 20);
	struct inspect_rows r;
	void *memory;

	f->buckets_of[BUCKETS - 1] = BUCKET(ROWS - 1, 1);
	assert_int_equal(cache_store(c, &somebody, &f->rows), 0);
	assert_int_equal(cache_load(c, &somebody, &r, &memory), -EBADMSG);
	f->buckets_of[BUCKETS - 1] = BUCKET(ROWS - 1, 0);
	assert_int_equal(cache_store(c, &somebody, &f->rows), 0);
	assert_int_equal(cache_load(c, &somebody, &r, &memory), 0);
	free(memory);
	cache_free(c);
}

static void only_a_directory_of_ours_is_used(void **state)
{
	struct fixture *f = *state;
	struct cache *c = NULL;
	char link[96], path[96];
	struct stat st;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(chmod(f->path, i ? 0702 : 0720), 0);
		assert_int_equal(cache_new(f->path, 1, &c), -EPERM);
	}
	assert_int_equal(chmod(f->path, 0755), 0); /* others may read */
	assert_int_equal(cache_new(f->path, 1, &c), 0);
	cache_free(c);
	if (!geteuid()) {
		assert_int_equal(chown(f->path, 1234, 0), 0);
		assert_int_equal(cache_new(f->path, 1, &c), -EPERM);
		assert_int_equal(chown(f->path, 0, 0), 0);
	}
	snprintf(link, sizeof(link), "%s-link", f->path);
	assert_int_equal(symlink(f->path, link), 0);
	assert_true(cache_new(link, 1, &c) < 0);
	unlink(link);
	snprintf(path, sizeof(path), "%s/new", f->path);
	assert_int_equal(cache_new(path, 1, &c), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	cache_free(c);
	snprintf(path, sizeof(path), "%s/no/parent", f->path);
	assert_int_equal(cache_new(path, 1, &c), -ENOENT);
}

static void the_least_recently_used_goes(void **state)
{
	struct fixture *f = *state;
	struct pin_identity id[5] = { somebody, somebody, somebody, somebody, somebody };
	struct timespec times[2] = {};
	struct inspect_rows r;
	struct cache *c;
	char path[256];
	struct stat st;
	void *memory;

	c = open_cache(f, 1 << 20);
	assert_int_equal(cache_store(c, &id[0], &f->rows), 0);
	listed(f, path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(unlink(path), 0);
	cache_free(c);

	c = open_cache(f, 3 * st.st_size + 10); /* room for three */
	for (int i = 0; i < 3; i++) {
		id[i].inode = i;
		assert_int_equal(cache_store(c, &id[i], &f->rows), 0);
		snprintf(path, sizeof(path), "%s/fe01-%x-%lx-%lx-%lx.rows", f->path, i,
			 somebody.change_ns, somebody.size, somebody.filesystem);
		times[0].tv_sec = times[1].tv_sec = 1000 + i;
		assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	}
	assert_int_equal(cache_load(c, &id[0], &r, &memory), 0); /* the oldest is used */
	free(memory);
	id[3].inode = 3;
	assert_int_equal(cache_store(c, &id[3], &f->rows), 0);
	assert_int_equal(listed(f, NULL), 3);
	assert_int_equal(cache_load(c, &id[1], &r, &memory), -ENOENT);
	for (int i = 0; i < 4; i += i ? 1 : 2) {
		assert_int_equal(cache_load(c, &id[i], &r, &memory), 0);
		free(memory);
	}
	cache_free(c);
	c = open_cache(f, st.st_size - 1);
	assert_int_equal(cache_store(c, &id[4], &f->rows), -EINVAL); /* larger than all */
	cache_free(c);
}

static void a_file_without_build_id_is_not_kept(void **state)
{
	struct fixture *f = *state;
	struct cache *c = open_cache(f, 1 << 20);

	f->rows.build_id_bytes = 0;
	assert_int_equal(cache_store(c, &somebody, &f->rows), -EINVAL);
	assert_int_equal(listed(f, NULL), 0);
	cache_free(c);
}

/* Identities of @count files that are nobody else's. */
static void identities(struct pin_identity *list, size_t count, uint64_t first_inode)
{
	for (size_t i = 0; i < count; i++)
		list[i] = (struct pin_identity){ 0xfe01, first_inode + i, 5, 6, 7 };
}

static void the_last_companions_of_a_program_are_found(void **state)
{
	struct pin_identity list[CACHE_COMPANIONS_MAX + 1], found[CACHE_COMPANIONS_MAX];
	struct pin_identity other = somebody;
	struct fixture *f = *state;
	struct cache *c = open_cache(f, 1 << 20);
	size_t count = 0;

	identities(list, CACHE_COMPANIONS_MAX + 1, 1);
	assert_int_equal(cache_companions_load(c, &somebody, found, &count), -ENOENT);
	assert_int_equal(cache_companions_store(c, &somebody, list, CACHE_COMPANIONS_MAX), 0);
	assert_int_equal(cache_companions_load(c, &somebody, found, &count), 0);
	assert_int_equal(count, CACHE_COMPANIONS_MAX);
	assert_memory_equal(found, list, sizeof(found));
	assert_int_equal(cache_companions_store(c, &somebody, list + 7, 3), 0);
	cache_free(c);

	c = open_cache(f, 1 << 20); /* another run */
	assert_int_equal(cache_companions_load(c, &somebody, found, &count), 0);
	assert_int_equal(count, 3);
	assert_memory_equal(found, list + 7, 3 * sizeof(*found));
	assert_int_equal(listed(f, NULL), 1);
	other.change_ns++; /* the program was replaced */
	assert_int_equal(cache_companions_load(c, &other, found, &count), -ENOENT);
	assert_int_equal(cache_companions_store(c, &somebody, list, 0), -EINVAL);
	assert_int_equal(cache_companions_store(c, &somebody, list, CACHE_COMPANIONS_MAX + 1),
			 -EINVAL);
	cache_free(c);
}

/* Any byte, and any length, but for the padding that nobody reads. */
static void damaged_companions_are_refused_and_removed(void **state)
{
	struct pin_identity list[3], found[CACHE_COMPANIONS_MAX];
	struct fixture *f = *state;
	struct cache *c = open_cache(f, 1 << 20);
	size_t count = 0;
	struct stat st;
	char path[256];
	uint8_t byte;
	int fd;

	identities(list, 3, 1);
	assert_int_equal(cache_companions_store(c, &somebody, list, 3), 0);
	assert_int_equal(listed(f, path), 1);
	assert_int_equal(stat(path, &st), 0);
	for (off_t at = -1; at <= st.st_size; at++) {
		if (at >= 20 && at < 24)
			continue;
		assert_int_equal(cache_companions_store(c, &somebody, list, 3), 0);
		fd = open(path, O_RDWR | O_CLOEXEC);
		assert_true(fd >= 0);
		byte = 0;
		if (at < 0) {
			assert_int_equal(ftruncate(fd, st.st_size - 1), 0);
		} else {
			assert_in_range(pread(fd, &byte, 1, at), 0, 1); /* 0: past the end */
			byte ^= 0x41;
			assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		}
		close(fd);
		assert_int_equal(cache_companions_load(c, &somebody, found, &count), -EBADMSG);
		assert_int_equal(listed(f, NULL), 0);
	}
	cache_free(c);
}

static void companions_count_and_go_with_the_rest(void **state)
{
	struct pin_identity list[10], found[CACHE_COMPANIONS_MAX], other = somebody;
	struct fixture *f = *state;
	struct cache *c = open_cache(f, 1000); /* 464 bytes each */
	size_t count = 0;

	identities(list, 10, 1);
	for (other.inode = 1; other.inode <= 3; other.inode++) {
		assert_int_equal(cache_companions_store(c, &other, list, 10), 0);
		usleep(20000); /* the clock of the file system ticks in 4 ms */
	}
	assert_int_equal(listed(f, NULL), 2);
	other.inode = 1;
	assert_int_equal(cache_companions_load(c, &other, found, &count), -ENOENT);
	cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_stored_is_found_by_identity, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_damaged_entry_is_refused_and_removed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_entry_under_another_name_is_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(buckets_beyond_the_rows_are_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(only_a_directory_of_ours_is_used, setup, teardown),
		cmocka_unit_test_setup_teardown(the_least_recently_used_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(the_last_companions_of_a_program_are_found, setup,
						teardown),
		cmocka_unit_test_setup_teardown(damaged_companions_are_refused_and_removed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(companions_count_and_go_with_the_rest, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_file_without_build_id_is_not_kept, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("unwind/cache", tests, NULL, NULL);
}
