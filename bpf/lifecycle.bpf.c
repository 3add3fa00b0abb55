/* lifecycle.bpf.c - who belongs to a task: fork, exec, exit, OOM kill; and a scan for those who
 * were there before.
 *
 *   fork ──► targets ◄── scan (iter/task, at attach)          records: EV_PROCESS, EV_EXEC,
 * EV_EXIT, EV_OOM exec ──► images  ◄── exit
 */
#include "heap.h"
#include "target.bpf.h"
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

/* What the observer does in a cgroup that it is in itself would feed on itself. */
static __always_inline bool is_observer(__u32 tgid)
{
	struct control *control = control_get();

	return control && control->observer_tgid == tgid;
}

static __always_inline void thread_born(struct task_struct *child, struct target *target)
{
	if (config.period_ns && !target->armed)
		thread_enter(child, target->start_ns, target->task, THREAD_BORN);
}

/* A child may be born in another cgroup than its parent's (clone3). */
static __always_inline bool is_ours(struct task_struct *parent, struct task_struct *child,
				    struct target *of_parent)
{
	if (!config.cgroup_scope)
		return of_parent && config.follow_children;
	return parent->tgid != child->tgid && !is_observer(parent->tgid) && cgroup_has(child);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(lifecycle_fork, struct task_struct *parent, struct task_struct *child)
{
	struct target *of_parent = target_of(parent), *target;
	__u32 index = 0, execs = 0;

	if (of_parent && parent->tgid == child->tgid) {
		thread_born(child, of_parent);
		return 0;
	}
	if (!is_ours(parent, child, of_parent))
		return 0;
	if (of_parent) {
		index = of_parent->task;
		execs = of_parent->execs;
	}
	target = target_new(child, index, 0);
	if (!target)
		return 0;
	target->execs = execs;
	target_enter(target, child);
	process_tell(EV_PROCESS, child, index, of_parent ? 0 : ROOT_FOUND);
	if (of_parent)
		mappings_inherit(parent->tgid, child);
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
	if (target->armed && config.cgroup_id && !config.cgroup_scope)
		cgroup_memory_find(cgroup_of(task));
	target->armed = 0;
	target->execs++;
	target_enter(target, task);
	process_tell(EV_EXEC, task, target->task, 0);
	return 0;
}

static __always_inline void exit_tell(__u32 type, struct task_struct *task, __u32 index)
{
	struct exit_event *e = record_reserve(sizeof(*e));

	if (!e)
		return;
	header_of_task(&e->h, type, sizeof(*e), task, index);
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

/* The main thread ends, and its process goes on. */
static __always_inline void headless_tell(struct task_struct *task, __u32 index)
{
	struct heap_calls_event *e;

	if (task->pid != task->tgid || BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT)
		return;
	e = record_reserve(sizeof(*e));
	if (!e)
		return;
	header_of_task(&e->h, EV_HEAP_CALLS, sizeof(*e), task, index);
	e->what = CALLS_LEADER;
	e->err = 0;
	e->functions = e->stepped = e->left_out = e->throwing = 0;
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
}

/* From 6.16 on this comes before the address space is left, earlier after it: image_put copes with
 * both. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(lifecycle_exit, struct task_struct *task)
{
	struct target *target = target_of(task), last;
	__u32 tgid;

	if (!target)
		return 0;
	if (BPF_CORE_READ(task, signal, live.counter) > 0) {
		if (config.calls == CALLS_BY_EVENTS)
			headless_tell(task, target->task);
		return 0;
	}
	last = *target;
	tgid = task->tgid;
	if (bpf_map_delete_elem(&targets, &tgid)) /* two last threads at once: one of them tells */
		return 0;
	exit_tell(EV_EXIT, task, last.task);
	if (last.image)
		image_put(last.image, false);
	return 0;
}

static __always_inline void entered(struct task_struct *task)
{
	struct target *target = target_new(task, 0, 0);

	if (!target)
		return;
	target_enter(target, task);
	process_tell(EV_PROCESS, task, 0, ROOT_FOUND);
}

static __always_inline void left(struct task_struct *task, struct target *target)
{
	struct target last = *target;
	__u32 tgid = task->tgid;

	if (bpf_map_delete_elem(&targets, &tgid))
		return;
	exit_tell(EV_LEAVE, task, last.task);
	if (last.image)
		image_put(last.image, true);
}

/* After the move. On v1 single threads can be moved: where its first thread is, there a process is.
 */
SEC("?tp_btf/cgroup_attach_task")
int BPF_PROG(lifecycle_moved, struct cgroup *to, const char *path, struct task_struct *task)
{
	struct target *target;
	int is_in;

	if (task->pid != task->tgid || is_observer(task->tgid) ||
	    BPF_CORE_READ(to, root, hierarchy_id) != config.cgroup_hierarchy)
		return 0;
	is_in = cgroup_is_in((__u64)to);
	target = target_of(task);
	if (is_in)
		cgroup_memory_find((__u64)to);
	if (is_in && !target)
		entered(task);
	else if (!is_in && target)
		left(task, target);
	return 0;
}

SEC("?tp_btf/cgroup_rmdir")
int BPF_PROG(lifecycle_rmdir, struct cgroup *cgroup)
{
	struct event_header *h;

	if (BPF_CORE_READ(cgroup, kn, id) != config.cgroup_id ||
	    BPF_CORE_READ(cgroup, root, hierarchy_id) != config.cgroup_hierarchy)
		return 0;
	cgroup_watermark_see();
	cgroup_memory = 0;
	h = record_reserve(sizeof(*h));
	if (!h)
		return 0;
	header_fill(h, EV_CGROUP_END, sizeof(*h));
	h->start_ns = 0;
	h->tgid = h->pid = h->task = 0;
	bpf_ringbuf_submit(h, BPF_RB_FORCE_WAKEUP);
	return 0;
}

static __always_inline void oom_tell(__u32 tgid, const struct target *target)
{
	struct mem_cgroup *memory = (struct mem_cgroup *)cgroup_memory;
	struct task_struct *asker = (struct task_struct *)bpf_get_current_task();
	struct control *control = control_get();
	__u64 mm = target->image;
	struct image *image = bpf_map_lookup_elem(&images, &mm);
	struct oom_event *e = record_reserve(sizeof(*e));

	if (!e)
		return;
	header_fill(&e->h, EV_OOM, sizeof(*e));
	e->h.start_ns = target->start_ns;
	e->h.tgid = tgid;
	e->h.pid = image ? image->pid : 0;
	e->h.task = target->task;
	e->rss_bytes = image ? bytes_of(image_pages(image)) : 0;
	e->cgroup_bytes = bytes_of(cgroup_usage());
	e->cgroup_limit_bytes = memory ? bytes_of(BPF_CORE_READ(memory, memory.max)) : 0;
	e->asker_tgid = e->asker_pid = bpf_get_current_pid_tgid() >> 32;
	if (control && control->observer_level && control->observer_level <= MAX_PID_LEVEL)
		e->asker_pid = pid_number(BPF_CORE_READ(asker, group_leader, thread_pid),
					  control->observer_level);
	bpf_get_current_comm(e->asker_name, sizeof(e->asker_name));
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
}

/* The argument is a pid before 6.9, a task_struct since. In the context of who asked for memory. */
SEC("raw_tp/mark_victim")
int lifecycle_oom(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 victim = ctx->args[0];
	__u32 tgid = victim >> 32 ? BPF_CORE_READ((struct task_struct *)victim, tgid) : victim;
	struct target *target = bpf_map_lookup_elem(&targets, &tgid);

	if (target)
		oom_tell(tgid, target);
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
	control->observer_tgid = BPF_CORE_READ(observer, tgid);
	if (rss_is_percpu()) {
		cpu_offsets_fill();
		control->rss_percpu = 1;
	}
	control->ready = 1;
}

/*
 * Adopts the named processes and, pass after pass until none is new, the children of those that are
 * targets; of a cgroup, who is in it. The fork probe stands before the first pass: a child that is
 * linked behind the scan has a parent that the probe knows.
 */
SEC("iter/task")
int lifecycle_adopt(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task, *parent;
	struct control *control = control_get();
	struct target *target, *of_parent;
	__u32 armed = 0, root, number = 0;

	if (!task || !control)
		return 0;
	if (!control->ready)
		control_fill(control);
	if (task->pid != task->tgid || task->flags & PF_KTHREAD)
		return 0;
	parent = BPF_CORE_READ(task, real_parent);
	if (config.cgroup_scope) {
		root = 0;
		if (is_observer(task->tgid) || is_observer(BPF_CORE_READ(parent, tgid)) ||
		    task->flags & PF_EXITING || !cgroup_has(task))
			return 0;
	} else {
		root = root_find(task, control, &armed);
		of_parent = target_find(BPF_CORE_READ(parent, tgid),
					BPF_CORE_READ(parent, group_leader, start_boottime));
		if (!root && (!of_parent || !config.follow_children))
			return 0;
		if (of_parent && config.tasks > 1)
			number = of_parent->task;
	}
	target = target_new(task, number, armed);
	if (!target)
		return 0;
	if (!armed)
		target_enter(target, task);
	process_tell(EV_PROCESS, task, number, ROOT_FOUND | (root ? ROOT_NAMED : 0));
	control->adopted++;
	return 0;
}
