/* elf_rows.c - rows of an ELF file: from .eh_frame, and from .debug_frame what that does not cover.
 * crt1.o alone brings an .eh_frame to every program. See elf_file.h. */
#include "inspect/elf_file.h"

#include <errno.h>
#include <stdlib.h>

#include "inspect/cfi_program.h"
#include "lib/cleanup.h"

#define HEADER_BYTES 64 /* of .eh_frame_hdr: the pointer, not the table behind it */

/* CFI as it was found. */
struct found {
	uint8_t *bytes;
	size_t size;
	uint64_t address;
};

static int from_section(struct elf_file *f, struct found *ret)
{
	return elf_file_section(f, ".eh_frame", &ret->bytes, &ret->size, &ret->address);
}

static int from_debug_frame(struct elf_file *f, struct found *ret)
{
	return elf_file_section(f, ".debug_frame", &ret->bytes, &ret->size, &ret->address);
}

/* Without section headers the size is not known. Behind the terminator other data follows. */
static size_t terminated_size(const uint8_t *bytes, size_t size)
{
	struct dwarf_reader r = { .at = bytes, .end = bytes + size };

	while (dwarf_left(&r)) {
		const uint8_t *at = r.at;
		uint64_t length = dwarf_u32(&r);

		if (length == UINT32_MAX)
			length = dwarf_u64(&r);
		if (!length || !dwarf_bytes(&r, length))
			return at - bytes;
	}
	return size;
}

/* From @address to the end of its segment. */
static int read_segment(struct elf_file *f, uint64_t address, struct found *ret)
{
	for (size_t i = 0; i < f->segment_count; i++) {
		const Elf64_Phdr *p = &f->segments[i];
		uint64_t into = address - p->p_vaddr;

		if (p->p_type != PT_LOAD || into >= p->p_filesz || p->p_offset > f->size ||
		    into > f->size - p->p_offset)
			continue;
		ret->size = p->p_filesz - into;
		ret->address = address;
		return elf_file_read_new(f, ret->size, p->p_offset + into, &ret->bytes);
	}
	return -ENOENT;
}

/* Where .eh_frame_hdr points to (LSB core, "The .eh_frame_hdr section"). */
static int from_header(struct elf_file *f, struct found *ret)
{
	for (size_t i = 0; i < f->segment_count; i++) {
		const Elf64_Phdr *p = &f->segments[i];
		uint8_t bytes[HEADER_BYTES], encoding;
		struct cfi_section s = { .bytes = bytes, .address = p->p_vaddr };
		struct dwarf_reader r = { .at = bytes };
		uint64_t address;
		int err;

		if (p->p_type != PT_GNU_EH_FRAME)
			continue;
		s.size = p->p_filesz < sizeof(bytes) ? p->p_filesz : sizeof(bytes);
		err = elf_file_read(f, bytes, s.size, p->p_offset);
		if (err)
			return err;
		r.end = bytes + s.size;
		if (dwarf_u8(&r) != 1)
			return -ENOENT;
		encoding = dwarf_u8(&r);
		dwarf_u16(&r); /* encodings of the table */
		address = cfi_pointer(&r, &s, encoding);
		err = r.bad ? -ENOENT : read_segment(f, address, ret);
		if (!err)
			ret->size = terminated_size(ret->bytes, ret->size);
		return err;
	}
	return -ENOENT;
}

int elf_file_eh_frame(struct elf_file *f, uint8_t **ret, size_t *ret_size, uint64_t *ret_address)
{
	struct found found = {};
	int err = from_section(f, &found);

	if (err)
		err = from_header(f, &found);
	if (err)
		return err;
	*ret = found.bytes;
	*ret_size = found.size;
	*ret_address = found.address;
	return 0;
}

static struct cfi_section section_of(const struct found *found, bool debug_frame)
{
	return (struct cfi_section){ .bytes = found->bytes,
				     .size = found->size,
				     .address = found->address,
				     .debug_frame = debug_frame };
}

/* .debug_frame is all that there is. */
static int from_nowhere(struct elf_file *f, struct found *ret)
{
	(void)f;
	*ret = (struct found){};
	return 0;
}

static int build(struct elf_file *f, const struct found *eh_frame, const struct found *debug_frame,
		 struct cfi_table *ret)
{
	struct cfi_input in = { .frame = section_of(eh_frame, false),
				.second = section_of(debug_frame, true),
				.entry = f->entry };
	int err = elf_file_text(f, &in.text_first, &in.text_end);

	if (err)
		return err;
	err = cfi_build(&in, ret);
	if (err == -ENOMEM)
		f->cause = "no memory";
	if (err == -EFBIG)
		f->cause = "too large: more than 25,165,824 rows or 4 GiB of code";
	return err == -ENODATA ? -ENOENT : err;
}

/* .debug_frame adds to .eh_frame: when it cannot be read, or is too much, it is left out. */
static int build_both(struct elf_file *f, const struct found *eh_frame, struct cfi_table *ret)
{
	static const struct found none;
	struct found debug_frame = {};
	int err = from_debug_frame(f, &debug_frame);

	if (err && !eh_frame->size)
		return err;
	err = build(f, eh_frame, &debug_frame, ret);
	free(debug_frame.bytes);
	if (err && err != -ENOENT && debug_frame.size && eh_frame->size)
		err = build(f, eh_frame, &none, ret);
	return err;
}

int elf_file_rows(struct elf_file *f, struct cfi_table *ret, bool *ret_debug_frame)
{
	static int (*const sources[])(struct elf_file *,
				      struct found *) = { from_section, from_header, from_nowhere };
	const char *cause = NULL;
	int first = 0;

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		struct found eh_frame = {};
		int err = sources[i](f, &eh_frame);

		if (!err)
			err = build_both(f, &eh_frame, ret);
		free(eh_frame.bytes);
		if (!err) {
			*ret_debug_frame = ret->from_second;
			return 0;
		}
		/* the first place that should have something is what to tell of */
		if (err != -ENOENT && !first) {
			first = err;
			cause = f->cause;
		}
	}
	f->cause = first ? cause : "no call frame information (.eh_frame, .debug_frame)";
	return first ? first : -ENODATA;
}
