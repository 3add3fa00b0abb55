/* elf_file.h - an ELF file of a hostile task, read by pread alone.
 *
 * Never mapped: a file that is truncated while it is mapped kills its reader (SIGBUS). Every offset
 * is checked against the size of the file, every size has an upper limit. x86-64, little-endian.
 */
#ifndef TASKDIAG_ELF_FILE_H
#define TASKDIAG_ELF_FILE_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include "inspect/cfi.h"

#define ELF_SECTION_BYTES_MAX (512ull << 20)
#define ELF_BUILD_ID_MAX 64
#define ELF_LINK_MAX 256

struct elf_file {
	int fd; /* borrowed */
	uint64_t size;
	uint64_t entry;
	Elf64_Phdr *segments;
	Elf64_Shdr *sections; /* NULL: the file has none */
	char *names;	      /* of sections; ends with a zero byte */
	size_t segment_count, section_count, names_size;
	const char *cause; /* a sentence, static: why the last call has failed */
};

/**
 * 0; -EINVAL not a regular file; -ENOEXEC not an ELF file, or a malformed one; -ENOTSUP of another
 * machine or kind; -ENODATA shorter than it says; -ENOMEM; -errno of reading. To be closed in every
 * case.
 */
int elf_file_open(int fd, struct elf_file *ret);
void elf_file_close(struct elf_file *f); /* fd stays open */

/** All of @size bytes. -ENODATA; -errno of reading. */
int elf_file_read(struct elf_file *f, void *to, size_t size, uint64_t offset);
/** The same into *@ret, a pointer to be freed; a zero byte stands behind. Also -EFBIG, -ENOMEM. */
int elf_file_read_new(struct elf_file *f, uint64_t size, uint64_t offset, void *ret);

/** The bytes of a section: inflated, with a zero byte behind. -ENOENT; -EFBIG; -ENOTSUP; as above.
 */
int elf_file_section(struct elf_file *f, const char *name, uint8_t **ret, size_t *ret_size,
		     uint64_t *ret_address);

/** From the notes of segments, else of sections. 0 bytes: it has none. */
uint32_t elf_file_build_id(struct elf_file *f, uint8_t ret[ELF_BUILD_ID_MAX]);

/** Name in .gnu_debuglink: a plain file name, else empty. */
void elf_file_debug_link(struct elf_file *f, char ret[ELF_LINK_MAX]);

/** Executable addresses that the file has bytes for. -ENODATA: none. */
int elf_file_text(struct elf_file *f, uint64_t *ret_first, uint64_t *ret_end);

/** Bytes of .eh_frame, by the section or by PT_GNU_EH_FRAME; *ret is to be freed. -ENOENT; errors
 * as of elf_file_section(). */
int elf_file_eh_frame(struct elf_file *f, uint8_t **ret, size_t *ret_size, uint64_t *ret_address);

/** Rows from .eh_frame, by the section or by PT_GNU_EH_FRAME, and from .debug_frame for functions
 * that it does not cover. *ret_debug_frame: there are such. cfi_build()'s errors, and the ones
 * above. */
int elf_file_rows(struct elf_file *f, struct cfi_table *ret, bool *ret_debug_frame);

#endif
