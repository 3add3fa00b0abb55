/* outside.h - walks the stack of a thread of another process from outside, with the step that BPF
 * programs use, on memory that is read through the kernel. */
#ifndef TASKDIAG_OUTSIDE_H
#define TASKDIAG_OUTSIDE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/unwind.h"
#include "unwind/mappings.h"
#include "unwind/peek.h"
#include "unwind/space.h"
#include "unwind/unwinder.h"

/** @first, @count: the process's range of mappings. Otherwise as unwinder_outside(). */
enum unwind_outcome outside_walk(struct space *space, const struct mappings *mappings,
				 uint32_t first, uint32_t count, struct peek *peek, pid_t pid,
				 const struct unwind_registers *registers, uint64_t *frames,
				 size_t *ret_count);

#endif
