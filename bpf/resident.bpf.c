/* resident.bpf.c - where page faults are, and where pages go; births are told by memory.bpf.c.
 *
 *   page_fault_user, page_fault_kernel ──► faults          (see resident.bpf.h)
 *   munmap, mmap(MAP_FIXED), madvise, brk, mremap ──► EV_PAGES: died, moved
 *   mmap(MAP_POPULATE), mlock ──► EV_PAGES: born, without a fault
 *   fork ──► EV_PAGES: forked
 *
 * Deaths are told when the system call begins, while RSS is still what it was: the sum before a
 * fall is the one that can be the peak. One tracepoint each: the other system calls pay nothing.
 */
#include "resident.bpf.h"

extern char LICENSE[];

#define MAP_FIXED 0x10
#define MAP_POPULATE 0x8000
#define MADV_DONTNEED 4
#define MADV_REMOVE 9
#define MADV_DONTNEED_LOCKED 24

/* A fault that cannot bring a page: a probe, ours or another's, looks at user memory. */
static __always_inline bool fault_is_vain(__u64 address)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	/* 1 by this very read */
	return address >> 63 || BPF_CORE_READ(task, pagefault_disabled) > 1;
}

static __always_inline int fault_note(__u64 address)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct fault *fault = fault_of(tid);

	fault->address = address;
	fault->tid = tid;
	fault->told = 0;
	return 0;
}

SEC("?tp_btf/page_fault_user")
int resident_fault_user(__u64 *ctx)
{
	return fault_note(ctx[0]);
}

/* In the kernel's copies from and to user space. */
SEC("?tp_btf/page_fault_kernel")
int resident_fault_kernel(__u64 *ctx)
{
	return fault_is_vain(ctx[0]) ? 0 : fault_note(ctx[0]);
}

#define FAULT_WRITE 2 /* bit of the error code */

/* Up to 6.1, where rss_stat does not tell of each page. What kind of page it is nobody says: what
 * is written is taken for anonymous, what is read for a file's, with its neighbours. One that was
 * there only has its owner told again; of a huge page one page is seen. */
static __always_inline int fault_born(__u64 address, __u64 error)
{
	pages_born(0, address, error & FAULT_WRITE ? ANON_PAGES : FILE_PAGES, 1, 0, false);
	return 0;
}

SEC("?tp_btf/page_fault_user")
int resident_fault_user_old(__u64 *ctx)
{
	return fault_born(ctx[0], ctx[2]);
}

SEC("?tp_btf/page_fault_kernel")
int resident_fault_kernel_old(__u64 *ctx)
{
	return fault_is_vain(ctx[0]) ? 0 : fault_born(ctx[0], ctx[2]);
}

struct syscall_enter {
	__u64 common;
	__u32 nr;
	__u32 pad;
	__u64 args[6];
};

struct syscall_exit {
	__u64 common;
	__u32 nr;
	__u32 pad;
	__s64 ret;
};

/* tid modulo FAULTS → asked. */
struct asked asked[FAULTS] = {};

static __always_inline __u64 pages_of(__u64 bytes)
{
	return (bytes + (1ULL << page_shift) - 1) >> page_shift;
}

/* The range is of the current task. Of a birth it matters who asked for it. */
static __always_inline int range_tell(__u64 address, __u64 bytes, __u32 change, __u64 to)
{
	struct page_range e = { .change = change, .to = to >> page_shift, .kind = ANON_PAGES };
	struct target *target = target_here();

	if (!target || !bytes || address & ((1ULL << page_shift) - 1))
		return 0;
	e.image = target->image;
	e.first = address >> page_shift;
	e.count = pages_of(bytes);
	if (change != PAGES_MOVED && !pages_sampled(e.first, e.count))
		return 0;
	e.rss_pages = task_rss(target->task);
	if (change == PAGES_BORN || change == PAGES_FILLED)
		e.stack = stack_here(target, true);
	pages_tell(target, &e);
	return 0;
}

static __always_inline int ask(const struct syscall_enter *c, __u64 address, __u64 bytes)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct asked *a = &asked[tid & (FAULTS - 1)];

	a->address = address;
	a->bytes = bytes;
	a->tid = tid;
	a->nr = c->nr + 1;
	return 0;
}

/* What was asked for, when it has been done. */
static __always_inline struct asked *answered(const struct syscall_exit *c)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct asked *a = &asked[tid & (FAULTS - 1)];

	if (a->tid != tid || a->nr != c->nr + 1)
		return NULL;
	a->nr = 0;
	return c->ret < 0 && c->ret > -4096 ? NULL : a;
}

SEC("?tracepoint/syscalls/sys_enter_munmap")
int resident_munmap(struct syscall_enter *c)
{
	return range_tell(c->args[0], c->args[1], PAGES_DIED, 0);
}

SEC("?tracepoint/syscalls/sys_enter_madvise")
int resident_madvise(struct syscall_enter *c)
{
	__u64 advice = c->args[2];

	if (advice != MADV_DONTNEED && advice != MADV_REMOVE && advice != MADV_DONTNEED_LOCKED)
		return 0;
	return range_tell(c->args[0], c->args[1], PAGES_DIED, 0);
}

SEC("?tracepoint/syscalls/sys_enter_brk")
int resident_brk(struct syscall_enter *c)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 end = BPF_CORE_READ(task, mm, brk), wanted = c->args[0], page = 1ULL << page_shift,
	      first = (wanted + page - 1) & ~(page - 1);

	return wanted && first < end ? range_tell(first, end - first, PAGES_DIED, 0) : 0;
}

SEC("?tracepoint/syscalls/sys_enter_mmap")
int resident_mmap(struct syscall_enter *c)
{
	if (c->args[3] & MAP_POPULATE)
		ask(c, 0, c->args[1]);
	return c->args[3] & MAP_FIXED ? range_tell(c->args[0], c->args[1], PAGES_DIED, 0) : 0;
}

SEC("?tracepoint/syscalls/sys_exit_mmap")
int resident_mmapped(struct syscall_exit *c)
{
	struct asked *a = answered(c);

	return a ? range_tell(c->ret, a->bytes, PAGES_BORN, 0) : 0;
}

SEC("?tracepoint/syscalls/sys_enter_mremap")
int resident_mremap(struct syscall_enter *c)
{
	__u64 was = c->args[1], wanted = c->args[2];

	ask(c, c->args[0], wanted < was ? wanted : was);
	return wanted < was ? range_tell(c->args[0] + wanted, was - wanted, PAGES_DIED, 0) : 0;
}

SEC("?tracepoint/syscalls/sys_exit_mremap")
int resident_mremapped(struct syscall_exit *c)
{
	struct asked *a = answered(c);

	if (!a || (__u64)c->ret == a->address)
		return 0;
	return range_tell(a->address, a->bytes, PAGES_MOVED, c->ret);
}

/* What is there already keeps its owner: user space takes only what has none. */
SEC("?tracepoint/syscalls/sys_enter_mlock")
int resident_mlock(struct syscall_enter *c)
{
	__u64 page = 1ULL << page_shift, first = c->args[0] & ~(page - 1);

	return range_tell(first, c->args[1] + (c->args[0] - first), PAGES_FILLED, 0);
}

/* After lifecycle_fork, which has made the child's image. */
SEC("?tp_btf/sched_process_fork")
int BPF_PROG(resident_fork, struct task_struct *parent, struct task_struct *child)
{
	struct page_range e = { .change = PAGES_FORKED };
	struct target *target = target_of(parent);
	__u64 mm = (__u64)BPF_CORE_READ(child, mm);

	if (!target || parent->tgid == child->tgid || !mm || mm == target->image)
		return 0;
	e.image = target->image;
	e.to = mm;
	e.rss_pages = task_rss(target->task);
	pages_tell(target, &e);
	return 0;
}
