/* heap.bpf.c - the sites of the malloc shim that a started command carries (preload/region.h).
 *
 *   taskdiag_hello ──► EV_REGION                                     the reader is woken
 *   taskdiag_stack ──► walk ──► EV_STACK once, EV_HEAP_STACK: the words that decided the walk
 *   taskdiag_flush ──► EV_HEAP_FLUSH                                 the reader is woken
 *   taskdiag_alloc ──► walk ──► EV_STACK once, EV_HEAP_ALLOC         sampled
 *   taskdiag_free  ──► EV_HEAP_FREE
 *
 * Attached by offset to one file, the shim's copy of this run. Uprobes are preempted: walks stand
 * in claimed slots. Arguments are those of a C call; a walk begins in the caller of the allocating
 * function: nothing of the shim has changed rbp by then, rbx it may have.
 */
#include <linux/ptrace.h>

#include "heap_block.bpf.h"
#include "unwind_claim.bpf.h"

SEC("?uprobe")
int heap_hello(struct pt_regs *ctx)
{
	const struct target *target = target_here();
	struct region_event *e = target ? record_reserve(sizeof(*e)) : NULL;

	if (!e)
		return 0;
	header_fill(&e->h, EV_REGION, sizeof(*e));
	owner_fill(&e->h, target);
	e->address = ctx->rdi;
	e->bytes = ctx->rsi;
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP); /* the task waits */
	return 0;
}

SEC("?uprobe")
int heap_flush(struct pt_regs *ctx)
{
	const struct target *target = target_here();
	struct heap_flush_event *e = target ? record_reserve(sizeof(*e)) : NULL;

	if (!e)
		return 0;
	header_fill(&e->h, EV_HEAP_FLUSH, sizeof(*e));
	owner_fill(&e->h, target);
	e->ring = ctx->rdi;
	e->used = ctx->rsi;
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/* From the caller of the allocating function on. 0: the caller releases the slot; -1: counted. */
static __always_inline int heap_walk(struct claimed_walk *w, const struct stack_owner *owner,
				     const struct target *target, __u64 caller, __u64 cfa,
				     __u64 rbp, enum unwind_noting noting)
{
	if (slot_open(w))
		return -1;
	unwind_begin(w->state, caller, cfa, rbp, 0);
	w->state->exact = 0;
	w->state->bx_at = SAVED_LOST;
	w->state->noting = noting;
	w->outcome = unwind_walk(w->slot, w->state, owner->tgid, owner->pid, target);
	return 0;
}

/* With the notes where a memo may rely upon them, and while there is room: the stack itself must
 * not be lost for their sake. */
static __always_inline void heap_stack_tell(const struct claimed_walk *w,
					    const struct stack_owner *owner,
					    const struct pt_regs *ctx, __u64 stack)
{
	struct unwind_state *s = w->state;
	struct heap_stack_event *e = (struct heap_stack_event *)s->note_head;
	__u32 n = s->note_count;
	__u64 bytes;

	if (w->outcome != UNWIND_COMPLETE || !stack || s->noting != NOTING_ON || n > HEAP_PAIRS ||
	    bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > 2 * config.ring_wake_bytes)
		n = 0;
	bytes = sizeof(*e) + n * sizeof(s->notes[0]);
	header_fill(&e->h, EV_HEAP_STACK, bytes);
	e->h.start_ns = owner->start_ns;
	e->h.tgid = owner->tgid;
	e->h.pid = owner->pid;
	e->h.task = owner->task;
	e->token = ctx->rdi;
	e->cfa = ctx->rsi;
	e->caller = ctx->rdx;
	e->stack = stack;
	e->count = n;
	e->roots = n ? s->note_roots : 0;
	e->tid = tid_here();
	e->pad = 0;
	bpf_get_current_comm(e->name, sizeof(e->name));
	drop_count(DROP_OFFERED);
	barrier_var(bytes);
	if (bytes > sizeof(*e) + HEAP_PAIRS * sizeof(s->notes[0]))
		return;
	if (bpf_ringbuf_output(&events, e, bytes, 0)) /* whoever waits for it can be answered */
		drop_count(DROP_RING_FULL);
}

SEC("?uprobe")
int heap_stack(struct pt_regs *ctx)
{
	const struct target *target = target_here();
	struct stack_owner owner;
	struct claimed_walk w;

	if (!target)
		return 0;
	owner = owner_of(target);
	if (heap_walk(&w, &owner, target, ctx->rdx, ctx->rsi, ctx->rbp, NOTING_ON))
		return 0;
	heap_stack_tell(&w, &owner, ctx, stack_send(w.state, &owner, w.outcome));
	slot_release(w.slot);
	return 0;
}

static __always_inline __u64 heap_sample_stack(const struct target *target,
					       const struct pt_regs *ctx)
{
	const struct stack_owner owner = owner_of(target);
	struct claimed_walk w;
	__u64 stack;

	if (heap_walk(&w, &owner, target, ctx->r9, ctx->r8, ctx->rbp, NOTING_OFF))
		return 0;
	stack = stack_send(w.state, &owner, w.outcome);
	slot_release(w.slot);
	return stack;
}

SEC("?uprobe")
int heap_alloc(struct pt_regs *ctx)
{
	const struct target *target = target_here();

	if (!target)
		return 0;
	heap_block_tell(target, &(struct heap_block){ .type = EV_HEAP_ALLOC,
						      .address = ctx->rdi,
						      .bytes = ctx->rsi,
						      .stamp = ctx->rdx,
						      .gap = ctx->rcx >> 8,
						      .allocator = ctx->rcx & 0xff,
						      .stack = heap_sample_stack(target, ctx) });
	return 0;
}

SEC("?uprobe")
int heap_free(struct pt_regs *ctx)
{
	const struct target *target = target_here();

	if (target)
		heap_block_tell(target, &(struct heap_block){ .type = EV_HEAP_FREE,
							      .address = ctx->rdi,
							      .bytes = ctx->rsi,
							      .stamp = ctx->rdx });
	return 0;
}
