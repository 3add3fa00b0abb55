/* memory.bpf.c - RSS of a task: every change as it happens, and every process as it is at a tick.
 *
 *   rss_stat ──► image mirror ──► task_state (sum, peak, interval peak)      read by the tick, and
 * when the run ends iter/task ──► task_sample, process_sample, thread_sample                once a
 * tick
 */
#include "image.bpf.h"

#define MM_SWAPENTS 2

/* ≤ 6.1: the counter's new value is handed over. */
static __always_inline s64 mirror_atomic(struct image *image, __u32 member, s64 count)
{
	s64 delta = count - image->count[member];

	image->count[member] = count;
	return delta;
}

/*
 * From 6.2 on. This CPU's part rose and is not 0: nothing has folded, the difference is the change.
 * Else the shared count is read too; a fold by another CPU that has not told yet is then ours, and
 * that CPU's difference is the smaller.
 */
static __always_inline s64 mirror_percpu(struct image *image, __u64 mm, __u32 member, __u32 cpu)
{
	s32 *mirror = &image->cpu[cpu].local[member];
	s32 local = rss_local(image->counters[member], cpu);
	s64 delta = local - *mirror;

	*mirror = local;
	if (delta <= 0 || !local) {
		s64 count = rss_count(mm, member);

		delta += count - image->count[member];
		image->count[member] = count;
	}
	return delta;
}

SEC("tp_btf/rss_stat")
int memory_rss_stat(__u64 *ctx)
{
	__u64 mm = ctx[0];
	__u32 member = ctx[1], cpu = bpf_get_smp_processor_id();
	struct image *image = bpf_map_lookup_elem(&images, &mm);
	struct task_state *state;
	s64 delta;

	if (!image || !image->ready || member >= RSS_MEMBERS || member == MM_SWAPENTS ||
	    cpu >= config.nr_cpus || cpu >= MAX_CPUS)
		return 0;
	if (rss_is_percpu())
		delta = mirror_percpu(image, mm, member, cpu);
	else
		delta = mirror_atomic(image, member, ctx[2]);
	if (delta > 0) { /* the common case: one page more, and no peak since */
		__u32 index = image->task;

		state = bpf_map_lookup_elem(&tasks, &index);
		if (state && image->epoch == state->epoch) {
			state->cpu[cpu].pages += delta;
			return 0;
		}
	}
	image_changed(image, image_pages(image) - delta, delta);
	if (image->dying && image_pages(image) <= 0)
		image_end(mm, image);
	return 0;
}

static __always_inline void sample_task(struct seq_file *seq)
{
	struct task_sample sample = { .h = { SAMPLE_TASK, sizeof(sample) } };
	struct task_state *state;
	__u32 index = 0;
	s64 pages;

	state = bpf_map_lookup_elem(&tasks, &index);
	if (!state)
		return;
	pages = task_pages(state);
	sample.time_ns = bpf_ktime_get_boot_ns();
	sample.rss_bytes = bytes_of(pages);
	sample.interval_peak_bytes = bytes_of(state->interval_peak_pages);
	sample.interval_peak_ns = state->interval_peak_ns;
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

static __always_inline void sample_process(struct seq_file *seq, struct task_struct *leader,
					   __u64 mm)
{
	struct process_sample sample = { .h = { SAMPLE_PROCESS, sizeof(sample) } };

	sample.start_ns = leader->start_boottime;
	sample.image = mm;
	if (mm) {
		sample.file_bytes = bytes_of(rss_exact(mm, 0));
		sample.anon_bytes = bytes_of(rss_exact(mm, 1));
		sample.swap_bytes = bytes_of(rss_exact(mm, 2));
		sample.shmem_bytes = bytes_of(rss_exact(mm, 3));
	}
	sample.minor_faults = BPF_CORE_READ(leader, signal, min_flt) + leader->min_flt;
	sample.major_faults = BPF_CORE_READ(leader, signal, maj_flt) + leader->maj_flt;
	sample.tgid = leader->tgid;
	sample.pid = task_pid(leader);
	sample.threads = BPF_CORE_READ(leader, signal, nr_threads);
	bpf_probe_read_kernel_str(sample.name, sizeof(sample.name), &leader->comm);
	bpf_seq_write(seq, &sample, sizeof(sample));
}

static __always_inline void sample_thread(struct seq_file *seq, struct task_struct *task)
{
	struct thread_sample sample = { .h = { SAMPLE_THREAD, sizeof(sample) } };

	sample.minor_faults = task->min_flt;
	sample.major_faults = task->maj_flt;
	sample.tgid = task->tgid;
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
	struct task_struct *task = ctx->task, *leader;
	struct seq_file *seq = ctx->meta->seq;
	struct target *target;
	__u64 mm;

	if (!ctx->meta->seq_num)
		sample_task(seq);
	if (!task || task->flags & PF_KTHREAD)
		return 0;
	mm = (__u64)task->mm;
	target = target_of(task);
	if (!target) {
		if (task == task->group_leader)
			stranger_check(mm);
		return 0;
	}
	if (target->armed)
		return 0;
	leader = task->group_leader;
	if (task != leader) {
		sample_thread(seq, task);
		/* the first thread may have ended before the others: they still hold the address
		 * space */
		mm = (__u64)BPF_CORE_READ(leader, mm);
		if (mm || !task->mm)
			return 0;
		mm = (__u64)task->mm;
	} else if (!mm && BPF_CORE_READ(leader, signal, live.counter) > 0) {
		return 0; /* told by one of its threads, above */
	}
	target_reconcile(target, task, mm);
	sample_process(seq, leader, mm);
	return 0;
}
