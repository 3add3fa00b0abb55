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

/* What a walk reads from, all borrowed. */
struct outside_tables {
	struct space *space;
	struct mappings *mappings;
	struct peek *peek;
};

/** @process: what walks of it use. Otherwise as unwinder_outside(). */
enum unwind_outcome outside_walk(const struct outside_tables *tables,
				 const struct unwind_process *process, pid_t pid,
				 const struct unwind_registers *registers, unwind_code_fn *code,
				 void *context, uint64_t *frames, size_t *ret_count);

#endif
