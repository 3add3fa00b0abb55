/* python.h - is an ELF file a CPython interpreter, and where are its parts? From symbols and data.
 *
 *   .dynsym, .symtab ──► _PyRuntime, PyCode_Type, evaluation loop (python_eval.h)
 *   data of the file ──► version, the first bytes of _PyRuntime (_Py_DebugOffsets from 3.13 on)
 *
 * The file is hostile: every size and count has an upper limit, and whatever is delivered lies in a
 * segment of the file.
 */
#ifndef TASKDIAG_INSPECT_PYTHON_H
#define TASKDIAG_INSPECT_PYTHON_H

#include <stdbool.h>
#include <stdint.h>

#include "inspect/elf_file.h"
#include "inspect/inspect.h"

#define PYTHON_ADDRESS_MAX (1ull << 47) /* the end of user space */

/* A piece of the file's memory: [start, end). */
struct python_range {
	uint64_t start, end;
};

/**
 * 0; -ENOENT no CPython interpreter; -ENOTSUP one of an unknown version, or without an evaluation
 * loop; -ENOEXEC its symbols contradict its segments; -EFBIG too many symbols or segments;
 * elf_file_read_new()'s errors. f->cause says which.
 */
int python_read(struct elf_file *f, struct inspect_python *ret);

/** The version that stands as text in @bytes, "3.N.M" with a zero byte, "+" or aN, bN, rcN behind
 * it, as PY_VERSION_HEX without its last byte; 0: none, or of several minor versions. */
uint32_t python_version_text(const uint8_t *bytes, size_t size);

/** Does @range lie in one segment, with all of @flags (PF_*)? */
bool python_in_segment(const struct elf_file *f, struct python_range range, uint32_t flags);

#endif
