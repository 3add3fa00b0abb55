/* stack.bpf.h - a walked stack goes to user space once; from then on its id does.
 *
 *   unwind_walk() ──► stack_send() ──(not sent before)──► EV_STACK           ──► id
 */
#ifndef TASKDIAG_STACK_BPF_H
#define TASKDIAG_STACK_BPF_H

#include "task.bpf.h"
#include "unwind.bpf.h"

/* Whose stack it is: what goes into the header of its record. */
struct stack_owner {
	__u64 start_ns;
	__u32 tgid, pid, task;
};

/* Hash → stack id that user space has been sent. A colliding one takes the place, and the other is
 * sent again when it comes again: nothing can be full, nothing locks. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STACKS_SEEN);
	__type(key, __u32);
	__type(value, __u64);
} stacks_seen __weak SEC(".maps");

static __always_inline bool stack_is_known(__u64 id)
{
	__u32 at = id & (STACKS_SEEN - 1);
	__u64 *seen = bpf_map_lookup_elem(&stacks_seen, &at);

	return seen && *seen == id;
}

static __always_inline void stack_known(__u64 id)
{
	__u32 at = id & (STACKS_SEEN - 1);
	__u64 *seen = bpf_map_lookup_elem(&stacks_seen, &at);

	if (seen)
		*seen = id;
}

/* Sends the stack in @s unless it was sent. Returns its id; 0 when it could not be sent. */
static __always_inline __u64 stack_send(struct unwind_state *s, const struct stack_owner *owner,
					int outcome)
{
	struct stack_event *e = (struct stack_event *)s->head;
	__u64 id = s->hash + outcome, bytes;
	__u32 n = s->frame_count;

	if (s->raw)
		id = (id ^ owner->start_ns ^ owner->tgid) * 0x9e3779b97f4a7c15ULL;
	if (config.tasks > 1) /* every task is told all of its stacks */
		id ^= (owner->task + 1ULL) * 0xd6e8feb86659fd93ULL;
	id = id ? id : 1;
	if (stack_is_known(id))
		return id;
	n = n > FRAMES_MAX ? FRAMES_MAX : n;
	bytes = sizeof(*e) + n * sizeof(s->frames[0]);
	header_fill(&e->h, EV_STACK, bytes);
	e->h.start_ns = owner->start_ns;
	e->h.tgid = owner->tgid;
	e->h.pid = owner->pid;
	e->h.task = owner->task;
	e->id = id;
	e->outcome = outcome;
	e->frame_count = n;
	drop_count(DROP_OFFERED);
	/* a bound that the verifier believes: 5.10 forgets those of what was spilled to the stack
	 */
	barrier_var(bytes);
	if (bytes > sizeof(*e) + FRAMES_MAX * sizeof(s->frames[0]))
		return 0;
	if (bpf_ringbuf_output(&events, e, bytes, BPF_RB_NO_WAKEUP)) {
		drop_count(DROP_RING_FULL);
		return 0;
	}
	stack_known(id);
	return id;
}

#endif
