/* thread.bpf.h - threads of a task and their period marks (see profile.h). */
#ifndef TASKDIAG_THREAD_BPF_H
#define TASKDIAG_THREAD_BPF_H

#include "cause.bpf.h"

/* tid → thread. Made by the fork probe and by the scan, where memory may be asked for; read at
 * every switch. 131,072 threads; when full the thread is not profiled and DROP_THREADS_FULL counts
 * it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_THREADS);
	__type(key, __u32);
	__type(value, struct thread);
} threads __weak SEC(".maps");

/* Which CPU runs a thread of ours, and whether a wait ended on it that has marks. */
struct here_profile profile_here[MAX_CPUS] __weak = {};

/* before 5.16 or without CONFIG_THREAD_INFO_IN_TASK */
struct task_struct___cpu {
	unsigned int cpu;
} __attribute__((preserve_access_index));

static __always_inline __u32 task_cpu(struct task_struct *task)
{
	if (bpf_core_field_exists(task->thread_info.cpu))
		return BPF_CORE_READ(task, thread_info.cpu);
	return BPF_CORE_READ((struct task_struct___cpu *)task, cpu);
}

/* Number of the thread in the pid namespace of the observer. */
static __always_inline __u32 task_tid(struct task_struct *task)
{
	struct control *control = control_get();
	__u64 level = control ? control->observer_level : 0;

	if (level && level <= MAX_PID_LEVEL)
		return pid_number(BPF_CORE_READ(task, thread_pid), level);
	return task->pid;
}

static __always_inline void thread_header(struct event_header *h, __u32 type, __u32 bytes,
					  const struct thread *t)
{
	header_fill(h, type, bytes);
	h->start_ns = t->start_ns;
	h->tgid = t->tgid;
	h->pid = t->pid;
	h->task = t->task;
}

static __always_inline void thread_tell(__u32 type, struct task_struct *task,
					const struct thread *t)
{
	struct thread_event *e = record_reserve(sizeof(*e));

	if (!e)
		return;
	thread_header(&e->h, type, sizeof(*e), t);
	e->begin_ns = t->begin_ns;
	e->cpu_ns = BPF_CORE_READ(task, se.sum_exec_runtime) - t->base_cpu_ns;
	e->run_queue_ns = BPF_CORE_READ(task, sched_info.run_delay) - t->base_run_queue_ns;
	e->marks = t->marks;
	e->lost_marks = t->lost_marks;
	e->tid = t->tid;
	e->untold = 0;
	bpf_probe_read_kernel_str(e->name, sizeof(e->name), &task->comm);
	record_submit(e);
}

/* Marks that have passed until @now and were not counted before; *ret_first: time of the first. */
static __always_inline __u64 marks_pass(struct thread *t, __u64 now, __u64 *ret_first)
{
	__u64 passed;

	*ret_first = t->next_ns;
	if (now < t->next_ns)
		return 0;
	passed = (now - t->next_ns) / config.period_ns + 1;
	t->next_ns += passed * config.period_ns;
	t->marks += passed;
	return passed;
}

enum thread_entry {
	THREAD_BORN,	 /* it has not run yet */
	THREAD_EXECUTES, /* it runs, here: what it did before was not the task's */
	THREAD_FOUND,	 /* by a scan */
};

/* The CPU that it runs on learns so: else its first switch away would be nobody's. A wrong guess is
 * harmless, the thread that goes is looked up by itself. */
static __always_inline void thread_runs_at(__u32 cpu, __u32 tid)
{
	if (cpu < MAX_CPUS)
		profile_here[cpu].tid = tid;
}

/* Observes a thread from now on. NULL: it was known, or there is no room (counted). */
static __always_inline struct thread *thread_enter(struct task_struct *task, __u64 start_ns,
						   __u32 index, enum thread_entry entry)
{
	__u32 tid = task->pid;
	__u64 now = bpf_ktime_get_boot_ns();
	struct thread fresh = {};

	fresh.start_ns = start_ns;
	fresh.begin_ns = now;
	fresh.next_ns = now + bpf_get_prandom_u32() % (__u32)config.period_ns;
	fresh.tgid = task->tgid;
	fresh.task = index;
	fresh.tid = task_tid(task);
	fresh.pid = task_pid(task);
	fresh.wait_state = WAIT_READY;
	fresh.held = entry == THREAD_EXECUTES && config.hold;
	if (entry != THREAD_BORN) {
		fresh.base_cpu_ns = BPF_CORE_READ(task, se.sum_exec_runtime);
		fresh.base_run_queue_ns = BPF_CORE_READ(task, sched_info.run_delay);
	}
	fresh.run_delay = fresh.base_run_queue_ns;
	if (entry == THREAD_BORN)
		fresh.out_ns = now;
	if (entry == THREAD_FOUND && !BPF_CORE_READ(task, on_cpu)) {
		fresh.out_ns = now;
		fresh.wait_state = wait_state(task, false);
	}
	if (bpf_map_update_elem(&threads, &tid, &fresh,
				entry == THREAD_FOUND ? BPF_NOEXIST : BPF_ANY)) {
		drop_count(DROP_OFFERED);
		drop_count(DROP_THREADS_FULL);
		return NULL;
	}
	if (!fresh.out_ns)
		thread_runs_at(entry == THREAD_FOUND ? task_cpu(task) : bpf_get_smp_processor_id(),
			       tid);
	thread_tell(EV_THREAD, task, &fresh);
	return bpf_map_lookup_elem(&threads, &tid);
}

#endif
