/* memory.bpf.c - RSS of a task: every change as it happens, and every process as it is at a tick.
 *
 *   rss_stat ──► image mirror ──► task_state (sum, peaks)      read by the tick, and at the end
 *   iter/task ──► task_sample, process_samples, thread_samples                    once a tick
 */
#include "resident.bpf.h"

#define MM_SWAPENTS 2

/* A bound that the verifier believes: the compiler cannot see through it and take the value from
 * before. @mask: 2^n - 1. */
static __always_inline __u64 at_most(__u64 value, __u64 mask)
{
	value &= mask;
	asm volatile("" : "+r"(value));
	return value & mask;
}

/* Declared in this object only: the linker of libbpf 1.1 stumbles over a kfunc that two objects
 * declare. */
extern void *bpf_rdonly_cast(const void *object, __u32 btf_id) __ksym __weak;

/* A load that may fault where bpf_probe_read_kernel() costs 70 ns more. The kfunc came with 6.2, as
 * did the counters that need it. */
static __always_inline s32 local_load(__u64 at)
{
	/* any kernel struct that begins with an int */
	return ((struct upid *)bpf_rdonly_cast((void *)at, bpf_core_type_id_kernel(struct upid)))
	    ->nr;
}

/* The common case: one page more, of the image that was here already, and no new peak since. By how
 * much it grew; 0: it was another case. */
static __always_inline s32 grew_here(struct here *h, __u32 cpu, __u32 member)
{
	struct task_state *state = task_state_of(h->task);
	s32 local;

	if (!state || h->epoch != state->epoch)
		return 0;
	local = local_load(h->at[member]);
	if (!local || local <= h->local[member])
		return 0;
	local -= h->local[member];
	__sync_fetch_and_add(&state->cpu[cpu].pages, local);
	h->local[member] += local;
	return local;
}

static __always_inline void here_enter(struct here *h, struct image *image, __u32 cpu)
{
	if (h->mm != image->mm) {
		here_leave(h, cpu);
		__builtin_memcpy(h->local, image->cpu[cpu].local, sizeof(h->local));
		for (int m = 0; m < RSS_MEMBERS; m++)
			h->at[m] = image->counters[m] + cpu_offsets[cpu];
		h->task = image->task;
		h->mm = image->mm;
	}
	h->epoch = image->epoch;
}

/* Two CPUs that both take the same step of a counter for theirs would count it twice for good: the
 * step belongs to who exchanges. @atomic: a constant; without, on kernels that cannot, a race may
 * leave the sum of the task wrong. */
static __always_inline s64 exchange(__s64 *at, s64 value, bool atomic)
{
	s64 old;

	if (atomic)
		return __sync_lock_test_and_set(at, value);
	old = *at;
	*at = value;
	return old;
}

/* By how much the shared count has changed since it was mirrored last. Read again until it stands:
 * else an older value could stay as the last word of two CPUs. */
static __always_inline s64 mirror_count(struct image *image, __u32 member, bool atomic)
{
	s64 delta = 0;

	for (int i = 0; i < 3; i++) {
		s64 count = rss_count(image->mm, member);

		delta += count - exchange(&image->count[member], count, atomic);
		if (rss_count(image->mm, member) == count)
			break;
	}
	return delta;
}

/* What grew_here() leaves: a fold, a fall, another image, a new epoch. A fold by another CPU that
 * has not told yet is then ours, and that CPU's change is the smaller. */
static __always_inline s64 mirror_percpu(struct here *h, struct image *image, __u32 cpu,
					 __u32 member)
{
	s64 delta;
	s32 local;

	here_enter(h, image, cpu);
	local = local_load(h->at[member]);
	delta = local - h->local[member];
	h->local[member] = local;
	return delta + mirror_count(image, member, true);
}

/* By how much RSS of the image has changed; 0 as well where it is none of ours. */
static __always_inline s64 image_update(struct here *h, __u32 cpu, __u64 mm, __u32 member,
					bool atomic, __u32 *ret_task)
{
	struct image *image = bpf_map_lookup_elem(&images, &mm);
	s64 delta;

	if (!image || !image->ready)
		return 0;
	*ret_task = image->task;
	if (atomic && rss_is_percpu())
		delta = mirror_percpu(h, image, cpu, member);
	else
		delta = mirror_count(image, member, atomic);
	image_changed(image, image_pages(image) - delta, delta);
	h->epoch = image->epoch;
	if (image->dying && image_pages(image) <= 0)
		image_end(mm, image);
	return delta;
}

static __always_inline int rss_changed(__u64 mm, __u32 member, bool atomic)
{
	__u32 cpu = bpf_get_smp_processor_id(), task = 0;
	struct here *h;
	s64 delta = 0;

	if (member == MM_SWAPENTS || cpu >= config.nr_cpus || cpu >= MAX_CPUS)
		return 0;
	h = &here[cpu];
	if (atomic && rss_is_percpu() && h->mm == mm) {
		delta = grew_here(h, cpu, member);
		task = h->task;
	}
	if (!delta)
		delta = image_update(h, cpu, mm, member, atomic, &task);
	if (atomic && rss_is_percpu() && config.resident && delta > 0)
		resident_born(mm, member, delta, task);
	return 0;
}

SEC("tp_btf/rss_stat")
int memory_rss_stat(__u64 *ctx)
{
	return rss_changed(ctx[0], at_most(ctx[1], RSS_MEMBERS - 1), true);
}

/* Before 5.12 a program with an atomic exchange in it is refused, even where it is never reached.
 */
SEC("?tp_btf/rss_stat")
int memory_rss_stat_old(__u64 *ctx)
{
	return rss_changed(ctx[0], at_most(ctx[1], RSS_MEMBERS - 1), false);
}

/* Where user space reads it: an image on its own is whole only after this. */
static __always_inline void images_settle(void)
{
	for_each_cpu (i) {
		__u64 mm = here[i].mm;
		struct image *image = mm ? bpf_map_lookup_elem(&images, &mm) : NULL;

		if (image)
			__builtin_memcpy(image->cpu[i].local, here[i].local, sizeof(here[i].local));
	}
}

/* Once a pass. */
static __always_inline void sample_task(struct seq_file *seq, __u32 number, __u64 pass)
{
	struct task_sample sample = { .h = { SAMPLE_TASK, sizeof(sample) } };
	struct task_state *state = task_state_of(number);
	s64 pages;

	if (!state || state->pass == pass)
		return;
	state->pass = pass;
	pages = task_pages(state);
	sample.task = number;
	sample.time_ns = bpf_ktime_get_boot_ns();
	sample.rss_bytes = bytes_of(pages);
	sample.interval_peak_bytes = bytes_of(state->interval_peak_pages);
	sample.interval_peak_ns = state->interval_peak_ns;
	if (cgroup_memory) {
		cgroup_usage_see(state);
		cgroup_watermark_see();
		sample.usage_bytes = bytes_of(cgroup_usage());
	}
	sample.usage_peak_bytes = bytes_of(state->usage_peak_pages);
	sample.usage_peak_ns = state->usage_peak_ns;
	sample.watermark_bytes = bytes_of(cgroup_watermark);
	if (pages != state->tick_pages) {
		state->tick_pages = pages;
		state->tick_ns = sample.time_ns;
	}
	state->interval_peak_pages = pages;
	state->interval_peak_ns = sample.time_ns;
	bpf_seq_write(seq, &sample, sizeof(sample));
}

/* The tick is also the reconciler: a process whose exec was missed enters its new address space
 * here. */
static __always_inline void target_reconcile(struct target *target, struct task_struct *task,
					     __u64 mm)
{
	if (!mm || mm == target->image)
		return;
	drop_count(NOTE_HEALED_IMAGES);
	if (target->image)
		image_put(target->image, true);
	target->image = 0;
	if (!image_get(mm, task, target->task))
		target->image = mm;
}

static __always_inline void sample_process(struct seq_file *seq, struct task_struct *task, __u64 mm,
					   __u32 index)
{
	struct process_sample sample = { .h = { SAMPLE_PROCESS, sizeof(sample) } };

	sample.start_ns = task_start_ns(task);
	sample.task = index;
	sample.image = mm;
	if (mm) {
		sample.exec_pages = BPF_CORE_READ((struct mm_struct *)mm, exec_vm);
		sample.file_bytes = bytes_of(rss_exact(mm, 0));
		sample.anon_bytes = bytes_of(rss_exact(mm, 1));
		sample.swap_bytes = bytes_of(rss_exact(mm, 2));
		sample.shmem_bytes = bytes_of(rss_exact(mm, 3));
	}
	sample.minor_faults =
	    BPF_CORE_READ(task, signal, min_flt) + BPF_CORE_READ(task, group_leader, min_flt);
	sample.major_faults =
	    BPF_CORE_READ(task, signal, maj_flt) + BPF_CORE_READ(task, group_leader, maj_flt);
	sample.tgid = task->tgid;
	sample.pid = task_pid(task);
	sample.threads = BPF_CORE_READ(task, signal, nr_threads);
	BPF_CORE_READ_STR_INTO(&sample.name, task, group_leader, comm);
	bpf_seq_write(seq, &sample, sizeof(sample));
}

static __always_inline void sample_thread(struct seq_file *seq, struct task_struct *task,
					  __u32 index)
{
	struct thread_sample sample = { .h = { SAMPLE_THREAD, sizeof(sample) } };

	sample.minor_faults = task->min_flt;
	sample.major_faults = task->maj_flt;
	sample.tgid = task->tgid;
	sample.task = index;
	bpf_seq_write(seq, &sample, sizeof(sample));
}

/* A stranger in an address space of ours: it was missed when that ended. */
static __always_inline void stranger_check(__u64 mm)
{
	struct image *image = mm ? bpf_map_lookup_elem(&images, &mm) : NULL;

	if (!image || !image->dying)
		return;
	drop_count(NOTE_STALE_IMAGES);
	image_end(mm, image);
}

SEC("iter/task")
int memory_sample(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = ctx->meta->seq;
	struct control *control = control_get();
	struct target *target;
	__u64 mm;

	if (!control)
		return 0;
	if (!ctx->meta->seq_num) {
		control->pass++;
		images_settle();
		if (config.tasks == 1) /* also when no process of it is left */
			sample_task(seq, 0, control->pass);
	}
	if (!task || task->flags & PF_KTHREAD)
		return 0;
	target = target_of(task);
	if (!target) {
		if (task->pid == task->tgid)
			stranger_check((__u64)BPF_CORE_READ(task, mm));
		return 0;
	}
	if (target->armed)
		return 0;
	if (config.tasks > 1)
		sample_task(seq, target->task, control->pass);
	mm = (__u64)BPF_CORE_READ(task, mm);
	if (task->pid != task->tgid) {
		sample_thread(seq, task, target->task);
		/* the first thread may have ended before the others: they still hold the address
		 * space */
		if (!mm || BPF_CORE_READ(task, group_leader, mm))
			return 0;
	} else if (!mm && BPF_CORE_READ(task, signal, live.counter) > 0) {
		return 0; /* told by one of its threads, above */
	}
	target_reconcile(target, task, mm);
	sample_process(seq, task, mm, target->task);
	return 0;
}
