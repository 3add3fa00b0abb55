/* layout.c - see layout.h */
#include "unwind/layout.h"

#include <unistd.h>

#define ELF_END (1ULL << FRAME_ADDRESS_BITS) /* addresses within a file that a frame can tell */

static uint64_t page_down(uint64_t x)
{
	return x & ~((uint64_t)sysconf(_SC_PAGESIZE) - 1);
}

/* Address within the ELF file of the area's first byte. False: no segment is mapped there. */
static bool elf_address(const struct area *area, const struct file *file, uint64_t *ret)
{
	for (uint32_t i = 0; i < file->segment_count; i++) {
		const struct inspect_segment *s = &file->segments[i];
		uint64_t offset = page_down(s->offset); /* whole pages are mapped */

		if (area->offset < offset ||
		    area->offset - offset >= s->offset - offset + s->file_bytes)
			continue;
		*ret = page_down(s->address) + (area->offset - offset);
		return *ret < ELF_END && area->end - area->start < ELF_END - *ret;
	}
	return false;
}

bool layout_bias(const struct area *area, const struct file *file, uint64_t *ret)
{
	uint64_t address;

	if (!elf_address(area, file, &address))
		return false;
	*ret = area->start - address;
	return true;
}

static size_t add(struct mapping *list, size_t count, uint64_t start, uint64_t end,
		  const struct mapping *like, enum mapping_kind kind)
{
	if (start >= end)
		return count;
	list[count] = *like;
	list[count].start = start;
	list[count].length = end - start;
	list[count].kind = kind;
	return count + 1;
}

static size_t layout_rows(const struct area *area, const struct file *file, uint64_t address,
			  uint32_t number, struct mapping *ret)
{
	struct mapping like = { .bias = area->start - address, .file = number };
	uint64_t first = file->first, end = first + (file->bucket_count << BUCKET_SHIFT), from, to;
	uint64_t area_end = address + (area->end - area->start);
	size_t count;

	from = address > first ? address : first;
	to = area_end < end ? area_end : end;
	if (end < first || from >= to || (from - first) & ((1 << BUCKET_SHIFT) - 1))
		return add(ret, 0, area->start, area->end, &like, MAPPING_NONE);
	count = add(ret, 0, area->start, from + like.bias, &like, MAPPING_NONE);
	like.buckets = file->table.buckets + ((from - first) >> BUCKET_SHIFT);
	count = add(ret, count, from + like.bias, to + like.bias, &like, MAPPING_ROWS);
	like.buckets = 0;
	return add(ret, count, to + like.bias, area->end, &like, MAPPING_NONE);
}

size_t layout_area(const struct area *area, const struct file *file,
		   struct mapping ret[AREA_MAPPINGS_MAX])
{
	struct mapping like = {};
	uint64_t address;

	if (!file || file->state == FILE_NO_ELF)
		return add(ret, 0, area->start, area->end, &like, MAPPING_NONE);
	if (file->state != FILE_READY && file->state != FILE_WITHOUT)
		return add(ret, 0, area->start, area->end, &like, MAPPING_PENDING);
	if (elf_address(area, file, &address) && file->state == FILE_READY)
		return layout_rows(area, file, address, area->file, ret);
	if (!elf_address(area, file, &address)) /* most often the same number */
		address = area->offset;
	like.bias = area->start - address;
	like.file = area->file;
	return add(ret, 0, area->start, area->end, &like, MAPPING_NONE);
}
