/* sections.c - bounded reading of ELF sections. */
#include "inspect/sections.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/cleanup.h"

#define NOTES_MAX 65536 /* bytes of a note section that is looked into */
#define CHUNK 65536

static bool read_at(const struct elf_view *v, uint64_t offset, void *to, size_t size)
{
	if (offset > v->size || size > v->size - offset)
		return false;
	if (!v->image)
		return pread(v->fd, to, size, (off_t)offset) == (ssize_t)size;
	memcpy(to, v->image + offset, size);
	return true;
}

/* elf_begin() takes 200 bytes for every section that the header tells of: look before it does */
static int check_header(const struct elf_view *v)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf64_Ehdr wide;
		Elf32_Ehdr narrow;
	} h;
	Elf64_Shdr first64;
	Elf32_Shdr first32;
	uint64_t count, offset;

	if (!read_at(v, 0, &h, sizeof(h)) || memcmp(h.ident, ELFMAG, SELFMAG) ||
	    h.ident[EI_DATA] !=
		(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB))
		return -ENOEXEC;
	switch (h.ident[EI_CLASS]) {
	case ELFCLASS64:
		count = h.wide.e_shnum;
		offset = h.wide.e_shoff;
		if (!count && offset && read_at(v, offset, &first64, sizeof(first64)))
			count = first64.sh_size;
		break;
	case ELFCLASS32:
		count = h.narrow.e_shnum;
		offset = h.narrow.e_shoff;
		if (!count && offset && read_at(v, offset, &first32, sizeof(first32)))
			count = first32.sh_size;
		break;
	default:
		return -ENOEXEC;
	}
	return count > SECTIONS_MAX ? -EFBIG : 0;
}

static int finish_open(struct elf_view *v)
{
	if (!v->elf)
		return -ENOEXEC;
	if (elf_kind(v->elf) == ELF_K_ELF)
		return 0;
	elf_view_close(v);
	return -ENOEXEC;
}

int elf_view_open(struct elf_view *v, int fd, uint64_t *left)
{
	struct stat st;
	int err;

	*v = (struct elf_view){ .fd = fd, .left = left };
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	v->size = (uint64_t)st.st_size;
	err = check_header(v);
	if (err)
		return err;
	elf_version(EV_CURRENT);
	v->elf = elf_begin(fd, ELF_C_READ, NULL);
	return finish_open(v);
}

int elf_view_memory(struct elf_view *v, const void *image, size_t size, uint64_t *left)
{
	int err;

	*v = (struct elf_view){ .fd = -1, .image = image, .size = size, .left = left };
	err = check_header(v);
	if (err)
		return err;
	elf_version(EV_CURRENT);
	v->elf = elf_memory((char *)image, size); /* read only: we never write through it */
	return finish_open(v);
}

void elf_view_close(struct elf_view *v)
{
	if (v->elf)
		elf_end(v->elf);
	v->elf = NULL;
}

Elf_Data *elf_view_data(struct elf_view *v, Elf_Scn *section)
{
	GElf_Shdr h;

	if (!section || !gelf_getshdr(section, &h) || h.sh_type == SHT_NOBITS || !h.sh_size)
		return NULL;
	if (h.sh_offset > v->size || h.sh_size > v->size - h.sh_offset || h.sh_size > *v->left)
		return NULL;
	*v->left -= h.sh_size;
	return elf_getdata(section, NULL);
}

/* not elf_strptr(): it would read a string table of any size */
const char *elf_view_name(struct elf_view *v, const GElf_Shdr *header)
{
	GElf_Shdr h;
	Elf_Scn *names;
	size_t index;

	if (elf_getshdrstrndx(v->elf, &index) < 0)
		return "";
	names = elf_getscn(v->elf, index);
	if (!names || !gelf_getshdr(names, &h) || h.sh_size > SECTIONS_MAX * 64)
		return "";
	return elf_strptr(v->elf, index, header->sh_name) ?: "";
}

Elf_Scn *elf_view_find(struct elf_view *v, const char *name, GElf_Shdr *ret)
{
	Elf_Scn *section = NULL;
	GElf_Shdr h;

	while ((section = elf_nextscn(v->elf, section))) {
		if (!gelf_getshdr(section, &h) || strcmp(elf_view_name(v, &h), name))
			continue;
		if (ret)
			*ret = h;
		return section;
	}
	return NULL;
}

static const uint8_t *build_id_note(Elf_Data *data, size_t *ret_size)
{
	size_t at = 0, next, name_at, desc_at;
	GElf_Nhdr note;

	while ((next = gelf_getnote(data, at, &note, &name_at, &desc_at)) > at) {
		at = next;
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof("GNU") ||
		    memcmp((char *)data->d_buf + name_at, "GNU", sizeof("GNU")) || !note.n_descsz)
			continue;
		*ret_size = note.n_descsz;
		return (uint8_t *)data->d_buf + desc_at;
	}
	return NULL;
}

const uint8_t *elf_view_build_id(struct elf_view *v, size_t *ret_size)
{
	Elf_Scn *section = NULL;
	const uint8_t *id;
	Elf_Data *data;
	GElf_Shdr h;

	while ((section = elf_nextscn(v->elf, section))) {
		if (!gelf_getshdr(section, &h) || h.sh_type != SHT_NOTE || h.sh_size > NOTES_MAX)
			continue;
		data = elf_view_data(v, section);
		id = data ? build_id_note(data, ret_size) : NULL;
		if (id)
			return id;
	}
	return NULL;
}

/* CRC-32 of the whole file, as .gnu_debuglink has it */
static bool file_crc(struct elf_view *v, uint32_t *ret)
{
	_cleanup_free_ uint8_t *chunk = malloc(CHUNK);
	uLong crc = crc32(0, NULL, 0);
	uint64_t at = 0;
	ssize_t n;

	if (!chunk || v->fd < 0 || v->size > *v->left)
		return false;
	for (; at < v->size; at += (uint64_t)n) {
		n = pread(v->fd, chunk, CHUNK, (off_t)at);
		if (n <= 0)
			return false;
		crc = crc32(crc, chunk, (uInt)n);
	}
	*ret = (uint32_t)crc;
	return true;
}

bool elf_view_match(struct elf_view *v, struct elf_view *debug)
{
	size_t size = 0, debug_size = 0;
	const uint8_t *id = elf_view_build_id(v, &size);
	const uint8_t *debug_id = elf_view_build_id(debug, &debug_size);
	uint32_t wanted, crc = 0;
	Elf_Data *link;

	if (id || debug_id)
		return id && debug_id && size == debug_size && !memcmp(id, debug_id, size);
	link = elf_view_data(v, elf_view_find(v, ".gnu_debuglink", NULL));
	if (!link || link->d_size < 2 * sizeof(wanted))
		return false;
	memcpy(&wanted, (char *)link->d_buf + link->d_size - sizeof(wanted), sizeof(wanted));
	return file_crc(debug, &crc) && crc == wanted;
}
