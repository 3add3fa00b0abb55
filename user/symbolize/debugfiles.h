/* debugfiles.h - where the separate debug file of an ELF file may be, and the ways to open it.
 *
 *   below the task's root, then on the host: /usr/lib/debug/.build-id/ab/cdef.debug
 *   by debug link: beside the file, in .debug/ beside it, below /usr/lib/debug
 */
#ifndef TASKDIAG_DEBUGFILES_H
#define TASKDIAG_DEBUGFILES_H

#include <stddef.h>
#include <stdint.h>

struct debugfiles_wanted {
	const char *root; /* as symbolize_file.root */
	const char *path; /* of the ELF file, within @root */
	const uint8_t *build_id;
	uint32_t build_id_bytes; /* 0: it has none */
	const char *link;	 /* "": it has none; hostile */
};

/** Opens place number @n. The fd; -ERANGE: there is no such place, ask no further; another -errno:
 * nothing usable there. That it belongs to the ELF file is for the caller to check. */
int debugfiles_open(const struct debugfiles_wanted *w, size_t n);

/** Asks debuginfod-find, which asks the servers of DEBUGINFOD_URLS, for at most a minute. The fd,
 * or -errno with *ret_cause. */
int debugfiles_fetch(const uint8_t *build_id, uint32_t build_id_bytes, const char **ret_cause);

#define DEBUGFILES_HEX_MAX (2 * 64 + 1)
/** @build_id in hexadecimal; up to 64 bytes of it. */
void debugfiles_hex(const uint8_t *build_id, uint32_t bytes, char ret[DEBUGFILES_HEX_MAX]);

#endif
