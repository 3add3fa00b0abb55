/* demangle.h - names of C++ and Rust as a person wrote them. Input is hostile. */
#ifndef TASKDIAG_DEMANGLE_H
#define TASKDIAG_DEMANGLE_H

#include <stdbool.h>
#include <stddef.h>

#define DEMANGLE_INPUT_MAX 4096	 /* longer names stay mangled */
#define DEMANGLE_OUTPUT_MAX 2048 /* longer results are cut and end with "..." */

/** Fills @ret, NUL included; false: not a mangled name, use it as it is. The hash that ends a Rust
 * name is left out. */
bool demangle(const char *name, char ret[DEMANGLE_OUTPUT_MAX]);

#endif
