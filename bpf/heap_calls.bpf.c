/* heap_calls.bpf.c - the heap of processes that ran before us (--exact): uprobes at malloc & co. in
 * every file that has them, and at the USDT probes otel_memory:alloc and free.
 *
 *   entry of malloc ──► heap_calls (thread) ──► its return ──► walk ──► EV_STACK once,
 * EV_HEAP_ALLOC entry of free   ──► EV_HEAP_FREE realloc, mremap ──► EV_HEAP_FREE at the entry; at
 * the return EV_HEAP_ALLOC, or REGION_FREE_UNDO otel_memory     ──► walk ──► EV_HEAP_ALLOC with
 * what it stands for; EV_HEAP_FREE
 *
 * A block is told as free before it is, and as live after it is: the order of the records is the
 * order of the heap. Of calls within calls (operator new, malloc) the outer one counts: what it
 * returns is what the program has. An inner one is known by its place on the stack, below that of
 * the outer; so a call that a longjmp has left is found out by the next.
 *
 * What a function's arguments are, its cookie says (heap.h).
 */
#include "heap_block.bpf.h"
#include "unwind_claim.bpf.h"

#define CALLS_MAX 16384 /* threads within a call at once */
#define WITHIN_MAX 1000 /* calls in one: no allocator makes as many */
#define MAP_FAILED_ADDRESS (~0ULL)
#define MMAP_PRIVATE 0x02
#define MMAP_FIXED 0x10
#define MMAP_ANONYMOUS 0x20
#define PAGE_SHIFT_4K 12
#define FIRST_MMAP 8 /* REGION_BY_MMAP of preload/region.h */
#define UNDO (~0ULL) /* REGION_FREE_UNDO */

struct heap_call {
	__u64 start_ns;	     /* of the thread: its number may be used again */
	__u64 sp;	     /* at its entry; 0: it has returned */
	__u64 cookie, bytes; /* of the function; asked for */
	__u64 old;	     /* told as free at the entry; 0: none */
	__u64 result;	     /* where the new block is stored; 0: it is returned */
	__u64 inner;	     /* what the last call within it has returned */
	__u32 within;	     /* calls within it */
	__u32 tails;	     /* functions that it has become by a jump: each returns for itself */
};

/* Thread → the call that it is in. Written and read by heap_call and heap_returned. When full the
 * call is not told: NOTE_CALLS_LOST. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, CALLS_MAX);
	__type(key, __u32);
	__type(value, struct heap_call);
} heap_calls SEC(".maps");

/* A copy: the verifier allows no computed place within the context. */
static __always_inline __u64 argument(const struct pt_regs *ctx, __u32 number)
{
	const __u64 words[8] = { 0, ctx->rdi, ctx->rsi, ctx->rdx, ctx->rcx, ctx->r8, ctx->r9, 0 };

	return words[number & 7];
}

/* tgid → the program of it whose probes all stand. Written by session; read by every program here.
 * When full the process is not told, and the session says so. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CALLS_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct calls_open);
} calls_open SEC(".maps");

/* While some of its probes stand and others do not, a free may be missed: nothing is told. */
static __always_inline bool is_open(const struct target *target)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	const struct calls_open *open = bpf_map_lookup_elem(&calls_open, &tgid);

	return open && open->start_ns == target->start_ns && open->execs == target->execs;
}

static __always_inline __u64 thread_start_ns(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, start_boottime);
}

/* Anonymous and private: as of the malloc shim. */
static __always_inline bool range_counts(__u64 flags)
{
	return (flags & (MMAP_PRIVATE | MMAP_ANONYMOUS)) == (MMAP_PRIVATE | MMAP_ANONYMOUS);
}

/* A library calls a function of its own: the malloc shim, in front of it, would not hear of it. */
static __always_inline bool is_own_call(const struct pt_regs *ctx, __u64 cookie)
{
	__u64 before = CALL_BEFORE(cookie) << PAGE_SHIFT_4K, caller;
	__u64 behind = CALL_BEHIND(cookie) << PAGE_SHIFT_4K;

	if (!before && !behind)
		return false;
	if (bpf_probe_read_user(&caller, sizeof(caller), (void *)ctx->rsp))
		return false;
	return caller - (ctx->rip - before) < before + behind;
}

static __always_inline void free_tell(const struct target *target, __u64 address, __u64 bytes)
{
	if (is_open(target))
		heap_block_tell(target, &(struct heap_block){ .type = EV_HEAP_FREE,
							      .address = address,
							      .bytes = bytes });
}

/* What the call frees, told before it does. Returns its address; 0: nothing. */
static __always_inline __u64 old_tell(const struct pt_regs *ctx, const struct target *target,
				      __u64 cookie)
{
	__u64 old = argument(ctx, CALL_OLD(cookie));
	__u64 bytes = argument(ctx, CALL_OLD_SIZE(cookie));
	__u32 flags = CALL_FLAGS(cookie);

	if (!old || (CALL_OLD_SIZE(cookie) && !bytes))
		return 0;
	if (flags && !(argument(ctx, flags) & MMAP_FIXED)) /* a hint */
		return 0;
	free_tell(target, old, bytes);
	return old;
}

static __always_inline void call_begin(const struct pt_regs *ctx, const struct target *target,
				       __u64 cookie)
{
	__u32 tid = bpf_get_current_pid_tgid(), count = CALL_COUNT(cookie);
	struct heap_call *known = bpf_map_lookup_elem(&heap_calls, &tid);
	struct heap_call call = {
		.start_ns = thread_start_ns(),
		.sp = ctx->rsp,
		.cookie = cookie,
		.bytes = argument(ctx, CALL_SIZE(cookie)) * (count ? argument(ctx, count) : 1),
		.result = argument(ctx, CALL_RESULT(cookie)),
	};

	if (known && known->sp && known->start_ns == call.start_ns && ctx->rsp <= known->sp) {
		known->tails += ctx->rsp == known->sp;
		if (known->within++ < WITHIN_MAX)
			return;
		drop_count(NOTE_CALLS_LOST); /* the kernel has not told us its return */
	}
	if (is_own_call(ctx, cookie)) {
		call.bytes = 0;
	} else {
		call.old = old_tell(ctx, target, cookie);
		if (CALL_FLAGS(cookie) && !range_counts(argument(ctx, CALL_FLAGS(cookie))))
			call.bytes = 0;
	}
	if (bpf_map_update_elem(&heap_calls, &tid, &call, BPF_ANY))
		drop_count(NOTE_CALLS_LOST);
}

SEC("?uprobe")
int heap_call(struct pt_regs *ctx)
{
	const struct target *target = target_here();
	__u64 cookie = bpf_get_attach_cookie(ctx);

	drop_count(NOTE_CALLS);
	if (!target)
		return 0;
	if (cookie & CALL_ALLOCATES)
		call_begin(ctx, target, cookie);
	else if (!is_own_call(ctx, cookie))
		old_tell(ctx, target, cookie);
	return 0;
}

/* At the return the caller's registers are as they were. */
static __always_inline __u64 caller_stack(const struct pt_regs *ctx, const struct target *target,
					  bool called)
{
	const struct stack_owner owner = owner_of(target);
	struct claimed_walk w;
	__u64 stack;

	if (slot_open(&w))
		return 0;
	unwind_begin(w.state, ctx->rip, ctx->rsp, ctx->rbp, ctx->rbx);
	if (called)
		w.state->exact = 0;
	w.outcome = unwind_walk(w.slot, w.state, owner.tgid, owner.pid, target);
	stack = stack_send(w.state, &owner, w.outcome);
	slot_release(w.slot);
	return stack;
}

/* 0: there is none. */
static __always_inline __u64 call_result(const struct pt_regs *ctx, const struct heap_call *call)
{
	__u64 address = ctx->rax;

	if (!call->result)
		return address == MAP_FAILED_ADDRESS ? 0 : address;
	if ((__u32)address || /* posix_memalign: an error */
	    bpf_probe_read_user(&address, sizeof(address), (void *)call->result))
		return 0;
	return address;
}

static __always_inline void call_end(const struct pt_regs *ctx, const struct target *target,
				     const struct heap_call *call)
{
	bool range = CALL_ALLOCATOR(call->cookie) >= FIRST_MMAP;
	__u64 address = call_result(ctx, call);

	if (!is_open(target))
		return;
	if (!address) { /* realloc(p, 0) is a free */
		if (call->old && (call->bytes || range))
			free_tell(target, call->old, UNDO);
		return;
	}
	if (call->inner && call->inner != address)
		drop_count(NOTE_CALLS_NESTED);
	if (range && !call->bytes) /* of a kind that does not count */
		return;
	heap_block_tell(target, &(struct heap_block){ .type = EV_HEAP_ALLOC,
						      .address = address,
						      .bytes = call->bytes,
						      .allocator = CALL_ALLOCATOR(call->cookie),
						      .stack = caller_stack(ctx, target, true) });
}

SEC("?uretprobe")
int heap_returned(struct pt_regs *ctx)
{
	const struct target *target = target_here();
	__u32 tid = bpf_get_current_pid_tgid();
	struct heap_call *known, call;

	drop_count(NOTE_CALLS);
	if (!target)
		return 0;
	known = bpf_map_lookup_elem(&heap_calls, &tid);
	if (!known || !known->sp || known->start_ns != thread_start_ns()) {
		if (is_open(target))
			drop_count(NOTE_CALLS_LOST);
		return 0;
	}
	if (ctx->rsp != known->sp + sizeof(__u64)) {
		if (ctx->rsp > known->sp) /* of a call whose place another has taken */
			drop_count(NOTE_CALLS_LOST);
		else if (CALL_ALLOCATOR(bpf_get_attach_cookie(ctx)) < FIRST_MMAP)
			known->inner = ctx->rax;
		return 0;
	}
	if (known->tails) {
		known->tails--;
		return 0;
	}
	call = *known;
	known->sp = 0;
	call_end(ctx, target, &call);
	return 0;
}

static __always_inline __u64 register_of(const struct pt_regs *ctx, __u32 number)
{
	const __u64 words[16] = { ctx->rax, ctx->rcx, ctx->rdx, ctx->rbx, ctx->rsp, ctx->rbp,
				  ctx->rsi, ctx->rdi, ctx->r8,	ctx->r9,  ctx->r10, ctx->r11,
				  ctx->r12, ctx->r13, ctx->r14, ctx->r15 };

	return words[number & 15];
}

static __always_inline __u64 usdt_argument(const struct pt_regs *ctx, __u64 cookie, __u32 number)
{
	__u64 spec = cookie >> number * USDT_BITS & ((1ULL << USDT_BITS) - 1), value, unused;
	__u32 bits = 8U << USDT_SIZE_SHIFT(spec);

	if (USDT_PLACE(spec) == USDT_CONSTANT)
		return USDT_OFFSET(spec);
	value = register_of(ctx, USDT_REGISTER_NR(spec));
	if (USDT_PLACE(spec) == USDT_MEMORY) {
		if (bpf_probe_read_user(&unused, sizeof(unused),
					(void *)(value + USDT_OFFSET(spec))))
			return 0;
		value = unused;
	}
	return bits < 64 ? value & ((1ULL << bits) - 1) : value;
}

/* (address, size, bytes that it stands for) */
SEC("?uprobe")
int heap_usdt_alloc(struct pt_regs *ctx)
{
	const struct target *target = target_here();
	__u64 cookie = bpf_get_attach_cookie(ctx);

	drop_count(NOTE_CALLS);
	if (!target || !is_open(target))
		return 0;
	heap_block_tell(target,
			&(struct heap_block){ .type = EV_HEAP_ALLOC,
					      .address = usdt_argument(ctx, cookie, 0),
					      .bytes = usdt_argument(ctx, cookie, 1),
					      .gap = HEAP_WEIGHTED | usdt_argument(ctx, cookie, 2),
					      .stack = caller_stack(ctx, target, false) });
	return 0;
}

SEC("?uprobe")
int heap_usdt_free(struct pt_regs *ctx)
{
	const struct target *target = target_here();
	__u64 cookie = bpf_get_attach_cookie(ctx), address;

	drop_count(NOTE_CALLS);
	if (!target)
		return 0;
	address = usdt_argument(ctx, cookie, 0);
	if (address)
		free_tell(target, address, 0);
	return 0;
}
