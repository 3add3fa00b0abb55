/* lifecycle.bpf.c - who belongs to a task: fork, exec, exit, OOM kill; and a scan for those who
 * were there before.
 *
 *   fork ──► targets ◄── scan (iter/task, at attach)          records: EV_PROCESS, EV_EXEC,
 * EV_EXIT, EV_OOM exec ──► images  ◄── exit
 */
#include "image.bpf.h"
#include "thread.bpf.h"
#include "unwind_process.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* index → process that the user named. Written by session before the scan; read by the scan. 64. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_ROOTS);
	__type(key, __u32);
	__type(value, struct root);
} roots SEC(".maps");

static __always_inline void process_tell(__u32 type, struct task_struct *task, __u32 index,
					 __u32 root)
{
	struct process_event *e = record_reserve(sizeof(*e));

	if (!e)
		return;
	header_of_task(&e->h, type, sizeof(*e), task, index);
	e->parent_tgid = BPF_CORE_READ(task, real_parent, tgid);
	e->root = root;
	bpf_probe_read_kernel_str(e->name, sizeof(e->name), &task->comm);
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

static __always_inline void thread_born(struct task_struct *child, struct target *target)
{
	if (config.period_ns && !target->armed)
		thread_enter(child, target->start_ns, target->task, THREAD_BORN);
}

/* The child runs in a copy of its parent's address space. */
static __always_inline void mappings_inherit(struct task_struct *parent, struct task_struct *child)
{
	__u32 from = parent->tgid, to = child->tgid;
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

SEC("tp_btf/sched_process_fork")
int BPF_PROG(lifecycle_fork, struct task_struct *parent, struct task_struct *child)
{
	struct target *of_parent = target_of(parent), *target;
	__u32 index, execs;

	if (!of_parent)
		return 0;
	index = of_parent->task;
	if (parent->tgid == child->tgid) {
		thread_born(child, of_parent);
		return 0;
	}
	if (!config.follow_children)
		return 0;
	execs = of_parent->execs;
	target = target_new(child, index, 0);
	if (!target)
		return 0;
	target->execs = execs;
	target_enter(target, child);
	process_tell(EV_PROCESS, child, index, 0);
	mappings_inherit(parent, child);
	thread_born(child, target);
	return 0;
}

/* Also after an exec by a thread that was not the first: the kernel has given it the tgid and the
 * start of the first. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(lifecycle_exec, struct task_struct *task)
{
	struct target *target = target_of(task);

	if (!target)
		return 0;
	if (target->image)
		image_put(target->image, true);
	target->image = 0;
	if (target->armed && config.period_ns) /* a command starts here: so does its first thread */
		thread_enter(task, target->start_ns, target->task, THREAD_EXECUTES);
	target->armed = 0;
	target->execs++;
	target_enter(target, task);
	process_tell(EV_EXEC, task, target->task, 0);
	return 0;
}

static __always_inline void exit_tell(struct task_struct *task, __u32 index)
{
	struct exit_event *e = record_reserve(sizeof(*e));

	if (!e)
		return;
	header_of_task(&e->h, EV_EXIT, sizeof(*e), task, index);
	e->minor_faults = BPF_CORE_READ(task, signal, min_flt) + task->min_flt;
	e->major_faults = BPF_CORE_READ(task, signal, maj_flt) + task->maj_flt;
	if (task->pid != task->tgid) { /* a zombie that waits for us: not yet added to signal */
		e->minor_faults += BPF_CORE_READ(task, group_leader, min_flt);
		e->major_faults += BPF_CORE_READ(task, group_leader, maj_flt);
	}
	e->exit_code = task_exit_code(task);
	e->pad = 0;
	record_submit(e);
}

/* From 6.16 on this comes before the address space is left, earlier after it: image_put copes with
 * both. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(lifecycle_exit, struct task_struct *task)
{
	struct target *target = target_of(task), last;
	__u32 tgid;

	if (!target || BPF_CORE_READ(task, signal, live.counter) > 0)
		return 0;
	last = *target;
	tgid = task->tgid;
	if (bpf_map_delete_elem(&targets, &tgid)) /* two last threads at once: one of them tells */
		return 0;
	exit_tell(task, last.task);
	if (last.image)
		image_put(last.image, false);
	return 0;
}

/* The argument is a pid before 6.9, a task_struct since. */
SEC("raw_tp/mark_victim")
int lifecycle_oom(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 victim = ctx->args[0];
	__u32 tgid = victim >> 32 ? BPF_CORE_READ((struct task_struct *)victim, tgid) : victim;
	struct target *target = bpf_map_lookup_elem(&targets, &tgid);
	struct event_header *h;

	if (!target)
		return 0;
	h = record_reserve(sizeof(*h));
	if (!h)
		return 0;
	header_fill(h, EV_OOM, sizeof(*h));
	h->start_ns = target->start_ns;
	h->tgid = tgid;
	h->pid = 0;
	h->task = target->task;
	record_submit(h);
	return 0;
}

/* The user's processes are named as the observer sees them: by their pid in its namespace. */
static __always_inline bool root_find(struct task_struct *task, struct control *control,
				      __u32 *ret_armed)
{
	__u32 pid = task_pid_at(task, control->observer_level);

	for (__u32 i = 0; i < MAX_ROOTS; i++) {
		__u32 at = i;
		struct root *root = bpf_map_lookup_elem(&roots, &at);

		if (!root || !root->pid)
			break;
		if (root->pid == pid) {
			control->roots_seen |= 1ULL << i;
			*ret_armed = root->armed;
			return true;
		}
	}
	return false;
}

/* Where a pointer is turned into a number: the verifier forbids arithmetic on the pointer itself.
 */
static volatile __u64 as_number;

static __always_inline void cpu_offsets_fill(void)
{
	__u64 percpu = 0;
	__u32 zero = 0;

	as_number = (__u64)&drops;
	bpf_probe_read_kernel(&percpu, sizeof(percpu),
			      (void *)(as_number + bpf_core_field_offset(struct bpf_array, pptrs)));
	for_each_cpu (i) {
		as_number = (__u64)bpf_map_lookup_percpu_elem(&drops, &zero, i);
		if (as_number)
			cpu_offsets[i] = as_number - percpu;
	}
}

/* Once, in the observer's own context. */
static __always_inline void control_fill(struct control *control)
{
	struct task_struct *observer = (struct task_struct *)bpf_get_current_task();

	control->observer_level = BPF_CORE_READ(observer, group_leader, thread_pid, level);
	if (rss_is_percpu()) {
		cpu_offsets_fill();
		control->rss_percpu = 1;
	}
	control->ready = 1;
}

/*
 * Adopts the named processes and, pass after pass until none is new, the children of those that are
 * targets. The fork probe stands before the first pass: a child that is linked behind the scan has
 * a parent that the probe knows.
 */
SEC("iter/task")
int lifecycle_adopt(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task, *parent;
	struct control *control = control_get();
	struct target *target, *of_parent;
	__u32 armed = 0, root;

	if (!task || !control)
		return 0;
	if (!control->ready)
		control_fill(control);
	if (task->pid != task->tgid || task->flags & PF_KTHREAD)
		return 0;
	root = root_find(task, control, &armed);
	parent = BPF_CORE_READ(task, real_parent);
	of_parent = target_find(BPF_CORE_READ(parent, tgid),
				BPF_CORE_READ(parent, group_leader, start_boottime));
	if (!root && (!of_parent || !config.follow_children))
		return 0;
	target = target_new(task, 0, armed);
	if (!target)
		return 0;
	if (!armed)
		target_enter(target, task);
	process_tell(EV_PROCESS, task, 0, ROOT_FOUND | (root ? ROOT_NAMED : 0));
	control->adopted++;
	return 0;
}
