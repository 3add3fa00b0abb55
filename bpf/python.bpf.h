/* python.bpf.h - CPython in the kernel's walks: layouts of interpreters, and the records of code
 * objects that are met. */
#ifndef TASKDIAG_PYTHON_BPF_H
#define TASKDIAG_PYTHON_BPF_H

#include "unwind_process.bpf.h"
#include "python_code.h"

/* number → layout of an interpreter in a process. Written by unwind/, but for the counts; read by
 * every walk of such a process. 1,023; when full its Python frames are not seen, and it is said. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PYTHON_LAYOUTS_MAX);
	__type(key, __u32);
	__type(value, struct python_layout);
} python_layouts __weak SEC(".maps");

/* Id → code object that user space has been sent. As stacks_seen: nothing can be full. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CODES_SEEN);
	__type(key, __u32);
	__type(value, __u64);
} codes_seen __weak SEC(".maps");

/* Where the record of a code object is put together: one a slot (see unwind_slots). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct code_record);
} code_records __weak SEC(".maps");

static __always_inline const struct python_layout *python_layout_at(struct unwind_state *s, __u32 i)
{
	return bpf_map_lookup_elem(&python_layouts, &i);
}

static __always_inline void python_count(struct unwind_state *s, const struct python_layout *layout,
					 __u32 which)
{
	if (which < PYTHON_COUNTS)
		__sync_fetch_and_add((__u64 *)&layout->counts[which], 1);
}

/* Sends the code object that was met last. Global, and so checked once. */
__noinline __weak int python_send(__u32 slot)
{
	struct unwind_state *s = bpf_map_lookup_elem(&unwind_slots, &slot);
	struct code_record *r = bpf_map_lookup_elem(&code_records, &slot);
	const struct python_layout *layout;
	__u64 bytes;

	if (!s || !r)
		return -1;
	layout = python_layout_at(s, s->python.layout);
	if (!layout)
		return -1;
	bytes = python_code_read(s, layout, r);
	header_fill(&r->event.h, EV_CODE, bytes);
	r->event.h.start_ns = s->python.start_ns;
	r->event.h.tgid = s->python.tgid;
	r->event.h.pid = s->python.pid;
	r->event.h.task = s->python.task;
	drop_count(DROP_OFFERED);
	barrier_var(bytes);
	if (bytes > sizeof(*r))
		return -1;
	if (bpf_ringbuf_output(&events, r, bytes, BPF_RB_NO_WAKEUP)) {
		drop_count(DROP_RING_FULL);
		python_count(s, layout, PYTHON_CODE_LOST);
		return -1;
	}
	return 0;
}

static __always_inline void python_met(struct unwind_state *s, const struct python_layout *layout)
{
	__u64 id = s->python.code_id, *seen;
	__u32 at;

	if (config.tasks > 1) /* every task is told all of its code */
		id ^= (s->python.task + 1ULL) * 0xd6e8feb86659fd93ULL;
	at = id & (CODES_SEEN - 1);
	seen = bpf_map_lookup_elem(&codes_seen, &at);
	if (!seen || *seen == id)
		return;
	if (!python_send(s->python.slot))
		*seen = id;
}

static __always_inline struct unwind_state *python_slot(__u32 slot)
{
	return bpf_map_lookup_elem(&unwind_slots, &slot);
}

/* Each global, and so checked once, not once for every way to it. */
__noinline __weak int python_start(__u32 slot, __u32 layout, __u64 thread_pointer)
{
	struct unwind_state *s = python_slot(slot);

	if (s)
		python_begin(s, layout, thread_pointer);
	return 0;
}

/* Whether the current native frame has Python frames that are not told yet. */
__noinline __weak int python_turn(__u32 slot)
{
	struct unwind_state *s = python_slot(slot);
	const struct python_layout *layout = s ? python_layout_at(s, s->python.layout) : NULL;

	return layout && python_is_here(s, layout);
}

__noinline __weak int python_step(__u32 slot)
{
	struct unwind_state *s = python_slot(slot);
	const struct python_layout *layout = s ? python_layout_at(s, s->python.layout) : NULL;

	return layout ? python_advance(s, layout) : 0;
}

#endif
