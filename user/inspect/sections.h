/* sections.h - the sections of an ELF file that a hostile task has made, through libelf, bounded.
 *
 * libelf trusts sizes up to the size of the file, and a sparse file may be of any size: so the
 * number of sections and the bytes read of all of them together have a limit here. Nothing is
 * mapped: a file that shrinks while it is read gives an error, not a signal.
 */
#ifndef TASKDIAG_SECTIONS_H
#define TASKDIAG_SECTIONS_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECTIONS_BYTES_MAX (512ull << 20) /* read in one request, of all files */
#define SECTIONS_MAX 65536

struct elf_view {
	Elf *elf; /* NULL: not open */
	int fd;	  /* -1: in memory */
	const uint8_t *image;
	uint64_t size;
	uint64_t *left; /* bytes that may still be read, shared by the files of a request */
};

/** The fd, or the bytes, and @left stay the caller's while the view is open. 0; -EINVAL not a
 * regular file; -ENOEXEC not an ELF file; -EFBIG too many sections. */
int elf_view_open(struct elf_view *v, int fd, uint64_t *left);
int elf_view_memory(struct elf_view *v, const void *image, size_t size, uint64_t *left);
void elf_view_close(struct elf_view *v);

/** Bytes of a section; NULL when it has none, lies outside the file or the limit is reached. They
 * live as long as the view. */
Elf_Data *elf_view_data(struct elf_view *v, Elf_Scn *section);
/** NULL: there is none of that name. @ret may be NULL. */
Elf_Scn *elf_view_find(struct elf_view *v, const char *name, GElf_Shdr *ret);
const char *elf_view_name(struct elf_view *v, const GElf_Shdr *header); /* "" when it has none */

/** GNU build-id: its bytes, within the view; NULL: none. */
const uint8_t *elf_view_build_id(struct elf_view *v, size_t *ret_size);
/** The file that @debug belongs to, by build-id or, where neither has one, by the CRC of the debug
 * link. */
bool elf_view_match(struct elf_view *v, struct elf_view *debug);

#endif
