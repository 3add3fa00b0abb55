/* layout.h - where things are in an interpreter: what its file says + tables per version ──►
 * struct python_layout (bpf/python.h).
 *
 * 3.8 to 3.12: tables, made from the headers of each version. From 3.13 on the interpreter itself
 * has them (_Py_DebugOffsets at the begin of _PyRuntime, Include/internal/pycore_runtime.h of
 * CPython). Pure: no kernel, no files.
 */
#ifndef TASKDIAG_PYTHON_LAYOUT_H
#define TASKDIAG_PYTHON_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/python.h"
#include "inspect/inspect.h"

/**
 * @bias: address in the process minus address in the file. Serial and counts are left 0.
 * 0; -ENOTSUP: an interpreter that we cannot read: @cause is a sentence without a dot
 * ("CPython 3.15 is not known to this version of taskdiag-bpf"); -EBADMSG: its own offsets make no
 * sense.
 */
int python_layout(const struct inspect_python *p, uint64_t bias, struct python_layout *ret,
		  char *cause, size_t cause_size);

#endif
