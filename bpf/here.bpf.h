/* here.bpf.h - the current thread and its process, for programs that no tracepoint hands them to.
 */
#ifndef TASKDIAG_HERE_BPF_H
#define TASKDIAG_HERE_BPF_H

#include "stack.bpf.h"

/* The current thread and its process, as far as a helper or a copy tells: before 5.11 no more is
 * known of the current task. */
static __always_inline __u32 pid_seen(struct pid *pid, __u32 otherwise)
{
	struct control *control = control_get();
	__u64 level = control ? control->observer_level : 0;
	__u64 number = bpf_core_field_offset(struct pid, numbers) +
		       bpf_core_field_offset(struct upid, nr) +
		       level * bpf_core_type_size(struct upid);

	if (level && level <= MAX_PID_LEVEL)
		bpf_probe_read_kernel(&otherwise, sizeof(otherwise), (void *)pid + number);
	return otherwise;
}

static __always_inline struct target *target_here(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct target *target = target_find(bpf_get_current_pid_tgid() >> 32,
					    BPF_CORE_READ(task, group_leader, start_boottime));

	return target && !target->armed ? target : NULL;
}

static __always_inline __u32 pid_here(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return pid_seen(BPF_CORE_READ(task, group_leader, thread_pid),
			bpf_get_current_pid_tgid() >> 32);
}

static __always_inline struct stack_owner owner_of(const struct target *target)
{
	return (struct stack_owner){ .start_ns = target->start_ns,
				     .tgid = bpf_get_current_pid_tgid() >> 32,
				     .pid = pid_here(),
				     .task = target->task };
}

/* The thread itself, as the observer sees it. */
static __always_inline __u32 tid_here(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return pid_seen(BPF_CORE_READ(task, thread_pid), bpf_get_current_pid_tgid());
}

#endif
