/* resident.bpf.h - births of pages: who touched a page first, told where its RSS is counted.
 *
 *   page fault ──► faults (thread → address) ──┐
 *   rss_stat ──► memory.bpf.c (by how much) ───┴──► resident_born() ──(a sampled page)──► EV_PAGES
 *
 * rss_stat says that pages were added, the fault where. Of each aligned group of 2^shift pages one
 * is sampled (sampling.h); only a birth that holds such a page walks the stack.
 *
 * Up to 6.1 rss_stat comes once in 64 changes of a thread, and the fault itself is taken for the
 * birth: one that adds nothing only gives the page its owner anew.
 */
#ifndef TASKDIAG_RESIDENT_BPF_H
#define TASKDIAG_RESIDENT_BPF_H

#include <linux/ptrace.h>

#include "cause.bpf.h"
#include "here.bpf.h"
#include "image.bpf.h"
#include "sampling.h"
#include "stack.bpf.h"
#include "unwind_claim.bpf.h"

#define FAULTS                                                                             \
	4096 /* threads that can be in a fault at once without a collision: a power of two \
	      */
#define FAULT_AROUND 16 /* pages of a file that one fault maps: fault_around_bytes */
#define FILE_PAGES 0
#define ANON_PAGES 1

/* tid modulo FAULTS → fault. A thread that collides with another loses its address: the birth is
 * counted as one without (NOTE_FOREIGN_PAGES). */
struct fault faults[FAULTS] __weak = {};

/* Of the groups of pages; grows while the run goes on. Written by session. */
volatile __u32 resident_shift __weak = 4;

static __always_inline struct fault *fault_of(__u32 tid)
{
	return &faults[tid & (FAULTS - 1)];
}

/* Does [first, first + count) hold a sampled page? */
static __always_inline bool pages_sampled(__u64 first, __u64 count)
{
	__u32 shift = resident_shift;

	if (shift > SAMPLING_SHIFT_MAX)
		shift = SAMPLING_SHIFT_MAX;
	if (count == 1)
		return page_sampled(first, shift);
	return count >> shift || group_sample(first >> shift, shift) - first < count ||
	       group_sample((first >> shift) + 1, shift) - first < count;
}

/* What becomes a pages_event: without the rest of it, as the stack of a program is small. */
struct page_range {
	__u64 image, stack, first, count, to, rss_pages;
	__u32 change, kind;
};

static __always_inline void pages_tell(const struct target *target, const struct page_range *range)
{
	struct pages_event *e = record_reserve(sizeof(*e));

	if (!e)
		return;
	e->image = range->image;
	e->stack = range->stack;
	e->first = range->first;
	e->count = range->count;
	e->to = range->to;
	e->rss_pages = range->rss_pages;
	e->change = range->change;
	e->kind = range->kind;
	header_fill(&e->h, EV_PAGES, sizeof(*e));
	e->h.start_ns = target->start_ns;
	e->h.tgid = bpf_get_current_pid_tgid() >> 32;
	e->h.pid = pid_here();
	e->h.task = target->task;
	e->tid = tid_here();
	e->pad = 0;
	bpf_get_current_comm(e->name, sizeof(e->name));
	record_submit(e);
}

/* Of the current thread, in user space. 0: none could be walked or sent. @claim: a constant;
 * without, on kernels that cannot, the program must be one that nothing preempts. */
static __always_inline __u64 stack_here(const struct target *target, bool claim)
{
	const struct stack_owner owner = owner_of(target);
	__u32 slot = slot_of_cpu(SLOT_FAULT);
	struct unwind_state *s = NULL;
	struct pt_regs registers;
	struct claimed_walk w;
	__u64 stack;
	int outcome;

	if (user_registers(current_task(), &registers))
		return 0;
	if (claim) {
		if (stack_walk_claimed(&w, &registers, owner.tgid, owner.pid, target))
			return 0;
		stack = stack_send(w.state, &owner, w.outcome);
		slot_release(w.slot);
		return stack;
	}
	s = slot_state(slot);
	if (!s)
		return 0;
	unwind_begin(s, registers.rip, registers.rsp, registers.rbp, registers.rbx);
	outcome = unwind_walk(slot, s, owner.tgid, owner.pid, target);
	return stack_send(s, &owner, outcome);
}

static __always_inline __u64 task_rss(__u32 index)
{
	struct task_state *state = task_state_of(index);
	s64 pages = state ? task_pages(state) : 0;

	return pages > 0 ? pages : 0;
}

/* The current thread, of @mm, has faulted at @address and @delta pages of @kind came. */
static __always_inline void pages_born(__u64 mm, __u64 address, __u32 kind, s64 delta,
				       __u64 rss_before, bool claim)
{
	struct page_range e = { .image = mm, .change = PAGES_BORN, .kind = kind };
	struct target *target;

	e.first = address >> page_shift;
	e.count = 1;
	if (kind == FILE_PAGES) {
		e.first &= ~(__u64)(FAULT_AROUND - 1);
		e.count = FAULT_AROUND;
	} else if (delta > 1 && !(delta & (delta - 1))) { /* a huge page, or one of several sizes */
		e.first &= ~(__u64)(delta - 1);
		e.count = delta;
	}
	if (!pages_sampled(e.first, e.count))
		return;
	target = target_here();
	if (!target)
		return;
	e.rss_pages = rss_before ? rss_before : task_rss(target->task);
	e.image = target->image;
	e.stack = stack_here(target, claim);
	pages_tell(target, &e);
}

/* Called at rss_stat: counter @kind of @mm has grown by @delta pages, of task @index. */
static __always_inline void resident_born(__u64 mm, __u32 kind, s64 delta, __u32 index)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u32 tid = bpf_get_current_pid_tgid();
	struct fault *fault = fault_of(tid);
	__u64 grown = delta, rss;

	/* a fault adds pages once: what else comes is populated, or another process's doing */
	if (fault->tid != tid || fault->told || (__u64)BPF_CORE_READ(task, mm) != mm) {
		drop_count(NOTE_FOREIGN_PAGES);
		return;
	}
	fault->told = 1;
	rss = task_rss(index);
	pages_born(mm, fault->address, kind, delta, rss > grown ? rss - grown : 0, true);
}

#endif
