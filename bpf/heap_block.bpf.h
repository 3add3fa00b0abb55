/* heap_block.bpf.h - the record of a block that came or went, of the current thread. */
#ifndef TASKDIAG_HEAP_BLOCK_BPF_H
#define TASKDIAG_HEAP_BLOCK_BPF_H

#include <linux/ptrace.h>

#include "heap.h"
#include "here.bpf.h"

static __always_inline void owner_fill(struct event_header *h, const struct target *target)
{
	h->start_ns = target->start_ns;
	h->tgid = bpf_get_current_pid_tgid() >> 32;
	h->pid = pid_here();
	h->task = target->task;
}

struct heap_block {
	__u64 address, bytes, stamp, gap, stack; /* as in struct heap_block_event */
	__u32 type, allocator;
};

static __always_inline void heap_block_tell(const struct target *target, const struct heap_block *b)
{
	struct heap_block_event *e = record_reserve(sizeof(*e));

	if (!e) {
		drop_count(NOTE_HEAP_LOST);
		return;
	}
	header_fill(&e->h, b->type, sizeof(*e));
	owner_fill(&e->h, target);
	e->address = b->address;
	e->bytes = b->bytes;
	e->stamp = b->stamp;
	e->gap = b->gap;
	e->stack = b->stack;
	e->allocator = b->allocator;
	e->tid = tid_here();
	bpf_get_current_comm(e->name, sizeof(e->name));
	record_submit(e);
}

#endif
