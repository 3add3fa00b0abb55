/* lines.h - addresses → file:line and the functions inlined there, from DWARF through libdw.
 *
 *   units ──► ranges, sorted ──► functions of a unit (read when one of its addresses is asked for)
 *   function ──► inlined functions within it, inwards; line table ──► the innermost line
 *
 * Nothing is looked for elsewhere: no debuginfod, no split DWARF, no file shared by dwz. What such
 * a file would have named is NULL.
 */
#ifndef TASKDIAG_LINES_H
#define TASKDIAG_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inspect/sections.h"

#define LINES_FRAMES_MAX 64 /* of one address; deeper inlining is left out */

/* Strings belong to struct lines. */
struct line_frame {
	const char *name; /* mangled, where the language does that; NULL: unknown */
	const char *file; /* NULL: unknown */
	uint32_t line;	  /* 0: unknown; of a caller: where it calls the one before */
	uint64_t start;	  /* of the function, or of its inlined code */
};

struct lines;

/** @v must live as long. 0; -ENODATA no DWARF; -EFBIG too large; -ENOTSUP compressed in a way that
 * libelf does not know; -EBADMSG malformed; -ENOMEM. */
int lines_new(struct elf_view *v, struct lines **ret);
void lines_free(struct lines *l); /* NULL is fine */

/** Frames at @address, innermost first; the last one is the function itself. 0: unknown. */
size_t lines_find(struct lines *l, uint64_t address, struct line_frame ret[LINES_FRAMES_MAX]);

/** The file is so large, or so hostile, that not all of it was read. */
bool lines_incomplete(const struct lines *l);

#endif
