/* lines.h - the line table of a code object of CPython ──► the line of an instruction.
 *
 *	up to 3.9   co_lnotab      pairs: bytes of code, lines (Objects/lnotab_notes.txt)
 *	3.10        co_linetable   the same, with "no line", and each pair is a range (PEP 626)
 *	from 3.11   co_linetable   entries of 1 to 8 units of code (InternalDocs/code_objects.md)
 *
 * Hostile.
 */
#ifndef TASKDIAG_PYTHON_LINES_H
#define TASKDIAG_PYTHON_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line_table {
	const uint8_t *bytes; /* not owned */
	size_t size;
	bool cut; /* there was more of it */
	uint8_t minor;
	uint32_t first_line;
};

/** @offset: in bytes of code. 0: no line, or the table does not say. */
uint32_t line_table_find(const struct line_table *t, uint64_t offset);

#endif
