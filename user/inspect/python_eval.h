/* python_eval.h - the parts of CPython's evaluation loop, which compilers lay out as several.
 *
 *   _PyEval_EvalFrameDefault            where it begins: .dynsym or .symtab
 *   _PyEval_EvalFrameDefault.cold[.N]   what a profile says is rare (GCC, clang, BOLT); a local
 *   _TAIL_CALL_NAME                     a function an instruction (3.14 --with-tail-call-interp)
 *
 * The local ones have a symbol in .symtab alone. In a stripped file the cold part is the function
 * of .eh_frame that the loop jumps into, and that jumps back into it, both at many different
 * places. The handlers of a stripped tail-calling interpreter are not found: they are only in its
 * data.
 */
#ifndef TASKDIAG_INSPECT_PYTHON_EVAL_H
#define TASKDIAG_INSPECT_PYTHON_EVAL_H

#include "inspect/python.h"

/* Parts that symbols name, before they are merged. Zero it before use. */
struct python_parts {
	struct python_range *ranges;
	size_t count, capacity;
};

bool python_is_part(const char *name);
/** 0, -ENOMEM; what is not executable is left out. */
int python_parts_add(struct python_parts *parts, const struct elf_file *f,
		     struct python_range range);

/** Fills ret->eval from @hot, which is executable, and @parts, which are merged: the largest ones
 * where there are too many. No @parts: the cold one is looked for in the code. 0 or -errno. */
int python_eval(struct elf_file *f, struct python_range hot, struct python_parts *parts,
		struct inspect_python *ret);

#endif
