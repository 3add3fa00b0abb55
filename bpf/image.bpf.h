/* image.bpf.h - address spaces of a task: mirror of the kernel's RSS counters, exact sums and
 * peaks.
 *
 * mm->rss_stat is, from 6.2 on, one percpu_counter per kind of page: a shared count and a part per
 * CPU that folds into it when it reaches the batch (32 or more). The probe sees every single
 * change, but not by how much. Adding up all CPUs at each page would cost 45 ns a CPU; so we keep
 * what was seen last, per CPU: the difference to this CPU's part is the change, and only a fold
 * (part back at 0) or a fall looks at the shared count. All values mirrored are absolute: whatever
 * a race or a missed probe leaves wrong is put right by the next change on that CPU.
 *
 * Up to 6.1 the tracepoint hands over the counter's value itself, once per 64 changes of a thread.
 *
 * Peaks are taken where RSS falls: the value before a fall is the only one that can be a new peak.
 * What every address space held at the task's peak is found lazily: a new peak only raises the
 * task's epoch; an address space that changes afterwards first notes what it held (share_pages),
 * and one that does not change still holds it.
 */
#ifndef TASKDIAG_IMAGE_BPF_H
#define TASKDIAG_IMAGE_BPF_H

#include "cgroup.bpf.h"

/* ≤ 6.1 */
struct mm_rss_stat___atomic {
	struct {
		s64 counter;
	} count[RSS_MEMBERS];
} __attribute__((preserve_access_index));

struct mm_struct___atomic {
	struct mm_rss_stat___atomic rss_stat;
} __attribute__((preserve_access_index));

/* Address of each CPU's area minus the per-CPU pointer it belongs to, from our own per-CPU map:
 * kernels whose BTF lacks per-CPU symbols have no other way. Filled by the first scan, before any
 * image. */
__u64 cpu_offsets[MAX_CPUS] __weak = {};

/* mm_struct → image. Written and read by lifecycle and memory; read by session at the end. 16,384
 * address spaces; when full, DROP_IMAGES_FULL counts it and the process is seen at ticks only. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_IMAGES);
	__uint(key_size, sizeof(__u64));
	__uint(value_size, sizeof(struct image));
} images __weak SEC(".maps");

/* 0 → an image of zeros, too large for the BPF stack. Never written. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct image));
} image_zero __weak SEC(".maps");

/* slot of a task → task_state. Written by memory; read by session. As many as config.tasks. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct task_state));
} tasks __weak SEC(".maps");

struct here here[MAX_CPUS] __weak = {};

/* NULL: that task is over, and its slot may be another's. */
static __always_inline struct task_state *task_state_of(__u32 number)
{
	__u32 slot = task_slot(number);
	struct task_state *state = bpf_map_lookup_elem(&tasks, &slot);

	return state && state->number == number ? state : NULL;
}

#define for_each_cpu(i) for (__u32 i = 0; i < config.nr_cpus && i < MAX_CPUS; i++)

/* Asked of a type that every kernel has: for one that is in none libbpf would search the modules'
 * types, and that needs CAP_SYS_ADMIN. */
static __always_inline bool rss_is_percpu(void)
{
	return bpf_core_field_exists(((struct mm_struct *)0)->rss_stat[0].count);
}

/* Address of the counter of one kind of page within an mm_struct. */
static __noinline __u64 rss_counter(__u64 mm, __u32 member)
{
	if (!rss_is_percpu())
		return mm +
		       core_constant(bpf_core_field_offset(struct mm_struct___atomic, rss_stat)) +
		       member * sizeof(s64);
	return mm + core_constant(bpf_core_field_offset(struct mm_struct, rss_stat)) +
	       member * bpf_core_type_size(struct percpu_counter);
}

static __always_inline s64 rss_count(__u64 mm, __u32 member)
{
	__u64 at = rss_counter(mm, member);
	s64 count = 0;

	if (rss_is_percpu())
		at += bpf_core_field_offset(struct percpu_counter, count);
	bpf_probe_read_kernel(&count, sizeof(count), (void *)at);
	return count;
}

static __always_inline s32 rss_local(__u64 counters, __u32 cpu)
{
	s32 local = 0;

	bpf_probe_read_kernel(&local, sizeof(local),
			      (void *)(counters + cpu_offsets[cpu & (MAX_CPUS - 1)]));
	return local;
}

static __always_inline __u64 rss_counters(__u64 mm, __u32 member)
{
	__u64 counters = 0;

	if (rss_is_percpu())
		bpf_probe_read_kernel(
		    &counters, sizeof(counters),
		    (void *)(rss_counter(mm, member) +
			     bpf_core_field_offset(struct percpu_counter, counters)));
	return counters;
}

/* Exact value of one kind of page, from the kernel itself. */
static __always_inline s64 rss_exact(__u64 mm, __u32 member)
{
	s64 pages = rss_count(mm, member);

	if (rss_is_percpu()) {
		__u64 counters = rss_counters(mm, member);

		for_each_cpu (i)
			pages += rss_local(counters, i);
	}
	return pages < 0 ? 0 : pages; /* a fold between two reads */
}

static __always_inline s64 image_pages(struct image *image)
{
	s64 pages = image->count[0] + image->count[1] + image->count[3];

	if (!rss_is_percpu())
		return pages;
	for_each_cpu (i) {
		__s32 *local = here[i].mm == image->mm ? here[i].local : image->cpu[i].local;

		pages += local[0] + local[1] + local[3];
	}
	return pages;
}

/* Another image comes to this CPU: what is here goes back to where it came from. */
static __always_inline void here_leave(struct here *h, __u32 cpu)
{
	__u64 mm = h->mm;
	struct image *image = mm ? bpf_map_lookup_elem(&images, &mm) : NULL;

	if (image && cpu < config.nr_cpus && cpu < MAX_CPUS)
		__builtin_memcpy(image->cpu[cpu].local, h->local, sizeof(h->local));
	h->mm = 0;
}

static __always_inline s64 task_pages(struct task_state *state)
{
	s64 pages = 0;

	for_each_cpu (i)
		pages += state->cpu[i].pages;
	return pages;
}

/* What falls is uncharged after it is told: usage is still what it was. */
static __always_inline void cgroup_usage_see(struct task_state *state)
{
	__u64 pages = cgroup_usage();

	if (pages <= state->usage_peak_pages)
		return;
	state->usage_peak_pages = pages;
	state->usage_peak_ns = bpf_ktime_get_boot_ns();
}

static __always_inline __u64 bytes_of(s64 pages)
{
	return pages > 0 ? (__u64)pages << page_shift : 0;
}

/*
 * RSS of @image has changed by @delta, from @before pages; the mirror is already the new one. Two
 * falls on two CPUs at the very same time may raise the epoch by one instead of two: both peaks are
 * then the same to within these two falls.
 */
static __always_inline void image_changed(struct image *image, s64 before, s64 delta)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct task_state *state = task_state_of(image->task);
	s64 task_before;
	__u64 now;

	if (!state || cpu >= config.nr_cpus || cpu >= MAX_CPUS)
		return;
	/* atomic: at a scan we can be preempted by a change on this CPU */
	__sync_fetch_and_add(&state->cpu[cpu].pages, delta);
	if (image->epoch != state->epoch) {
		image->share_pages = before;
		image->epoch = state->epoch;
	}
	if (delta >= 0)
		return;
	if (cgroup_memory)
		cgroup_usage_see(state);
	task_before = task_pages(state) - delta;
	if (before <= image->peak_pages && task_before <= state->interval_peak_pages &&
	    task_before <= state->peak_pages)
		return;
	now = bpf_ktime_get_boot_ns();
	if (before > image->peak_pages) {
		image->peak_pages = before;
		image->peak_ns = now;
	}
	if (task_before > state->interval_peak_pages) {
		state->interval_peak_pages = task_before;
		state->interval_peak_ns = now;
	}
	if (task_before > state->peak_pages) {
		state->peak_pages = task_before;
		/* when it was reached, as far as a tick has seen it, not when it was left */
		state->peak_ns = task_before == state->tick_pages ? state->tick_ns : now;
		state->epoch++;
		image->share_pages = before;
		image->epoch = state->epoch;
	}
}

/* The address space is gone: tells user space what it came to. */
static __always_inline void image_end(__u64 mm, struct image *image)
{
	s64 left = image_pages(image);
	struct image_event *e;

	if (left)
		image_changed(image, left, -left);
	e = record_reserve(sizeof(*e));
	if (e) {
		header_fill(&e->h, EV_IMAGE_END, sizeof(*e));
		e->h.start_ns = image->start_ns;
		e->h.tgid = image->tgid;
		e->h.pid = image->pid;
		e->h.task = image->task;
		e->peak_bytes = bytes_of(image->peak_pages);
		e->peak_ns = image->peak_ns;
		e->epoch = image->epoch;
		e->share_bytes = bytes_of(image->share_pages);
		e->image = mm;
		record_submit(e);
	}
	for_each_cpu (i)
		if (here[i].mm == mm)
			here[i].mm = 0;
	bpf_map_delete_elem(&images, &mm);
}

/* A process leaves its address space. @torn: by exec, where the kernel has already emptied it. */
static __always_inline void image_put(__u64 mm, bool torn)
{
	struct image *image = bpf_map_lookup_elem(&images, &mm);

	if (!image)
		return;
	__sync_fetch_and_add(&image->users, -1);
	if (image->users > 0)
		return;
	image->dying = 1;
	if (torn || image_pages(image) <= 0)
		image_end(mm, image);
}

static __always_inline void image_fill(__u64 mm, struct image *image)
{
	static const __u32 members[] = { 0, 1, 3 };

	for (int k = 0; k < 3; k++) {
		__u32 m = members[k];

		image->counters[m] = rss_counters(mm, m);
		image->count[m] = rss_count(mm, m);
		if (rss_is_percpu())
			for_each_cpu (i)
				image->cpu[i].local[m] = rss_local(image->counters[m], i);
	}
}

/* @task enters the address space @mm, alone or beside others of its task. 0, or -1 when the map is
 * full (counted). */
static __always_inline int image_get(__u64 mm, struct task_struct *task, __u32 index)
{
	struct image *image = bpf_map_lookup_elem(&images, &mm), *fresh;
	struct task_state *state = task_state_of(index);
	__u32 zero = 0;
	s64 pages;

	if (image && !image->dying) {
		__sync_fetch_and_add(&image->users, 1);
		return 0;
	}
	if (image) { /* the address is used again, and the end of its first life was missed */
		drop_count(NOTE_STALE_IMAGES);
		image_end(mm, image);
	}
	fresh = bpf_map_lookup_elem(&image_zero, &zero);
	if (!fresh || !state || bpf_map_update_elem(&images, &mm, fresh, BPF_ANY)) {
		drop_count(DROP_OFFERED);
		drop_count(DROP_IMAGES_FULL);
		return -1;
	}
	image = bpf_map_lookup_elem(&images, &mm);
	if (!image)
		return -1;
	image->mm = mm;
	image->start_ns = task_start_ns(task);
	image->tgid = task->tgid;
	image->pid = task_pid(task);
	image->task = index;
	image->users = 1;
	image->epoch = state->epoch; /* held nothing at any peak so far */
	image_fill(mm, image);
	pages = image_pages(image); /* before changes are counted, or they would count twice */
	image->ready = 1;
	image_changed(image, 0, pages);
	return 0;
}

#endif
