/* code.h - a code object as a walk has read it (code_event) ──► name, file, and line of an
 * instruction.
 *
 * Unicode objects: Include/cpython/unicodeobject.h; line tables: Objects/lnotab_notes.txt (up
 * to 3.10) and InternalDocs/code_objects.md (from 3.11) of CPython. All of it is hostile. Pure.
 */
#ifndef TASKDIAG_PYTHON_CODE_H
#define TASKDIAG_PYTHON_CODE_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/python.h"

struct python_code;

/** @e has @bytes bytes, the line table included. 0; -EBADMSG: its lengths do not fit @bytes, or the
 * version is none; -ENOMEM. */
int python_code_new(const struct code_event *e, size_t bytes, struct python_code **ret);
void python_code_free(struct python_code *c); /* NULL is fine */

/** UTF-8, as Python has it, control characters included: escape it; only surrogates and NUL, which
 * no text can hold, are U+FFFD. NULL: it could not be read. Cut ones end in "…". */
const char *python_code_name(const struct python_code *c);
const char *python_code_file(const struct python_code *c);
uint32_t python_code_first_line(const struct python_code *c);

/** The whole line table where the event had not all of it. 0 or -ENOMEM. */
int python_code_set_lines(struct python_code *c, const uint8_t *table, size_t bytes);

/** Line of the instruction (in units of two bytes, as in FRAME_INSTRUCTION); 0: it has none, or the
 * table does not reach it. */
uint32_t python_code_line(const struct python_code *c, uint32_t instruction);

#endif
