/* maps.bpf.h - what every program shares: configuration, targets, the ring, the counters of losses.
 *
 * Definitions are weak: each object carries them, the linker keeps one.
 */
#ifndef TASKDIAG_MAPS_BPF_H
#define TASKDIAG_MAPS_BPF_H

#include "vmlinux.h"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "config.h"
#include "events.h"
#include "state.h"

const volatile struct config config __weak = {};

/* Page size as a shift; arm64 has more than one. Set by user space with config. */
const volatile __u32 page_shift __weak = 12;

/* tgid → target. Written by lifecycle (fork, exit, scan); read first by every program. 65,536
 * processes; when full the child is not observed and DROP_TARGETS_FULL counts it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PROCESSES);
	__type(key, __u32);
	__type(value, struct target);
} targets __weak SEC(".maps");

/* Records to user space. Written by record_reserve; read by session. When full the record is lost
 * and DROP_RING_FULL counts it. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES_DEFAULT);
} events __weak SEC(".maps");

/* enum drop → count. Written by all programs; read by session. Cannot be full. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DROP_MAX);
	__type(key, __u32);
	__type(value, __u64);
} drops __weak SEC(".maps");

/* 0 → control. Written by scans; read by session. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct control);
} control __weak SEC(".maps");

/* The value of a relocated constant, here and not earlier: hoisted above the test for the layout
 * that it belongs to, a relocation that does not match this kernel would poison the other layout's
 * path. */
#define core_constant(value)                                           \
	({                                                             \
		__u64 constant;                                        \
		asm volatile("%0 = %1" : "=r"(constant) : "r"(value)); \
		constant;                                              \
	})

static __always_inline void drop_count(__u32 cause)
{
	__u64 *n = bpf_map_lookup_elem(&drops, &cause);

	if (n)
		__sync_fetch_and_add(n, 1); /* uprobes and, since 7.0, tracepoints are preempted */
}

static __always_inline struct control *control_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&control, &zero);
}

/* NULL when the ring is full: the loss is counted, the caller only returns. */
static __always_inline void *record_reserve(__u64 bytes)
{
	void *record;

	drop_count(DROP_OFFERED);
	record = bpf_ringbuf_reserve(&events, bytes, 0);
	if (!record)
		drop_count(DROP_RING_FULL);
	return record;
}

/* A wake-up costs more than a record: the reader has a timer, and is woken only when the ring
 * fills. */
static __always_inline void record_submit(void *record)
{
	__u64 filled = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);

	bpf_ringbuf_submit(record, filled >= config.ring_wake_bytes ? BPF_RB_FORCE_WAKEUP
								    : BPF_RB_NO_WAKEUP);
}

#endif
