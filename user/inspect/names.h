/* names.h - addresses of a file → names; runs in the worker. Input is hostile, as in cfi.h.
 *
 *   .symtab, .dynsym, .gnu_debugdata (xz), separate debug file ──► sorted table ──► demangled name
 *   DWARF (libdw) ──► file:line, inlined functions
 *   perf map text ──► ranges
 *
 * An answer is a flat buffer that crosses from the worker to its client: both ends are here.
 */
#ifndef TASKDIAG_NAMES_H
#define TASKDIAG_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "inspect/inspect.h"

/* An answer while it grows. Zero it before use; free @bytes. */
struct names_answer {
	uint8_t *bytes;
	size_t size, capacity;
};

/** Names of @count sorted addresses of the ELF file @fd; @debug_fd -1: none; @flags: enum
 * inspect_names_flags. 0; -errno with *ret_cause, a sentence (static). */
int names_elf(int fd, int debug_fd, const uint64_t *addresses, size_t count, unsigned flags,
	      struct names_answer *answer, const char **ret_cause);

/** The same from a perf map: lines "start size name", hexadecimal; at most 64 MiB. */
int names_perf_map(int fd, const uint64_t *addresses, size_t count, struct names_answer *answer,
		   const char **ret_cause);

/** In the client: checks every field. *ret: one array to be freed; its strings point into @bytes.
 * -EBADMSG when it is malformed. */
int names_decode(const uint8_t *bytes, size_t size, size_t address_count, struct inspect_name **ret,
		 size_t *ret_count);

#endif
