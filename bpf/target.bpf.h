/* target.bpf.h - a process becomes a target: it enters the map, its address space is counted, user
 * space is told. */
#ifndef TASKDIAG_TARGET_BPF_H
#define TASKDIAG_TARGET_BPF_H

#include "image.bpf.h"
#include "unwind_process.bpf.h"

static __always_inline void process_tell(__u32 type, struct task_struct *task, __u32 index,
					 __u32 root)
{
	struct process_event *e = record_reserve(sizeof(*e));

	if (!e)
		return;
	header_of_task(&e->h, type, sizeof(*e), task, index);
	e->parent_tgid = BPF_CORE_READ(task, real_parent, tgid);
	e->root = root;
	e->inner_pid = pid_inner(task);
	e->pad = 0;
	bpf_probe_read_kernel_str(e->name, sizeof(e->name), &task->comm);
	/* one that has come from elsewhere: what it has mapped is not known yet */
	if (config.calls || root & ROOT_FOUND)
		bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
	else
		record_submit(e);
}

/* Returns NULL when the process is a target already, or when the map is full (counted). */
static __always_inline struct target *target_new(struct task_struct *task, __u32 index, __u32 armed)
{
	__u32 tgid = task->tgid;
	struct target fresh = { .start_ns = task_start_ns(task), .task = index, .armed = armed };
	struct target *old = bpf_map_lookup_elem(&targets, &tgid);

	if (old && old->start_ns == fresh.start_ns)
		return NULL;
	if (old) { /* the pid is used again, and the exit of its first owner was missed */
		drop_count(NOTE_STALE_TARGETS);
		image_put(old->image, true);
	}
	if (bpf_map_update_elem(&targets, &tgid, &fresh, BPF_ANY)) {
		drop_count(DROP_OFFERED);
		drop_count(DROP_TARGETS_FULL);
		return NULL;
	}
	return bpf_map_lookup_elem(&targets, &tgid);
}

static __always_inline void target_enter(struct target *target, struct task_struct *task)
{
	__u64 mm = (__u64)BPF_CORE_READ(task, mm);

	if (mm && !image_get(mm, task, target->task))
		target->image = mm;
}

/* The child runs in a copy of its parent's address space. */
static __always_inline void mappings_inherit(__u32 from, struct task_struct *child)
{
	__u32 to = child->tgid;
	struct unwind_process *process, copy;

	if (!config.stacks)
		return;
	process = bpf_map_lookup_elem(&unwind_processes, &from);
	if (!process)
		return;
	copy = *process;
	copy.start_ns = task_start_ns(child);
	bpf_map_update_elem(&unwind_processes, &to, &copy, BPF_ANY);
}

#endif
