/* unwind_maps_test.c - text of /proc and records of perf; oracle: what the kernel wrote about us,
 * and lines and records written by hand. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <cmocka.h>

#include "unwind/maps.h"
#include "unwind/mounts.h"
#include "unwind/sideband.h"

static int parse(const char *text, struct region *ret)
{
	static char line[8192];

	snprintf(line, sizeof(line), "%s", text);
	return maps_parse(line, strlen(line), ret);
}

static void a_line_is_what_it_says(void **state)
{
	struct region r;

	(void)state;
	assert_int_equal(parse("7f0c5a000000-7f0c5a155000 r-xp 00026000 fe:01 1234    "
			       "                  /usr/lib/libc.so.6",
			       &r),
			 1);
	assert_int_equal(r.start, 0x7f0c5a000000);
	assert_int_equal(r.length, 0x155000);
	assert_int_equal(r.offset, 0x26000);
	assert_int_equal(r.device, makedev(0xfe, 1));
	assert_int_equal(r.inode, 1234);
	assert_string_equal(r.path, "/usr/lib/libc.so.6");
	assert_int_equal(parse("1000-2000 rwxp 00000000 00:00 0 ", &r), 1);
	assert_string_equal(r.path, "");
	assert_int_equal(r.inode, 0);
	assert_int_equal(parse("1000-2000 rwxs 00000000 00:00 0", &r), 1);
	assert_string_equal(r.path, "");
	assert_int_equal(parse("7ffe-7fff r-xp 0 00:00 0    [vdso]", &r), 1);
	assert_string_equal(r.path, "[vdso]");
	assert_int_equal(parse("1000-2000 rw-p 00000000 00:00 0 ", &r), 0);
	assert_int_equal(parse("ffffffffff600000-ffffffffff601000 --xp 0 00:00 0  [vsyscall]", &r),
			 0);
}

static void names_may_be_anything(void **state)
{
	struct region r;

	(void)state;
	assert_int_equal(parse("1000-2000 r-xp 0 00:01 7   /a b\\012c (deleted)", &r), 1);
	assert_string_equal(r.path, "/a b\nc (deleted)");
	assert_int_equal(parse("1000-2000 r-xp 0 00:01 7   /\\01", &r), 1);
	assert_string_equal(r.path, "/\\01");
	assert_int_equal(parse("1000-2000 r-xp 0 00:01 7   /x\n2000-3000 r-xp 0 00:01 7 /y", &r),
			 1);
	assert_string_equal(r.path, "/x\n2000-3000 r-xp 0 00:01 7 /y");
	assert_int_equal(parse("1000-2000 r-xp 0 00:01 7   /\xff\x1b[31m", &r), 1);
	assert_string_equal(r.path, "/\xff\x1b[31m");
}

static void what_is_no_line_is_refused(void **state)
{
	static const char *const lines[] = {
		"",
		"-",
		"1000",
		"1000-",
		"1000-2000",
		"1000-2000 r-x",
		"1000-2000 r-xp",
		"1000-2000 r-xp 0 00:01",
		"1000-2000 r-xp 0 0001 7 /x",
		"1000-2000 r-xp 0 00:01 7x /x",
		"1000-2000 r-Xp 0 00:01 7 /x",
		"2000-1000 r-xp 0 00:01 7 /x",
		"1000-1000 r-xp 0 00:01 7 /x",
		"g000-h000 r-xp 0 00:01 7 /x",
		"1000-10000000000000000 r-xp 0 00:01 7 /x",
		"1000-2000 r-xp 0 00:01 99999999999999999999 /x",
		"1000-2000 r-xp 0 1ffffffff:01 7 /x",
	};
	struct region r;
	char with_nul[] = "1000-2000 r-xp 0 00:01 7 /x\0y";

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (parse(lines[i], &r) != -EBADMSG)
			fail_msg("taken for a line: %s", lines[i]);
	assert_int_equal(maps_parse(with_nul, sizeof(with_nul) - 1, &r), -EBADMSG);
}

struct found {
	size_t count;
	uint64_t bytes, last_end;
	bool self;
};

static void count_region(void *context, const struct region *r)
{
	struct found *f = context;

	assert_true(r->start >= f->last_end);
	f->last_end = r->start + r->length;
	f->count++;
	f->bytes += r->length;
	f->self |=
	    (uintptr_t)count_region - r->start < r->length && strstr(r->path, "unwind_maps_test");
}

static void read_all(size_t slice, struct found *f)
{
	struct maps_reader *m;
	int more;

	memset(f, 0, sizeof(*f));
	assert_int_equal(maps_open(getpid(), &m), 0);
	while ((more = maps_read(m, slice, count_region, f)) == 1)
		;
	assert_int_equal(more, 0);
	maps_close(m);
}

/* The same in slices of any size; oracle: sscanf over all of the file. */
static void our_own_maps_are_read_whole(void **state)
{
	size_t count = 0, bytes = 0;
	uint64_t start, end;
	struct found f;
	char line[8192], flags[8];
	FILE *maps;

	(void)state;
	for (int i = 0; i < 500; i++) /* every second page of them: no two can be joined */
		mmap((void *)(0x200000000000 + i * 8192L), 4096,
		     i % 5 ? PROT_READ | PROT_EXEC : PROT_READ,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	read_all(1, &f); /* whatever is allocated for reading is there now */
	maps = fopen("/proc/self/maps", "re");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %7s", &start, &end, flags) == 3 && flags[2] == 'x' &&
		    end < UINT64_MAX >> 1) {
			count++;
			bytes += end - start;
		}
	fclose(maps);
	assert_true(count > 400);
	for (size_t slice = 1; slice < 100000; slice = slice * 3 + 1) {
		read_all(slice, &f);
		assert_int_equal(f.count, count);
		assert_int_equal(f.bytes, bytes);
		assert_true(f.self);
	}
	munmap((void *)0x200000000000, 500 * 8192L);
}

static void a_process_that_is_gone_says_so(void **state)
{
	struct maps_reader *m = NULL;

	(void)state;
	assert_int_equal(maps_open(0x7ffffff0, &m), -ESRCH);
	maps_close(NULL);
}

static void a_mount_is_fuse_by_its_type(void **state)
{
	static const struct {
		const char *line;
		int is;
	} cases[] = {
		{ "36 35 0:98 / /mnt rw,noatime master:1 - fuse.sshfs host:/x rw", 1 },
		{ "36 35 0:98 / /mnt rw - fuse x rw", 1 },
		{ "36 35 0:98 / /mnt rw - fuseblk /dev/sda rw", 1 },
		{ "36 35 0:98 / /mnt rw - fusectl fusectl rw", 0 },
		{ "36 35 0:98 / /a\\040-\\040fuse rw - ext4 /dev/root rw", 0 },
		{ "36 35 0:98 / /mnt rw", -EBADMSG },
		{ "36 35 0:98 / /mnt rw - ", -EBADMSG },
		{ "x 35 0:98 / /mnt rw - ext4 x rw", -EBADMSG },
		{ "", -EBADMSG },
	};
	char line[256];
	dev_t device = 0;
	int id = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(line, sizeof(line), "%s", cases[i].line);
		if (mounts_parse(line, &device, &id) != cases[i].is)
			fail_msg("%s", cases[i].line);
	}
	assert_int_equal(device, makedev(0, 98));
	assert_int_equal(id, 36);
	assert_false(mounts_safe(getpid(), makedev(4000, 4000), -1));
}

/* A record as the kernel lays it out: header, body, sample_id (pid, tid, time). */
static size_t record(uint8_t *to, uint32_t type, uint16_t misc, const void *body, size_t size)
{
	struct perf_event_header h = { type, misc, 0 };
	uint64_t id[2] = { 0x0000000700000005, 99 };

	h.size = sizeof(h) + size + sizeof(id);
	memcpy(to, &h, sizeof(h));
	memcpy(to + sizeof(h), body, size);
	memcpy(to + sizeof(h) + size, id, sizeof(id));
	return h.size;
}

static void records_are_what_they_say(void **state)
{
	uint64_t map[] = { 0x0000000700000005, 0x7000, 0x2000, 0x1000, 0x0000000200000001, 42, 0, 0,
			   0x622f612f,	       0 };
	uint64_t comm[] = { 0x0000000700000005, 0x78, 0 };
	uint64_t task[] = { 0x0000000500000009, 0x0000000700000009, 55 };
	uint64_t lost[] = { 1, 17 };
	uint64_t bytes[64];
	uint8_t *b = (uint8_t *)bytes;
	struct sideband_event e;
	size_t n;

	(void)state;
	n = record(b, PERF_RECORD_MMAP2, 0, map, sizeof(map));
	assert_int_equal(sideband_decode(b, n, &e), 0);
	assert_int_equal(e.type, SIDEBAND_MAP);
	assert_int_equal(e.pid, 5);
	assert_int_equal(e.tid, 7);
	assert_int_equal(e.time_ns, 99);
	assert_int_equal(e.region.start, 0x7000);
	assert_int_equal(e.region.length, 0x2000);
	assert_int_equal(e.region.offset, 0x1000);
	assert_int_equal(e.region.device, makedev(1, 2));
	assert_int_equal(e.region.inode, 42);
	assert_string_equal(e.region.path, "/a/b");
	map[1] = 0xffffffffff600000;
	n = record(b, PERF_RECORD_MMAP2, 0, map, sizeof(map));
	assert_int_equal(sideband_decode(b, n, &e), 0);
	assert_int_equal(e.type, SIDEBAND_NONE);
	map[1] = UINT64_MAX - 5; /* overflows */
	n = record(b, PERF_RECORD_MMAP2, 0, map, sizeof(map));
	assert_int_equal(sideband_decode(b, n, &e), -EBADMSG);
	map[8] = map[9] = UINT64_MAX; /* a name without an end */
	map[1] = 0x7000;
	n = record(b, PERF_RECORD_MMAP2, 0, map, sizeof(map));
	assert_int_equal(sideband_decode(b, n, &e), -EBADMSG);

	n = record(b, PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC, comm, sizeof(comm));
	assert_int_equal(sideband_decode(b, n, &e), 0);
	assert_int_equal(e.type, SIDEBAND_EXEC);
	n = record(b, PERF_RECORD_COMM, 0, comm, sizeof(comm)); /* prctl(PR_SET_NAME) */
	assert_int_equal(sideband_decode(b, n, &e), 0);
	assert_int_equal(e.type, SIDEBAND_NONE);

	n = record(b, PERF_RECORD_FORK, 0, task, sizeof(task));
	assert_int_equal(sideband_decode(b, n, &e), 0);
	assert_int_equal(e.type, SIDEBAND_FORK);
	assert_int_equal(e.pid, 9);
	assert_int_equal(e.parent, 5);
	n = record(b, PERF_RECORD_EXIT, 0, task, sizeof(task));
	assert_int_equal(sideband_decode(b, n, &e), 0);
	assert_int_equal(e.type, SIDEBAND_EXIT);
	task[0] = 0x0000000900000009; /* a thread */
	n = record(b, PERF_RECORD_FORK, 0, task, sizeof(task));
	assert_int_equal(sideband_decode(b, n, &e), 0);
	assert_int_equal(e.type, SIDEBAND_NONE);

	n = record(b, PERF_RECORD_LOST, 0, lost, sizeof(lost));
	assert_int_equal(sideband_decode(b, n, &e), 0);
	assert_int_equal(e.type, SIDEBAND_LOST);
	assert_int_equal(e.lost, 17);
	n = record(b, 200, 0, lost, sizeof(lost));
	assert_int_equal(sideband_decode(b, n, &e), 0);
	assert_int_equal(e.type, SIDEBAND_NONE);
}

static void short_records_are_refused(void **state)
{
	static const uint32_t types[] = { PERF_RECORD_MMAP2, PERF_RECORD_FORK, PERF_RECORD_EXIT,
					  PERF_RECORD_LOST };
	uint64_t body[16] = {}, bytes[64];
	struct sideband_event e;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		n = record((uint8_t *)bytes, types[i], 0, body, 8);
		assert_int_equal(sideband_decode(bytes, n, &e), -EBADMSG);
		assert_int_equal(sideband_decode(bytes, n - 8, &e), -EBADMSG); /* not its size */
	}
	assert_int_equal(sideband_decode(bytes, 8, &e), -EBADMSG);
	assert_int_equal(sideband_decode(bytes, 0, &e), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_what_it_says),
		cmocka_unit_test(names_may_be_anything),
		cmocka_unit_test(what_is_no_line_is_refused),
		cmocka_unit_test(our_own_maps_are_read_whole),
		cmocka_unit_test(a_process_that_is_gone_says_so),
		cmocka_unit_test(a_mount_is_fuse_by_its_type),
		cmocka_unit_test(records_are_what_they_say),
		cmocka_unit_test(short_records_are_refused),
	};

	return cmocka_run_group_tests_name("unwind/maps", tests, NULL, NULL);
}
