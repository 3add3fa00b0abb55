/* task.bpf.h - readers of task_struct: identity, pid as the observer sees it, end of a process.
 *
 * @task is always a pointer that the verifier knows by BTF (an argument of a tracepoint, the object
 * of an iterator). Its numbers are read by plain loads, where a helper call would cost 70 ns each.
 * Its pointers are read by helper all the same: for each plain load of a pointer the verifier
 * searches all of the kernel's types by name, 1 ms that a start would wait for.
 */
#ifndef TASKDIAG_TASK_BPF_H
#define TASKDIAG_TASK_BPF_H

#include "maps.bpf.h"

#define SIGNAL_GROUP_EXIT 0x4 /* include/linux/sched/signal.h */
#define PF_KTHREAD 0x200000
#define PF_EXITING 0x4
#define MAX_PID_LEVEL 32 /* MAX_PID_NS_LEVEL */

/* A thread made by a non-leader exec inherits the leader's start: identity outlives de_thread(). */
static __always_inline __u64 task_start_ns(struct task_struct *task)
{
	if (task->pid == task->tgid)
		return task->start_boottime;
	return BPF_CORE_READ(task, group_leader, start_boottime);
}

/* What a struct pid is in the pid namespace of that level, which is not the initial one. */
static __always_inline __u32 pid_number(struct pid *pid, __u64 level)
{
	__u64 number = bpf_core_field_offset(struct pid, numbers) +
		       bpf_core_field_offset(struct upid, nr) +
		       level * bpf_core_type_size(struct upid);
	__u32 nr = 0;

	/* read by helper: with a pointer that it knows the verifier allows no arithmetic */
	bpf_probe_read_kernel(&nr, sizeof(nr), (void *)pid + number);
	return nr;
}

/* What the process calls itself: in a container that is not what the host calls it. */
static __always_inline __u32 pid_inner(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);

	return level && level <= MAX_PID_LEVEL ? pid_number(pid, level) : task->tgid;
}

/* The pid of the process in the pid namespace of that level; the tgid itself in the initial one. */
static __always_inline __u32 task_pid_at(struct task_struct *task, __u64 level)
{
	if (level && level <= MAX_PID_LEVEL)
		return pid_number(BPF_CORE_READ(task, group_leader, thread_pid), level);
	return task->tgid;
}

static __always_inline __u32 task_pid(struct task_struct *task)
{
	struct control *control = control_get();

	return task_pid_at(task, control ? control->observer_level : 0);
}

/* Status as wait(2) gives it: of the group if it was ended as one, else of its first thread. */
static __always_inline __u32 task_exit_code(struct task_struct *task)
{
	struct signal_struct *signal = BPF_CORE_READ(task, signal);

	if (BPF_CORE_READ(signal, flags) & SIGNAL_GROUP_EXIT)
		return BPF_CORE_READ(signal, group_exit_code);
	return BPF_CORE_READ(task, group_leader, exit_code);
}

/* NULL unless this very process, not a stranger with its pid, belongs to a task. */
static __always_inline struct target *target_find(__u32 tgid, __u64 start_ns)
{
	struct target *target = bpf_map_lookup_elem(&targets, &tgid);

	return target && target->start_ns == start_ns ? target : NULL;
}

static __always_inline struct target *target_of(struct task_struct *task)
{
	return target_find(task->tgid, task_start_ns(task));
}

static __always_inline void header_fill(struct event_header *h, __u32 type, __u32 bytes)
{
	h->type = type;
	h->size = bytes;
	h->time_ns = bpf_ktime_get_boot_ns();
	h->pad = 0;
}

static __always_inline void header_of_task(struct event_header *h, __u32 type, __u32 bytes,
					   struct task_struct *task, __u32 index)
{
	header_fill(h, type, bytes);
	h->start_ns = task_start_ns(task);
	h->tgid = task->tgid;
	h->pid = task_pid(task);
	h->task = index;
}

#endif
