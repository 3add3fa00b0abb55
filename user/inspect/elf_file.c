/* elf_file.c - see elf_file.h */
#include "inspect/elf_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/cleanup.h"

#define NOTES_BYTES_MAX 65536
#define SECTIONS_MAX 65536 /* an executable has 30 to 40 */

static int fail(struct elf_file *f, int err, const char *cause)
{
	f->cause = cause;
	return err;
}

static int out_of_memory(struct elf_file *f)
{
	return fail(f, -ENOMEM, "no memory");
}

int elf_file_read(struct elf_file *f, void *to, size_t size, uint64_t offset)
{
	size_t done = 0;

	if (offset > f->size || size > f->size - offset)
		return fail(f, -ENODATA, "the file is shorter than its ELF headers say");
	while (done < size) {
		ssize_t n = pread(f->fd, (char *)to + done, size - done, offset + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(f, -errno, "the file could not be read");
		if (!n)
			return fail(f, -ENODATA, "the file became shorter while it was read");
		done += n;
	}
	return 0;
}

int elf_file_read_new(struct elf_file *f, uint64_t size, uint64_t offset, void *ret)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	int err;

	if (size > ELF_SECTION_BYTES_MAX)
		return fail(f, -EFBIG, "a part of the ELF file is larger than 512 MiB");
	if (offset > f->size || size > f->size - offset) /* before memory is taken for it */
		return elf_file_read(f, NULL, size, offset);
	bytes = malloc(size + 1);
	if (!bytes)
		return out_of_memory(f);
	err = elf_file_read(f, bytes, size, offset);
	if (err)
		return err;
	bytes[size] = 0;
	*(uint8_t **)ret = take_ptr(bytes);
	return 0;
}

static int check_header(struct elf_file *f, const Elf64_Ehdr *h)
{
	if (memcmp(h->e_ident, ELFMAG, SELFMAG))
		return fail(f, -ENOEXEC, "not an ELF file");
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB)
		return fail(f, -ENOTSUP, "not of this machine: a 32-bit or big-endian ELF file");
	if (h->e_machine != EM_X86_64)
		return fail(f, -ENOTSUP, "not of this machine: only x86-64 is unwound");
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return fail(f, -ENOTSUP, "an ELF file, but no executable and no shared library");
	if (h->e_phnum && h->e_phentsize != sizeof(Elf64_Phdr))
		return fail(f, -ENOEXEC, "malformed ELF file: size of a program header");
	return 0;
}

/* The number of sections, and the one with their names, are in section 0 when they are large. */
static int read_sections(struct elf_file *f, const Elf64_Ehdr *h)
{
	uint64_t count = h->e_shnum, names = h->e_shstrndx;
	const Elf64_Shdr *section;
	Elf64_Shdr zero;
	int err;

	if (!h->e_shoff || h->e_shentsize != sizeof(Elf64_Shdr))
		return 0;
	err = elf_file_read(f, &zero, sizeof(zero), h->e_shoff);
	if (err)
		return err;
	if (!count)
		count = zero.sh_size;
	if (names == SHN_XINDEX)
		names = zero.sh_link;
	if (count > SECTIONS_MAX)
		return fail(f, -EFBIG, "more than 65,536 ELF sections");
	if (names >= count)
		return 0;
	err = elf_file_read_new(f, count * sizeof(Elf64_Shdr), h->e_shoff, &f->sections);
	if (err)
		return err;
	f->section_count = count;
	section = &f->sections[names];
	if (section->sh_type != SHT_STRTAB)
		return fail(f, -ENOEXEC, "malformed ELF file: no names of sections");
	err = elf_file_read_new(f, section->sh_size, section->sh_offset, &f->names);
	f->names_size = err ? 0 : section->sh_size;
	return err;
}

int elf_file_open(int fd, struct elf_file *ret)
{
	struct elf_file *f = ret;
	struct stat st;
	Elf64_Ehdr h;
	int err;

	*f = (struct elf_file){ .fd = fd };
	if (fstat(fd, &st) < 0)
		return fail(f, -errno, "the file could not be looked at");
	if (!S_ISREG(st.st_mode))
		return fail(f, -EINVAL, "not a regular file");
	f->size = st.st_size;
	if (f->size < sizeof(h))
		return fail(f, -ENOEXEC, "not an ELF file");
	err = elf_file_read(f, &h, sizeof(h), 0);
	if (!err)
		err = check_header(f, &h);
	if (err)
		return err;
	f->entry = h.e_entry;
	err =
	    elf_file_read_new(f, (uint64_t)h.e_phnum * sizeof(Elf64_Phdr), h.e_phoff, &f->segments);
	if (err)
		return err;
	f->segment_count = h.e_phnum;
	/* without sections it may still be unwound: they are not loaded, and may have been cut off
	 */
	if (read_sections(f, &h)) {
		free(f->sections);
		f->sections = NULL;
		f->section_count = 0;
	}
	return 0;
}

void elf_file_close(struct elf_file *f)
{
	free(f->segments);
	free(f->sections);
	free(f->names);
	f->segments = NULL;
	f->sections = NULL;
	f->names = NULL;
}

static const Elf64_Shdr *find_section(const struct elf_file *f, const char *name)
{
	for (size_t i = 0; i < f->section_count; i++) {
		const Elf64_Shdr *s = &f->sections[i];

		if (s->sh_name < f->names_size && !strcmp(f->names + s->sh_name, name))
			return s;
	}
	return NULL;
}

static int inflate_section(struct elf_file *f, const uint8_t *packed, size_t packed_size,
			   uint8_t **ret, size_t *ret_size)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	Elf64_Chdr h;
	uLongf size;

	if (packed_size < sizeof(h))
		return fail(f, -ENOEXEC, "malformed ELF file: a compressed section without header");
	memcpy(&h, packed, sizeof(h));
	if (h.ch_type != ELFCOMPRESS_ZLIB)
		return fail(f, -ENOTSUP, "a section is compressed, and not by zlib");
	if (h.ch_size > ELF_SECTION_BYTES_MAX)
		return fail(f, -EFBIG, "a part of the ELF file is larger than 512 MiB");
	bytes = malloc(h.ch_size + 1);
	if (!bytes)
		return out_of_memory(f);
	size = h.ch_size;
	if (uncompress(bytes, &size, packed + sizeof(h), packed_size - sizeof(h)) != Z_OK)
		return fail(f, -ENOEXEC, "malformed ELF file: a section cannot be inflated");
	bytes[size] = 0;
	*ret = take_ptr(bytes);
	*ret_size = size;
	return 0;
}

int elf_file_section(struct elf_file *f, const char *name, uint8_t **ret, size_t *ret_size,
		     uint64_t *ret_address)
{
	const Elf64_Shdr *s = find_section(f, name);
	_cleanup_free_ uint8_t *bytes = NULL;
	int err;

	if (!s || s->sh_type == SHT_NOBITS || !s->sh_size)
		return fail(f, -ENOENT, "a section is not there");
	err = elf_file_read_new(f, s->sh_size, s->sh_offset, &bytes);
	if (err)
		return err;
	*ret_address = s->sh_addr;
	if (s->sh_flags & SHF_COMPRESSED)
		return inflate_section(f, bytes, s->sh_size, ret, ret_size);
	*ret_size = s->sh_size;
	*ret = take_ptr(bytes);
	return 0;
}

static uint64_t padded(uint64_t size, uint64_t align)
{
	return (size + align - 1) / align * align;
}

static uint32_t build_id_in(const uint8_t *notes, size_t size, uint64_t align,
			    uint8_t ret[ELF_BUILD_ID_MAX])
{
	Elf64_Nhdr h;

	align = align == 8 ? 8 : 4; /* gABI says 8, everybody writes 4 but for .note.gnu.property */
	while (size >= sizeof(h)) {
		uint64_t name_end, end;

		memcpy(&h, notes, sizeof(h));
		name_end = padded(sizeof(h) + h.n_namesz, align);
		end = name_end + h.n_descsz;
		if (end > size)
			return 0;
		if (h.n_type == NT_GNU_BUILD_ID && h.n_namesz == sizeof(ELF_NOTE_GNU) &&
		    !memcmp(notes + sizeof(h), ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) &&
		    h.n_descsz <= ELF_BUILD_ID_MAX) {
			memcpy(ret, notes + name_end, h.n_descsz);
			return h.n_descsz;
		}
		end = padded(end, align);
		if (end > size)
			return 0;
		notes += end;
		size -= end;
	}
	return 0;
}

static uint32_t build_id_at(struct elf_file *f, uint64_t offset, uint64_t size, uint64_t align,
			    uint8_t ret[ELF_BUILD_ID_MAX])
{
	_cleanup_free_ uint8_t *notes = NULL;

	if (size > NOTES_BYTES_MAX || elf_file_read_new(f, size, offset, &notes))
		return 0;
	return build_id_in(notes, size, align, ret);
}

uint32_t elf_file_build_id(struct elf_file *f, uint8_t ret[ELF_BUILD_ID_MAX])
{
	uint32_t bytes = 0;

	for (size_t i = 0; i < f->segment_count && !bytes; i++) {
		const Elf64_Phdr *p = &f->segments[i];

		if (p->p_type == PT_NOTE)
			bytes = build_id_at(f, p->p_offset, p->p_filesz, p->p_align, ret);
	}
	for (size_t i = 0; i < f->section_count && !bytes; i++) {
		const Elf64_Shdr *s = &f->sections[i];

		if (s->sh_type == SHT_NOTE)
			bytes = build_id_at(f, s->sh_offset, s->sh_size, s->sh_addralign, ret);
	}
	return bytes;
}

void elf_file_debug_link(struct elf_file *f, char ret[ELF_LINK_MAX])
{
	const Elf64_Shdr *s = find_section(f, ".gnu_debuglink");
	_cleanup_free_ char *bytes = NULL;
	size_t length;

	ret[0] = 0;
	if (!s || s->sh_type == SHT_NOBITS || s->sh_size > ELF_LINK_MAX + 8 ||
	    elf_file_read_new(f, s->sh_size, s->sh_offset, &bytes))
		return;
	length = strlen(bytes);
	if (length < ELF_LINK_MAX && !strchr(bytes, '/') && strcmp(bytes, ".") &&
	    strcmp(bytes, ".."))
		memcpy(ret, bytes, length + 1);
}

int elf_file_text(struct elf_file *f, uint64_t *ret_first, uint64_t *ret_end)
{
	uint64_t first = UINT64_MAX, end = 0;

	for (size_t i = 0; i < f->segment_count; i++) {
		const Elf64_Phdr *p = &f->segments[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || !p->p_filesz)
			continue;
		if (p->p_offset > f->size || p->p_filesz > f->size - p->p_offset ||
		    p->p_vaddr > UINT64_MAX - p->p_filesz)
			return fail(f, -ENOEXEC,
				    "malformed ELF file: code beyond the end of the file");
		if (p->p_vaddr < first)
			first = p->p_vaddr;
		if (p->p_vaddr + p->p_filesz > end)
			end = p->p_vaddr + p->p_filesz;
	}
	if (first >= end)
		return fail(f, -ENODATA, "the file has no code");
	*ret_first = first;
	*ret_end = end;
	return 0;
}
