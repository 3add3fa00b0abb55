/* watch.bpf.c - processes that rules ask about become tasks of their own: children at their fork,
 * programs at their exec, workers at their chdir.
 *
 *   fork, exec, chdir ──(watch_rules: whose, called how)──► a task's number ──► targets, EV_TASK
 *   write(2, …) of such a task ──► EV_LINE, for who looks for its id
 *
 * The coarse question is asked here, so that no task is missed, however short; what needs a file or
 * an expression is asked by user space, which gives back what is none (watch_release).
 */
#include <linux/ptrace.h>

#include "here.bpf.h"
#include "target.bpf.h"
#include "thread.bpf.h"

/* Numbers that no task has. Written by session, at the start and when a task is over; taken here.
 * When it is empty the process is not observed, and DROP_TASKS_FULL counts it. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, TASK_SLOTS_MAX);
	__type(value, __u32);
} task_numbers SEC(".maps");

/* slot → writes to stderr of that task that are told yet. Written here; by session, when it has
 * seen enough. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TASK_SLOTS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} task_lines SEC(".maps");

/* Number of a task that is over → 1. Written by session; read by watch_release. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TASK_SLOTS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} released SEC(".maps");

struct watch_rule watch_rules[WATCH_RULES_MAX] = {};

struct qstr___w {
	const unsigned char *name;
} __attribute__((preserve_access_index));

struct dentry___w {
	struct dentry___w *d_parent;
	struct qstr___w d_name;
} __attribute__((preserve_access_index));

struct path___w {
	struct dentry___w *dentry;
} __attribute__((preserve_access_index));

struct fs_struct___w {
	struct path___w pwd;
} __attribute__((preserve_access_index));

struct task_struct___w {
	struct fs_struct___w *fs;
} __attribute__((preserve_access_index));

struct syscall_exit {
	__u64 common;
	__u32 nr, pad;
	__s64 ret;
};

struct syscall_enter {
	__u64 common;
	__u32 nr, pad;
	__u64 args[6];
};

/* The working directory within its file system, the last name first. */
static __always_inline __u32 path_fill(struct task_event *e, struct task_struct *task)
{
	struct task_struct___w *t = (void *)task;
	struct dentry___w *dentry = BPF_CORE_READ(t, fs, pwd.dentry), *parent;
	__u32 length = 0;

	for (int i = 0; i < FILE_NAMES && dentry; i++) {
		long n;

		parent = BPF_CORE_READ(dentry, d_parent);
		if (parent == dentry || length > FILE_PATH_BYTES - FILE_NAME_BYTES)
			break;
		n = bpf_probe_read_kernel_str(e->path + length, FILE_NAME_BYTES,
					      BPF_CORE_READ(dentry, d_name.name));
		if (n <= 0)
			break;
		length += n & (2 * FILE_NAME_BYTES - 1);
		dentry = parent;
	}
	return length;
}

static __always_inline void task_tell(struct task_struct *task, __u32 number, __u32 rule,
				      bool with_path)
{
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);
	struct control *control = control_get();
	struct task_event *e = record_reserve(sizeof(*e));
	__u64 level = control ? control->observer_level : 0;

	if (!e)
		return;
	header_of_task(&e->h, EV_TASK, sizeof(*e), task, number);
	e->rule = rule;
	e->threads = BPF_CORE_READ(task, signal, nr_threads);
	e->pad = 0;
	e->parent_tgid = e->parent_pid = BPF_CORE_READ(parent, tgid);
	if (level && level <= MAX_PID_LEVEL)
		e->parent_pid = pid_number(BPF_CORE_READ(parent, group_leader, thread_pid), level);
	e->parent_start_ns = BPF_CORE_READ(parent, group_leader, start_boottime);
	bpf_probe_read_kernel_str(e->name, sizeof(e->name), &task->comm);
	BPF_CORE_READ_STR_INTO(&e->parent_name, parent, comm);
	e->bytes = with_path ? path_fill(e, task) : 0;
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
}

/* @task is one from here on. */
static __always_inline void task_begin(struct task_struct *task, __u32 rule, __u32 moment)
{
	struct target *target;
	__u32 number, slot;

	if (bpf_map_pop_elem(&task_numbers, &number)) {
		drop_count(DROP_OFFERED);
		drop_count(DROP_TASKS_FULL);
		return;
	}
	target = target_new(task, number, 0);
	if (!target) {
		bpf_map_push_elem(&task_numbers, &number, 0);
		return;
	}
	slot = task_slot(number);
	if (rule < WATCH_RULES_MAX)
		bpf_map_update_elem(&task_lines, &slot, &watch_rules[rule].lines, BPF_ANY);
	task_tell(task, number, rule, moment == WATCH_CHDIR);
	target_enter(target, task);
	if (moment != WATCH_EXEC) /* it runs what its parent does, whose tables may stand */
		mappings_inherit(BPF_CORE_READ(task, real_parent, tgid), task);
	process_tell(EV_PROCESS, task, number, ROOT_FOUND | ROOT_NAMED);
	if (config.period_ns)
		thread_enter(task, target->start_ns, number,
			     moment == WATCH_FORK ? THREAD_BORN : THREAD_EXECUTES);
}

/* The first rule that asks at this moment about a process of that name, child of one of that name;
 * WATCH_RULES_MAX: none. A name is two words. Global, and so checked once. */
__noinline __weak int rule_find(__u64 name0, __u64 name1, __u64 parent0, __u64 parent1,
				__u32 moment)
{
	for (__u32 i = 0; i < WATCH_RULES_MAX && i < config.watch_rules; i++) {
		const struct watch_rule *rule = &watch_rules[i];
		const __u64 *name = (const __u64 *)rule->name;
		const __u64 *parent = (const __u64 *)rule->parent_name;

		if (!(rule->moments & moment) ||
		    (name[0] && (name[0] != name0 || name[1] != name1)) ||
		    (parent[0] && (parent[0] != parent0 || parent[1] != parent1)))
			continue;
		return i;
	}
	return WATCH_RULES_MAX;
}

static __always_inline __u32 rule_of(struct task_struct *task, __u32 moment)
{
	__u64 name[NAME_BYTES / 8] = {}, parent[NAME_BYTES / 8] = {};

	bpf_probe_read_kernel_str(name, sizeof(name), &task->comm);
	bpf_probe_read_kernel_str(parent, sizeof(parent), &BPF_CORE_READ(task, real_parent)->comm);
	return rule_find(name[0], name[1], parent[0], parent[1], moment);
}

static __always_inline int watch(struct task_struct *task, __u32 moment)
{
	struct control *control = control_get();
	__u32 rule;

	if (target_of(task) || !control || !control->ready ||
	    control->observer_tgid == (__u64)task->tgid)
		return 0;
	rule = rule_of(task, moment);
	if (rule < WATCH_RULES_MAX)
		task_begin(task, rule, moment);
	return 0;
}

/* After lifecycle_fork: a child of a task is that task's. */
SEC("?tp_btf/sched_process_fork")
int BPF_PROG(watch_fork, struct task_struct *parent, struct task_struct *child)
{
	return parent->tgid == child->tgid ? 0 : watch(child, WATCH_FORK);
}

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(watch_exec, struct task_struct *task)
{
	return watch(task, WATCH_EXEC);
}

SEC("?tracepoint/syscalls/sys_exit_chdir")
int watch_chdir(struct syscall_exit *c)
{
	return c->ret ? 0 : watch(bpf_get_current_task_btf(), WATCH_CHDIR);
}

SEC("?tracepoint/syscalls/sys_enter_write")
int watch_write(struct syscall_enter *c)
{
	struct target *target;
	struct line_event *e;
	__u32 slot, *left;
	__u64 bytes = c->args[2];

	if (c->args[0] != 2)
		return 0;
	target = target_here();
	if (!target)
		return 0;
	slot = task_slot(target->task);
	left = bpf_map_lookup_elem(&task_lines, &slot);
	if (!left || !*left)
		return 0;
	*left -= 1; /* two threads at once: one line more is told */
	e = record_reserve(sizeof(*e));
	if (!e)
		return 0;
	header_fill(&e->h, EV_LINE, sizeof(*e));
	e->h.start_ns = target->start_ns;
	e->h.tgid = bpf_get_current_pid_tgid() >> 32;
	e->h.pid = pid_here();
	e->h.task = target->task;
	e->bytes = bytes < LINE_BYTES ? bytes : LINE_BYTES;
	e->pad = 0;
	bytes = e->bytes;
	barrier_var(bytes);
	if (bytes > LINE_BYTES || bpf_probe_read_user(e->text, bytes, (void *)c->args[1]))
		e->bytes = 0;
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/* Processes of tasks that are over, or that were none, are left alone from now on. */
SEC("?iter/task")
int watch_release(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct target *target, last;
	struct thread *t;
	__u32 tid, number;

	if (!task || task->flags & PF_KTHREAD)
		return 0;
	tid = task->pid;
	t = config.period_ns ? bpf_map_lookup_elem(&threads, &tid) : NULL;
	number = t ? t->task : 0;
	if (t && bpf_map_lookup_elem(&released, &number))
		bpf_map_delete_elem(&threads, &tid);
	target = task->pid == task->tgid ? target_of(task) : NULL;
	number = target ? target->task : 0;
	if (!target || !bpf_map_lookup_elem(&released, &number))
		return 0;
	last = *target;
	bpf_map_delete_elem(&targets, &tid);
	if (last.image)
		image_put(last.image, true);
	return 0;
}
