/* unwind_areas_test.c - lists of mappings and how walks see them; oracle: an array with one entry a
 * page, written as mmap() would. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/unwind.h"
#include "unwind/areas.h"
#include "unwind/layout.h"

#define PAGE 4096ULL
#define PAGES 300
#define FILES 4

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dULL;
}

/* References that the list holds, by file. */
static int references[FILES + 1];

static void came(void *context, uint32_t file)
{
	(void)context;
	references[file]++;
}

static void left(void *context, uint32_t file)
{
	(void)context;
	references[file]--;
}

static const struct areas_watch watch = { came, left, NULL };

struct page {
	bool mapped;
	uint32_t file;
	uint64_t offset;
};

static void assert_as_pages(const struct areas *a, const struct page *pages)
{
	int expected[FILES + 1] = {};

	for (size_t i = 0; i < a->count; i++) {
		const struct area *x = &a->list[i];

		assert_true(x->start < x->end);
		expected[x->file] += !!x->file;
		if (!i)
			continue;
		assert_true(x[-1].end <= x->start);
		/* neighbours that go on are one */
		assert_false(x[-1].end == x->start && x[-1].file == x->file &&
			     (!x->file || x[-1].offset + x[-1].end - x[-1].start == x->offset));
	}
	assert_memory_equal(expected, references, sizeof(expected));
	for (uint64_t i = 0; i < PAGES; i++) {
		const struct area *x = areas_find(a, i * PAGE),
				  *y = areas_find(a, i * PAGE + PAGE - 1);

		assert_ptr_equal(x, y);
		assert_int_equal(!!x, pages[i].mapped);
		if (!x)
			continue;
		assert_int_equal(x->file, pages[i].file);
		if (x->file)
			assert_int_equal(x->offset + i * PAGE - x->start, pages[i].offset);
	}
}

static void a_list_is_what_mmap_would_leave(void **state)
{
	uint64_t seed = 17;

	(void)state;
	for (int round = 0; round < 60; round++) {
		struct areas a = { .watch = &watch }, copy = { .watch = NULL };
		struct page pages[PAGES] = {};

		for (int i = 0; i < 120; i++) {
			uint64_t first = next(&seed) % PAGES;
			uint64_t count = next(&seed) % (i % 3 ? 6 : 60) + 1;
			uint32_t file = next(&seed) % (FILES + 1);
			/* half of them in line with the addresses, so that some go on */
			uint64_t offset = (next(&seed) % 2 ? first : next(&seed) % 50) * PAGE;
			struct area x;

			if (first + count > PAGES)
				count = PAGES - first;
			x = (struct area){ first * PAGE, (first + count) * PAGE, offset, file };
			assert_int_equal(areas_put(&a, &x), 0);
			for (uint64_t k = 0; k < count; k++)
				pages[first + k] = (struct page){ true, file, offset + k * PAGE };
			assert_as_pages(&a, pages);
		}
		assert_int_equal(areas_copy(&a, &copy), 0);
		assert_true(areas_equal(&a, &copy));
		copy.list[copy.count / 2].end--;
		assert_false(areas_equal(&a, &copy));
		areas_clear(&copy);
		areas_clear(&a);
		for (int i = 0; i <= FILES; i++)
			assert_int_equal(references[i], 0);
	}
}

static void a_full_list_refuses_and_stays(void **state)
{
	struct areas a = { .watch = &watch };
	struct area x = { .file = 1 };

	(void)state;
	for (uint64_t i = 0; i < PROCESS_MAPPINGS_MAX; i++) {
		x.start = 2 * i * PAGE;
		x.end = x.start + PAGE;
		assert_int_equal(areas_put(&a, &x), 0);
	}
	x.start += 2 * PAGE;
	x.end = x.start + PAGE;
	assert_int_equal(areas_put(&a, &x), -ENOSPC);
	assert_int_equal(references[1], PROCESS_MAPPINGS_MAX);
	x.start = 0; /* in place of others there is room */
	x.end = 4 * PAGE;
	assert_int_equal(areas_put(&a, &x), 0);
	assert_int_equal(a.count, PROCESS_MAPPINGS_MAX - 1);
	areas_clear(&a);
	assert_int_equal(references[1], 0);
}

/* /bin/something: segments of code as linkers make them */
static struct file file_with(uint64_t offset, uint64_t address, uint64_t bytes)
{
	struct file file = { .state = FILE_READY, .segment_count = 1 };

	file.segments[0] = (struct inspect_segment){ offset, address, bytes, bytes };
	file.first = address & ~511ULL;
	file.bucket_count = (address + bytes - file.first + 511) >> 9;
	file.table.buckets = 1000;
	return file;
}

/* Each address gets the bucket of its ELF address: by hand from the segment. */
static void assert_layout(const struct area *area, const struct file *file)
{
	const struct inspect_segment *s = &file->segments[0];
	struct mapping m[AREA_MAPPINGS_MAX];
	size_t count = layout_area(area, file, m), at = 0;

	assert_in_range(count, 1, AREA_MAPPINGS_MAX);
	for (uint64_t x = area->start; x < area->end; x += 256) {
		uint64_t elf = x - area->start + area->offset - s->offset + s->address;
		bool has_rows = elf >= file->first && elf < file->first + file->bucket_count * 512;

		while (at + 1 < count && x >= m[at + 1].start)
			at++;
		assert_true(x >= m[at].start && x - m[at].start < m[at].length);
		assert_int_equal(m[at].file, area->file);
		assert_int_equal(x - m[at].bias, elf);
		assert_int_equal(m[at].kind, has_rows ? MAPPING_ROWS : MAPPING_NONE);
		if (has_rows)
			assert_int_equal(m[at].buckets + ((x - m[at].start) >> 9),
					 1000 + ((elf - file->first) >> 9));
	}
}

static void an_address_finds_its_bucket(void **state)
{
	/* GNU ld, position-independent; not so; lld, which goes on within a page; rows that begin
	 * and end within the mapping */
	struct file files[] = { file_with(0x1000, 0x1000, 0x5123),
				file_with(0x2000, 0x402000, 0x5123),
				file_with(0x1a40, 0x3a40, 0x2345),
				file_with(0x1000, 0x1000, 0x3100) };
	uint64_t bases[] = { 0x7f0000000000, 0x402000, 0x560000000000 };

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const struct inspect_segment *s = &files[i].segments[0];
		uint64_t offset = s->offset & ~4095ULL;
		uint64_t bytes = ((s->offset + s->file_bytes + 4095) & ~4095ULL) - offset;

		for (size_t b = 0; b < 3; b++) {
			struct area area = { bases[b], bases[b] + bytes, offset, 7 };

			assert_layout(&area, &files[i]);
			area.start += 4096; /* its first page was replaced */
			area.offset += 4096;
			assert_layout(&area, &files[i]);
		}
	}
}

static void what_has_no_rows_says_so(void **state)
{
	struct area area = { 0x10000, 0x14000, 0x1000, 5 };
	struct file file = file_with(0x1000, 0x401000, 0x4000);
	struct mapping m[AREA_MAPPINGS_MAX];
	static const struct {
		enum file_state state;
		uint16_t kind, file;
		uint64_t address; /* of the first byte */
	} cases[] = {
		{ FILE_ASKED, MAPPING_PENDING, 0, 0x10000 },
		{ FILE_IDLE, MAPPING_PENDING, 0, 0x10000 },
		{ FILE_PLACED, MAPPING_PENDING, 0, 0x10000 },
		{ FILE_NO_ELF, MAPPING_NONE, 0, 0x10000 },
		{ FILE_WITHOUT, MAPPING_NONE, 5, 0x401000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		file.state = cases[i].state;
		assert_int_equal(layout_area(&area, &file, m), 1);
		assert_int_equal(m[0].kind, cases[i].kind);
		assert_int_equal(m[0].file, cases[i].file);
		assert_int_equal(m[0].start - m[0].bias, cases[i].address);
		assert_int_equal(m[0].length, 0x4000);
	}
	assert_int_equal(layout_area(&area, NULL, m), 1);
	assert_int_equal(m[0].kind, MAPPING_NONE);
	assert_int_equal(m[0].file, 0);
	file.state = FILE_READY;
	area.offset = 0x9000; /* of no segment: by its place in the file */
	assert_int_equal(layout_area(&area, &file, m), 1);
	assert_int_equal(m[0].kind, MAPPING_NONE);
	assert_int_equal(m[0].start - m[0].bias, 0x9000);
}

/* Program headers may say anything: addresses that no frame can hold, or that overflow. */
static void hostile_segments_get_no_rows(void **state)
{
	static const uint64_t addresses[] = { 1ULL << 44, (1ULL << 44) - 0x2000,
					      UINT64_MAX - 0x1fff, 1ULL << 63 };
	struct area area = { 0x10000, 0x14000, 0x1000, 5 };
	struct mapping m[AREA_MAPPINGS_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct file file = file_with(0x1000, addresses[i], 0x4000);

		assert_int_equal(layout_area(&area, &file, m), 1);
		assert_int_equal(m[0].kind, MAPPING_NONE);
		assert_int_equal(m[0].length, 0x4000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_what_mmap_would_leave),
		cmocka_unit_test(a_full_list_refuses_and_stays),
		cmocka_unit_test(an_address_finds_its_bucket),
		cmocka_unit_test(what_has_no_rows_says_so),
		cmocka_unit_test(hostile_segments_get_no_rows),
	};

	return cmocka_run_group_tests_name("unwind/areas", tests, NULL, NULL);
}
