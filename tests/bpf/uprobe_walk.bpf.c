/* uprobe_walk.bpf.c - walks the stack at each hit of a uprobe, in a slot that it claims, and sends
 * it: see uprobe_walk.c. The equations: what was offered, nested or not, was walked or is in
 * DROP_SLOTS_FULL; walked = sent + ring_full.
 */
#include <linux/ptrace.h>

#include "unwind_claim.bpf.h"
#include "thread.bpf.h"

#include <linux/bpf_perf_event.h>

#include "uprobe_walk.h"

char LICENSE[] SEC("license") = "GPL";

/* 1: walks in the CPU's slot, as a program must not that can be preempted: the test's own test */
const volatile __u32 shared_slots = 0;

__u64 offered = 0, walked = 0, ring_full = 0;
__u64 nested_offered = 0, nested_walked = 0;

/* Walks to user space. Written by walk; read by uprobe_walk.c. When full: ring_full. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 << 20);
} walks SEC(".maps");

static __always_inline void send(struct unwind_state *s, __u64 chain, int outcome)
{
	struct walk_record *r = (struct walk_record *)s->head;
	__u64 n = s->frame_count;

	r->chain = chain;
	r->outcome = outcome;
	r->frame_count = n;
	n = n > WALK_FRAMES_MAX ? WALK_FRAMES_MAX : n;
	if (bpf_ringbuf_output(&walks, r, sizeof(*r) + n * sizeof(s->frames[0]), 0))
		__sync_fetch_and_add(&ring_full, 1);
}

/* 0: the caller lets go of the slot. */
static __always_inline int walk_begin(struct claimed_walk *w, const struct pt_regs *registers,
				      __u32 tgid, const struct target *target)
{
	if (!shared_slots)
		return stack_walk_claimed(w, registers, tgid, tgid, target);
	w->slot = slot_of_cpu(SLOT_SWITCH);
	w->state = slot_state(w->slot);
	if (!w->state)
		return -1;
	unwind_begin(w->state, registers->rip, registers->rsp, registers->rbp, registers->rbx);
	w->outcome = unwind_walk(w->slot, w->state, tgid, tgid, target);
	return 0;
}

static __always_inline void walk_end(const struct claimed_walk *w)
{
	if (!shared_slots)
		slot_release(w->slot);
}

SEC("uprobe")
int walk(struct pt_regs *ctx)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct target *target = bpf_map_lookup_elem(&targets, &tgid);
	struct claimed_walk w;

	if (!target)
		return 0;
	__sync_fetch_and_add(&offered, 1);
	if (walk_begin(&w, ctx, tgid, target))
		return 0;
	__sync_fetch_and_add(&walked, 1);
	send(w.state, ctx->rdi, w.outcome);
	walk_end(&w);
	return 0;
}

/* Comes in the midst of a walk, as another task would where programs are preempted, and makes one
 * of its own: here on every kernel, whatever its model of preemption. */
SEC("perf_event")
int interrupt(struct bpf_perf_event_data *ctx)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct target *target = bpf_map_lookup_elem(&targets, &tgid);
	struct pt_regs registers;
	struct claimed_walk w;

	if (!target || user_registers(current_task(), &registers))
		return 0;
	__sync_fetch_and_add(&nested_offered, 1);
	if (walk_begin(&w, &registers, tgid, target))
		return 0;
	__sync_fetch_and_add(&nested_walked, 1);
	walk_end(&w);
	return 0;
}
