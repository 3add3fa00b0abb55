/* unwind.bpf.h - walks user stacks in the kernel: tables, slots, and the loop around unwind_step.h.
 *
 *   slot_of_cpu() ──► unwind_begin(state, registers) ──► unwind_walk(slot) ──► state->frames,
 * outcome
 *
 * The body of the loop is a global function: the verifier checks it once, not per frame (14,000
 * instructions for 511 frames, on every kernel from 5.10 on).
 */
#ifndef TASKDIAG_UNWIND_BPF_H
#define TASKDIAG_UNWIND_BPF_H

#include "unwind_process.bpf.h"
#include "python_code.h"

struct chunk_inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, CHUNK_WORDS * 8);
};

/* number → chunk of the table space. Written by unwind/; read by every walk. 256 MiB; when full the
 * file has no rows, and its frames are guessed or end there (counted by outcome). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, CHUNKS_MAX);
	__uint(key_size, sizeof(__u32));
	__array(values, struct chunk_inner);
} chunks __weak SEC(".maps");

/* number → mapping, ranges per process. Written by unwind/ through mmap; read by every walk. When
 * full the process has none: UNWIND_NO_MAPPING counts it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAPPINGS_MAX);
	__type(key, __u32);
	__type(value, struct mapping);
} unwind_mappings __weak SEC(".maps");

/* Where a walk keeps its state: three slots a CPU (see enum slot_use), for programs that are not
 * preempted; others claim slots beyond these (unwind_claim.bpf.h). max_entries is set before load.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwind_state);
} unwind_slots __weak SEC(".maps");

/* The clock's interrupt may come in the midst of a switch or of a page fault: each has a slot of
 * its own. */
enum slot_use { SLOT_CLOCK, SLOT_SWITCH, SLOT_FAULT, SLOT_USES };

static __always_inline const __u64 *unwind_chunk(struct unwind_state *s, __u32 chunk)
{
	__u32 zero = 0;
	void *inner = bpf_map_lookup_elem(&chunks, &chunk);

	return inner ? bpf_map_lookup_elem(inner, &zero) : NULL;
}

static __always_inline const struct mapping *unwind_mapping(struct unwind_state *s, __u32 i)
{
	return bpf_map_lookup_elem(&unwind_mappings, &i);
}

static __always_inline long unwind_read(struct unwind_state *s, void *to, __u32 bytes,
					__u64 address)
{
	return bpf_probe_read_user(to, bytes, (void *)address);
}

/* uprobes.h of the kernel; vmlinux.h is without. */
struct return_instance___taskdiag {
	unsigned long stack, orig_ret_vaddr;
	struct return_instance___taskdiag *next;
} __attribute__((preserve_access_index));

struct uprobe_task___taskdiag {
	struct return_instance___taskdiag *return_instances;
} __attribute__((preserve_access_index));

struct task_struct___taskdiag {
	struct uprobe_task___taskdiag *utask;
} __attribute__((preserve_access_index));

#define RETURNS_MAX 8 /* functions with a return probe that a thread is in, one in another */

/* Of functions that have become one another by jumps all have the same place: the last of them in
 * the list was the first. */
static __always_inline long unwind_hijacked(struct unwind_state *s, __u64 address, __u64 *ret)
{
	struct task_struct___taskdiag *task = (void *)bpf_get_current_task();
	struct return_instance___taskdiag *at;
	long err = -1;

	if (!bpf_core_field_exists(task->utask) || !BPF_CORE_READ(task, utask))
		return -1;
	at = BPF_CORE_READ(task, utask, return_instances);
	for (int i = 0; i < RETURNS_MAX && at; i++) {
		if (BPF_CORE_READ(at, stack) == address) {
			*ret = BPF_CORE_READ(at, orig_ret_vaddr);
			err = 0;
		}
		at = BPF_CORE_READ(at, next);
	}
	return err;
}

#include "python.bpf.h"

static __always_inline struct unwind_state *slot_state(__u32 slot)
{
	return bpf_map_lookup_elem(&unwind_slots, &slot);
}

static __always_inline __u32 slot_of_cpu(enum slot_use use)
{
	return bpf_get_smp_processor_id() * SLOT_USES + use;
}

/* One native frame. Global, and so checked once. */
__noinline __weak int native_step(__u32 slot)
{
	struct unwind_state *s = slot_state(slot);

	return s ? unwind_advance(s) : UNWIND_NO_PROCESS;
}

/* One frame of either kind. What is left of Python when the native walk has failed comes alone. */
__noinline __weak int unwind_step(__u32 slot)
{
	struct unwind_state *s = slot_state(slot);
	int outcome;

	if (!s)
		return UNWIND_NO_PROCESS;
	if (s->python.frame && python_turn(slot)) {
		python_step(slot);
		return UNWIND_RUNNING;
	}
	s->python.told = 0;
	if (s->python.alone)
		return s->python.alone;
	outcome = native_step(slot);
	if (outcome <= UNWIND_COMPLETE || !s->python.frame)
		return outcome;
	s->python.alone = outcome; /* what Python was doing can still be told */
	return UNWIND_RUNNING;
}

static __always_inline void walk_python(__u32 slot, struct unwind_state *s, __u32 tgid, __u32 pid,
					const struct target *target, __u32 layout)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	s->python.slot = slot;
	s->python.start_ns = target->start_ns;
	s->python.tgid = tgid;
	s->python.pid = pid;
	s->python.task = target->task;
	python_start(slot, layout, BPF_CORE_READ(task, thread.fsbase));
}

/* The walk of the current thread, which is of @target, @pid as the observer sees it. @s must be
 * begun. Returns the outcome. */
static __always_inline int unwind_walk(__u32 slot, struct unwind_state *s, __u32 tgid, __u32 pid,
				       const struct target *target)
{
	struct unwind_process *process = bpf_map_lookup_elem(&unwind_processes, &tgid);
	int outcome = UNWIND_RUNNING;

	s->python.frame = 0;
	s->python.alone = 0;
	if (!process || process->start_ns != target->start_ns || process->execs != target->execs) {
		unwind_frame(s, s->pc);
		return UNWIND_NO_PROCESS;
	}
	s->first = process->first;
	s->count = process->count;
	if (process->python)
		walk_python(slot, s, tgid, pid, target, process->python);
	for (int i = 0; i < FRAMES_MAX; i++) {
		outcome = unwind_step(slot);
		if (outcome)
			break;
	}
	return outcome ? outcome : UNWIND_DEPTH;
}

#endif
