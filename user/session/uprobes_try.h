/* uprobes_try.h - the part of bpf(2) that is younger than the headers that we build with, and
 * whether this kernel has it. See include/uapi/linux/bpf.h of Linux 6.6. */
#ifndef TASKDIAG_UPROBES_TRY_H
#define TASKDIAG_UPROBES_TRY_H

#include <stdbool.h>
#include <stdint.h>

#define ATTACH_PERF_EVENT 41   /* BPF_PERF_EVENT */
#define ATTACH_UPROBE_MULTI 48 /* BPF_TRACE_UPROBE_MULTI */
#define UPROBE_MULTI_RETURN 1  /* BPF_F_UPROBE_MULTI_RETURN */

/* union bpf_attr for BPF_LINK_CREATE */
struct link_create {
	uint32_t program, target, attach_type, flags;
	union {
		struct {
			uint64_t cookie;
		} perf_event;
		struct {
			uint64_t path, offsets, semaphores, cookies;
			uint32_t count, flags, pid, pad;
		} uprobe_multi;
	};
};
_Static_assert(sizeof(struct link_create) == 64, "ABI of the kernel");

/** An fd or -errno. */
int link_create(const struct link_create *create);

/** uprobe_multi exists, and a link of one process sees all of its threads: before 6.10 it did not.
 */
bool uprobes_try_multi(void);

/** Offset of trapped(), which does nothing, in the file of our program; 0: not found. */
uint64_t trapped_offset(void);
void trapped(void);

#endif
