/* profile.bpf.c - where wall-clock time goes: what each thread did at each of its period marks.
 *
 *   clock event on every CPU ──► marks that passed while the thread ran       ─┐ walk of the user
 *   sched_switch ──► marks that passed in a wait ──► sched_exit_tp, in the     ├─► stack ──►
 * EV_STACK context of the waker      ─┘ (if new), EV_MARKS
 *
 * A wait is walked once, when it ends, with as many marks as it held; one that held none costs two
 * look-ups. Marks of running time go to the next clock event that hits the thread: their number is
 * exact, and the stack a fair sample.
 *
 * Kernels without sched_exit_tp have no hook in the context of the thread that comes: there the
 * stack is walked when it goes, at most once a period, and a wait takes the last such stack.
 */
#include <linux/ptrace.h>

#include "stack.bpf.h"
#include "thread.bpf.h"

#include <linux/bpf_perf_event.h>

extern char LICENSE[];

/* 1: waits are read from outside; the clock then counts an event as a mark. Written by session. */
volatile __u32 profile_outside = 0;

static __always_inline void marks_lost(struct thread *t, __u64 marks)
{
	__u32 cause = NOTE_LOST_MARKS;
	__u64 *n = bpf_map_lookup_elem(&drops, &cause);

	t->lost_marks += marks;
	if (n)
		*n += marks;
}

static __always_inline void marks_send(struct thread *t, __u64 stack, __u32 cause, __u64 detail,
				       __u64 first_ns, __u64 marks)
{
	struct marks_event *e = record_reserve(sizeof(*e));

	if (!e) {
		marks_lost(t, marks);
		return;
	}
	thread_header(&e->h, EV_MARKS, sizeof(*e), t);
	e->stack = stack;
	e->first_ns = first_ns;
	e->detail = detail;
	e->marks = marks;
	e->cause = cause;
	e->tid = t->tid;
	e->pad = 0;
	record_submit(e);
}

static __always_inline __u64 stack_walk(enum slot_use use, struct thread *t,
					const struct pt_regs *registers)
{
	const struct stack_owner owner = {
		.start_ns = t->start_ns, .tgid = t->tgid, .pid = t->pid, .task = t->task
	};
	__u32 slot = slot_of_cpu(use), tgid = t->tgid;
	struct unwind_state *s = slot_state(slot);
	struct target *target = target_find(tgid, t->start_ns);
	int outcome;

	if (!s || !target)
		return 0;
	unwind_begin(s, registers->rip, registers->rsp, registers->rbp, registers->rbx);
	outcome = unwind_walk(slot, s, tgid, t->pid, target);
	return stack_send(s, &owner, outcome);
}

/* It was adopted while it ran, or so we thought: no switch has brought it here that we saw. */
static __always_inline void thread_runs_here(struct thread *t, __u32 tid)
{
	__u32 cpu = bpf_get_smp_processor_id();

	if (cpu >= MAX_CPUS || profile_here[cpu].tid == tid)
		return;
	profile_here[cpu].tid = tid;
	t->out_ns = 0;
}

SEC("?perf_event")
int profile_clock(struct bpf_perf_event_data *ctx)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct thread *t = tid ? bpf_map_lookup_elem(&threads, &tid) : NULL;
	__u64 now, first, marks, detail = 0;
	struct pt_regs registers;
	__u32 cause = CAUSE_CPU;

	if (!t || t->busy || t->held) /* held: its time has not begun, see thread_begin */
		return 0;
	thread_runs_here(t, tid);
	now = bpf_ktime_get_boot_ns();
	if (profile_outside || !config.waits) {
		marks = 1;
		first = now;
		t->marks++;
	} else {
		marks = marks_pass(t, now, &first);
		if (t->cpu_marks)
			first = t->cpu_first_ns;
		marks += t->cpu_marks;
		t->cpu_marks = 0;
	}
	if (!marks)
		return 0;
	if (!(ctx->regs.cs & 3)) {
		cause = CAUSE_KERNEL;
		detail = ctx->regs.rip;
		if (user_registers(current_task(),
				   &registers)) { /* its marks have passed all the same */
			marks_send(t, 0, cause, detail, first, marks);
			return 0;
		}
	} else {
		registers.rip = ctx->regs.rip;
		registers.rsp = ctx->regs.rsp;
		registers.rbp = ctx->regs.rbp;
		registers.rbx = ctx->regs.rbx;
	}
	t->last_stack = stack_walk(SLOT_CLOCK, t, &registers);
	marks_send(t, t->last_stack, cause, detail, first, marks);
	return 0;
}

/* The GIL is a condition variable within _PyRuntime: what no other lock of Python is. */
static __always_inline bool is_gil(struct task_struct *task, __u64 futex)
{
	__u32 tgid = task->tgid, number;
	struct unwind_process *process = bpf_map_lookup_elem(&unwind_processes, &tgid);
	struct python_layout *layout;

	if (!process || !process->python)
		return false;
	number = process->python;
	layout = bpf_map_lookup_elem(&python_layouts, &number);
	return layout && futex >= layout->runtime && futex < layout->runtime_end;
}

static __always_inline __u32 waits_for(struct task_struct *task, const struct pt_regs *registers,
				       __u32 waits, __u64 *ret_detail)
{
	__u32 cause = wait_cause(task, registers, waits, ret_detail);

	return cause == CAUSE_LOCK && is_gil(task, registers->rdi) ? CAUSE_GIL : cause;
}

/* The marks of a wait: the last part of it is time in the run queue, which the kernel measures. */
static __always_inline void wait_send(struct task_struct *task, struct thread *t, __u64 stack,
				      __u32 cause, __u64 detail)
{
	__u64 queued = BPF_CORE_READ(task, sched_info.run_delay) - t->run_delay, first,
	      marks = t->wait_marks, ready_ns = t->in_ns - queued, waited;

	first = t->wait_first_ns;
	t->wait_marks = 0;
	if (cause == CAUSE_THROTTLED || queued > t->in_ns - t->out_ns)
		ready_ns = t->in_ns; /* the kernel counts throttling as time in the run queue */
	if (cause == CAUSE_RUN_QUEUE)
		ready_ns = t->out_ns;
	waited = ready_ns >= first ? (ready_ns - first) / config.period_ns + 1 : 0;
	if (waited > marks)
		waited = marks;
	if (waited)
		marks_send(t, stack, cause, detail, first, waited);
	if (marks > waited)
		marks_send(t, stack, CAUSE_RUN_QUEUE, 0, first + waited * config.period_ns,
			   marks - waited);
}

/* Without wake_hook: the thread that goes is walked here, while it still is the current one. Where
 * it has waited before in this period it is not walked again: a place is known by its pc and sp. */
static __always_inline void leave_walk(struct task_struct *task, struct thread *t, __u64 now)
{
	struct pt_regs registers;
	struct walked *w;
	__u64 place;

	if (user_registers(task, &registers))
		return;
	t->wait_cause = waits_for(task, &registers, t->wait_state, &t->wait_detail);
	place = (registers.rip ^ registers.rsp << 20) * 0x9e3779b97f4a7c15ULL;
	w = &t->walked[place >> 63 & (WALKED - 1)];
	if (!w->stack || w->place != place || now - w->time_ns >= config.period_ns) {
		w->place = place;
		w->time_ns = now;
		w->stack = stack_walk(SLOT_SWITCH, t, &registers);
	}
	t->wait_stack = w->stack;
}

static __always_inline void thread_leave(struct task_struct *task, bool preempted, __u64 now)
{
	__u32 tid = task->pid;
	struct thread *t = bpf_map_lookup_elem(&threads, &tid);
	__u64 first, marks;

	if (!t || t->busy)
		return;
	marks = t->out_ns ? 0 : marks_pass(t, now, &first);
	if (marks && !t->cpu_marks)
		t->cpu_first_ns = first;
	t->cpu_marks += marks;
	t->out_ns = now;
	t->run_delay = task->sched_info.run_delay;
	t->wait_state = wait_state(task, preempted);
	if (!config.wake_hook)
		leave_walk(task, t, now);
}

/* The stop at exec was ours: its time begins now. */
static __always_inline void thread_begin(struct task_struct *task, struct thread *t, __u64 now)
{
	t->held = 0;
	t->begin_ns = now;
	t->next_ns = now + bpf_get_prandom_u32() % (__u32)config.period_ns;
	t->marks = 0;
	t->cpu_marks = 0;
	t->out_ns = 0;
	t->base_cpu_ns = BPF_CORE_READ(task, se.sum_exec_runtime);
	t->base_run_queue_ns = BPF_CORE_READ(task, sched_info.run_delay);
}

/* Says whether a wait ended that has marks. */
static __always_inline bool thread_come(struct task_struct *task, struct thread *t, __u64 now)
{
	__u64 first, marks;

	if (!t->out_ns)
		return false;
	if (t->held && t->wait_state & WAIT_STOPPED) {
		thread_begin(task, t, now);
		return false;
	}
	if (t->held) {
		t->out_ns = 0;
		return false;
	}
	marks = marks_pass(t, now, &first);
	t->in_ns = now;
	if (!t->wait_marks) /* else the kernel skipped profile_wake: they go with this wait's */
		t->wait_first_ns = first;
	t->wait_marks += marks;
	marks = t->wait_marks;
	if (marks) {
		if (!config.wake_hook) {
			__u32 cause = t->wait_state & WAIT_READY ? CAUSE_RUN_QUEUE : t->wait_cause;

			wait_send(task, t, t->wait_stack, cause, t->wait_detail);
			marks = 0;
		}
	}
	if (!marks)
		t->out_ns = 0;
	return marks;
}

#define RUN_DELAY_UNKNOWN (1ULL << 63)

/* @task runs here, but we were not told of the switch that brought it: a kernel skips a probe that
 * it would have to run within itself, and some virtual machines' kernels tell not of every switch.
 * The thread of ours that was here before has gone, for a reason that nobody knows. */
static __always_inline void switch_untold(struct here_profile *here, struct task_struct *task,
					  __u64 now)
{
	__u32 before = here->tid, tid = task->pid;
	__u64 first, marks;
	struct thread *t;

	here->next = tid;
	if (before == tid)
		return;
	t = before ? bpf_map_lookup_elem(&threads, &before) : NULL;
	if (t && !t->busy && !t->out_ns) {
		drop_count(NOTE_UNTOLD_SWITCHES);
		marks = marks_pass(t, now, &first);
		if (marks && !t->cpu_marks)
			t->cpu_first_ns = first;
		t->cpu_marks += marks;
		t->out_ns = now;
		t->run_delay = RUN_DELAY_UNKNOWN;
		t->wait_state = 0;
		t->wait_cause = CAUSE_UNKNOWN;
		t->wait_stack = 0;
	}
	t = tid ? bpf_map_lookup_elem(&threads, &tid) : NULL;
	here->tid = t && !t->busy ? tid : 0;
	if (!t || t->busy)
		return;
	drop_count(NOTE_UNTOLD_SWITCHES);
	here->woken = thread_come(task, t, now);
}

SEC("?tp_btf/sched_switch")
int BPF_PROG(profile_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 cpu = bpf_get_smp_processor_id(), tid;
	struct here_profile *here;
	struct thread *t = NULL;
	__u64 now = 0;

	if (cpu >= MAX_CPUS)
		return 0;
	here = &profile_here[cpu];
	tid = prev->pid;
	if (here->next != tid)
		switch_untold(here, prev, now = bpf_ktime_get_boot_ns());
	if (here->tid) {
		now = now ? now : bpf_ktime_get_boot_ns();
		thread_leave(prev, preempt, now);
	}
	here->woken = 0;
	tid = next->pid;
	here->next = tid;
	if (tid)
		t = bpf_map_lookup_elem(&threads, &tid);
	if (t && t->busy) /* it ends: see profile_exit */
		t = NULL;
	here->tid = t ? tid : 0;
	if (!t)
		return 0;
	drop_count(NOTE_SWITCHES);
	here->woken = thread_come(next, t, now ? now : bpf_ktime_get_boot_ns());
	return 0;
}

/* From 6.16 on: the very end of schedule(), in the context of the thread that goes on. */
SEC("?tp_btf/sched_exit_tp")
int profile_wake(__u64 *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id(), cause, tid;
	struct task_struct *task;
	struct pt_regs registers;
	struct here_profile *here;
	struct thread *t;
	__u64 detail = 0, stack;

	if (cpu >= MAX_CPUS)
		return 0;
	here = &profile_here[cpu];
	tid = bpf_get_current_pid_tgid();
	if (!here->woken && here->next == tid)
		return 0;
	task = bpf_get_current_task_btf();
	if (here->next != tid)
		switch_untold(here, task, bpf_ktime_get_boot_ns());
	if (!here->woken)
		return 0;
	here->woken = 0;
	t = bpf_map_lookup_elem(&threads, &tid);
	if (!t || !t->wait_marks)
		return 0;
	t->busy = 1;
	barrier_var(t);
	if (!user_registers(task, &registers)) {
		/* in this order: for the verifier each cause would be a walk of its own */
		stack = stack_walk(SLOT_SWITCH, t, &registers);
		cause = waits_for(task, &registers, t->wait_state, &detail);
		wait_send(task, t, stack, cause, detail);
	} else {
		wait_send(task, t, 0, CAUSE_UNKNOWN, 0);
	}
	t->out_ns = 0;
	barrier_var(t);
	t->busy = 0;
	return 0;
}

/* What is left of its marks, and its totals. */
static __always_inline void thread_end(struct task_struct *task, struct thread *t)
{
	__u32 tid = task->pid;
	__u64 first, marks;

	/* from here on no mark may pass: clock events come in between, and since 7.0 switches as
	 * well */
	t->busy = 1;
	barrier_var(t);
	if (config.waits && !profile_outside) {
		marks = marks_pass(t, bpf_ktime_get_boot_ns(), &first);
		if (t->cpu_marks)
			first = t->cpu_first_ns;
		marks += t->cpu_marks;
		if (marks)
			marks_send(t, t->last_stack, CAUSE_UNSAMPLED, 0, first, marks);
	}
	thread_tell(EV_THREAD_END, task, t);
	bpf_map_delete_elem(&threads, &tid);
}

SEC("?tp_btf/sched_process_exit")
int BPF_PROG(profile_exit, struct task_struct *task)
{
	__u32 tid = task->pid;
	struct thread *t = bpf_map_lookup_elem(&threads, &tid);

	if (t)
		thread_end(task, t);
	return 0;
}

/* An exec by a thread that is not the first gives it the tid of the first. */
SEC("?tp_btf/sched_process_exec")
int BPF_PROG(profile_exec, struct task_struct *task, pid_t old_pid)
{
	__u32 old = old_pid, tid = task->pid;
	struct thread *t, moved;

	if (old == tid)
		return 0;
	t = bpf_map_lookup_elem(&threads, &old);
	if (!t)
		return 0;
	moved = *t;
	moved.tid = task_tid(task);
	bpf_map_update_elem(&threads, &tid, &moved, BPF_ANY);
	bpf_map_delete_elem(&threads, &old);
	return 0;
}

/* What @task does right now, as far as can be told from outside. */
static __always_inline __u32 state_now(struct task_struct *task, struct state_sample *sample)
{
	struct pt_regs registers;

	if (BPF_CORE_READ(task, on_cpu))
		return CAUSE_CPU;
	if (user_registers(task, &registers))
		return CAUSE_UNKNOWN;
	sample->pc = registers.rip;
	sample->sp = registers.rsp;
	sample->bp = registers.rbp;
	sample->bx = registers.rbx;
	sample->thread_pointer = BPF_CORE_READ(task, thread.fsbase);
	return waits_for(task, &registers, wait_state(task, false), &sample->detail);
}

/* Adopts threads that no probe has seen, and says of each what it does now. */
SEC("?iter/task")
int profile_threads(struct bpf_iter__task *ctx)
{
	struct state_sample sample = { .h = { SAMPLE_STATE, sizeof(sample) } };
	struct task_struct *task = ctx->task;
	struct target *target;
	struct thread *t;
	__u32 tid;

	if (!task || task->flags & PF_KTHREAD)
		return 0;
	target = target_of(task);
	tid = task->pid;
	t = bpf_map_lookup_elem(&threads, &tid);
	if (!target && t && config.cgroup_scope && t->tgid == (__u32)task->tgid)
		thread_end(task, t); /* its process has left the cgroup */
	if (!target || target->armed)
		return 0;
	if (!t && task->flags & PF_EXITING)
		return 0; /* profile_exit has told its end */
	if (!t) {
		t = thread_enter(task, target->start_ns, target->task, THREAD_FOUND);
		sample.adopted = 1;
	}
	if (!t)
		return 0;
	sample.cause = state_now(task, &sample);
	sample.start_ns = t->start_ns;
	sample.time_ns = bpf_ktime_get_boot_ns();
	sample.begin_ns = t->begin_ns;
	sample.next_ns = t->next_ns;
	sample.since_ns = t->out_ns;
	sample.marks = t->marks;
	sample.lost_marks = t->lost_marks;
	sample.pending_marks = t->cpu_marks;
	sample.last_stack = t->last_stack;
	sample.cpu_ns = BPF_CORE_READ(task, se.sum_exec_runtime) - t->base_cpu_ns;
	sample.run_queue_ns = BPF_CORE_READ(task, sched_info.run_delay) - t->base_run_queue_ns;
	sample.switches = BPF_CORE_READ(task, nvcsw) + BPF_CORE_READ(task, nivcsw);
	sample.tgid = t->tgid;
	sample.pid = t->pid;
	sample.tid = t->tid;
	sample.task = t->task;
	bpf_probe_read_kernel_str(sample.name, sizeof(sample.name), &task->comm);
	bpf_seq_write(ctx->meta->seq, &sample, sizeof(sample));
	return 0;
}
