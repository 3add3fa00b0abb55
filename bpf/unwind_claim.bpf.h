/* unwind_claim.bpf.h - slots for the walks of programs that can be preempted, as those of uprobes.
 *
 *   slot_claim() ──compare and swap──► slot beyond those of the CPUs ──► walk ──► slot_release()
 *
 * While such a program waits for its CPU another task may run the same program there: a slot of the
 * CPU would hold two walks. A walk that finds no slot is not made, and is counted.
 *
 * Compare-and-swap is refused before Linux 5.12, even where it is never reached: only programs that
 * are loaded on demand may include this. Who loads them makes unwind_slots and code_records longer
 * by SLOTS_CLAIMED.
 */
#ifndef TASKDIAG_UNWIND_CLAIM_BPF_H
#define TASKDIAG_UNWIND_CLAIM_BPF_H

#include "unwind.bpf.h"

#define SLOT_TRIES 8
#define SLOT_OWNED (1ULL << 63) /* with the pid and tid of the owner: never 0 */

/* claimed slot → who walks in it, 0: nobody. Written and read by slot_claim and slot_release.
 * SLOTS_CLAIMED; when SLOT_TRIES in a row are taken the walk is lost and DROP_SLOTS_FULL counts it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS_CLAIMED);
	__type(key, __u32);
	__type(value, __u64);
} slot_owners __weak SEC(".maps");

static __always_inline __u32 slot_first_claimed(void)
{
	return config.nr_cpus * SLOT_USES;
}

/* A thread begins its search at a place of its own, so that waiting ones do not stand in a row, and
 * its slot is most often the one that it had before. 0; -1: counted. */
static __always_inline int slot_claim(__u32 *ret_slot)
{
	__u64 self = bpf_get_current_pid_tgid();
	__u32 at = (__u32)self * 0x9e3779b1U >> 16;

	for (int i = 0; i < SLOT_TRIES; i++) {
		__u32 claimed = (at + i) & (SLOTS_CLAIMED - 1);
		__u64 *owner = bpf_map_lookup_elem(&slot_owners, &claimed);

		/* the look before it spares the bus: a swap that fails costs as much as one that
		 * does not */
		if (!owner || *(volatile __u64 *)owner ||
		    __sync_val_compare_and_swap(owner, 0, self | SLOT_OWNED))
			continue;
		*ret_slot = slot_first_claimed() + claimed;
		return 0;
	}
	drop_count(DROP_SLOTS_FULL);
	return -1;
}

/* A swap too, as a plain store may pass those of the walk (arm64). */
static __always_inline void slot_release(__u32 slot)
{
	__u32 claimed = slot - slot_first_claimed();
	__u64 *owner = bpf_map_lookup_elem(&slot_owners, &claimed);

	if (owner)
		__sync_val_compare_and_swap(owner, bpf_get_current_pid_tgid() | SLOT_OWNED, 0);
}

struct claimed_walk {
	struct unwind_state *state; /* the caller's until slot_release(slot) */
	__u32 slot;
	int outcome; /* enum unwind_outcome */
};

/* 0: the caller releases the slot; -1: no walk, counted. */
static __always_inline int slot_open(struct claimed_walk *w)
{
	if (slot_claim(&w->slot))
		return -1;
	w->state = slot_state(w->slot);
	if (w->state)
		return 0;
	slot_release(w->slot); /* unwind_slots was not made longer */
	drop_count(DROP_SLOTS_FULL);
	return -1;
}

/* Walks the current thread, which is of @target, @pid as the observer sees it. As slot_open(). */
static __always_inline int stack_walk_claimed(struct claimed_walk *w,
					      const struct pt_regs *registers, __u32 tgid,
					      __u32 pid, const struct target *target)
{
	if (slot_open(w))
		return -1;
	unwind_begin(w->state, registers->rip, registers->rsp, registers->rbp, registers->rbx);
	w->outcome = unwind_walk(w->slot, w->state, tgid, pid, target);
	return 0;
}

#endif
