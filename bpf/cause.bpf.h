/* cause.bpf.h - why a thread waits: from its task flags and its syscall; no kernel stack is read.
 *
 * Most of it is still there when it wakes: the flags are put back only after schedule(), and the
 * registers of its syscall stand until it returns.
 */
#ifndef TASKDIAG_CAUSE_BPF_H
#define TASKDIAG_CAUSE_BPF_H

#include <linux/ptrace.h>

#include "profile.h"
#include "task.bpf.h"

/* What only the switch away from a thread can see. */
enum wait_state {
	WAIT_READY = 1,	   /* preempted, or it yielded */
	WAIT_STOPPED = 2,  /* TASK_STOPPED, TASK_TRACED */
	WAIT_FROZEN = 4,   /* TASK_FROZEN (Linux 6.1) */
	WAIT_DISK = 8,	   /* TASK_UNINTERRUPTIBLE */
	WAIT_IO = 16,	   /* in_iowait */
	WAIT_RECLAIM = 32, /* in_memstall */
	WAIT_THROTTLED = 64,
};

#define TASK_UNINTERRUPTIBLE 0x2
#define TASK_STOPPED_TRACED 0xc
#define TASK_FROZEN 0x8000

/* before 5.14 */
struct task_struct___state {
	long state;
} __attribute__((preserve_access_index));

#define CAUSE_BY_FD 0xff /* the kind of its first argument's file says it */
#define SYSCALLS_MAX 512

/* x86-64 system call number → cause; 0: it is told by its number. */
static const __u8 cause_of_syscall[SYSCALLS_MAX] = {
	[0] = CAUSE_BY_FD,    /* read */
	[1] = CAUSE_BY_FD,    /* write */
	[7] = CAUSE_POLL,     /* poll */
	[17] = CAUSE_BY_FD,   /* pread64 */
	[18] = CAUSE_BY_FD,   /* pwrite64 */
	[19] = CAUSE_BY_FD,   /* readv */
	[20] = CAUSE_BY_FD,   /* writev */
	[23] = CAUSE_POLL,    /* select */
	[34] = CAUSE_SIGNAL,  /* pause */
	[35] = CAUSE_SLEEP,   /* nanosleep */
	[40] = CAUSE_BY_FD,   /* sendfile: where it goes to */
	[42] = CAUSE_SOCKET,  /* connect */
	[43] = CAUSE_SOCKET,  /* accept */
	[44] = CAUSE_SOCKET,  /* sendto */
	[45] = CAUSE_SOCKET,  /* recvfrom */
	[46] = CAUSE_SOCKET,  /* sendmsg */
	[47] = CAUSE_SOCKET,  /* recvmsg */
	[57] = CAUSE_CHILD,   /* fork */
	[58] = CAUSE_CHILD,   /* vfork */
	[61] = CAUSE_CHILD,   /* wait4 */
	[74] = CAUSE_DISK,    /* fsync */
	[75] = CAUSE_DISK,    /* fdatasync */
	[128] = CAUSE_SIGNAL, /* rt_sigtimedwait */
	[130] = CAUSE_SIGNAL, /* rt_sigsuspend */
	[162] = CAUSE_DISK,   /* sync */
	[202] = CAUSE_LOCK,   /* futex */
	[230] = CAUSE_SLEEP,  /* clock_nanosleep */
	[232] = CAUSE_EPOLL,  /* epoll_wait */
	[247] = CAUSE_CHILD,  /* waitid */
	[270] = CAUSE_POLL,   /* pselect6 */
	[271] = CAUSE_POLL,   /* ppoll */
	[277] = CAUSE_DISK,   /* sync_file_range */
	[281] = CAUSE_EPOLL,  /* epoll_pwait */
	[288] = CAUSE_SOCKET, /* accept4 */
	[295] = CAUSE_BY_FD,  /* preadv */
	[296] = CAUSE_BY_FD,  /* pwritev */
	[299] = CAUSE_SOCKET, /* recvmmsg */
	[306] = CAUSE_DISK,   /* syncfs */
	[307] = CAUSE_SOCKET, /* sendmmsg */
	[441] = CAUSE_EPOLL,  /* epoll_pwait2 */
	[449] = CAUSE_LOCK,   /* futex_waitv */
};

static __always_inline __u32 task_state(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return BPF_CORE_READ(task, __state);
	return BPF_CORE_READ((struct task_struct___state *)task, state);
}

static __always_inline __u32 wait_state(struct task_struct *task, bool preempted)
{
	__u32 state = preempted ? 0 : task_state(task), waits = 0;

	if (bpf_core_field_exists(task->throttled) && BPF_CORE_READ(task, throttled))
		return WAIT_THROTTLED;
	if (!state)
		return WAIT_READY;
	if (state & TASK_STOPPED_TRACED)
		return WAIT_STOPPED;
	if (state & TASK_FROZEN)
		return WAIT_FROZEN;
	if (state & TASK_UNINTERRUPTIBLE)
		waits |= WAIT_DISK;
	if (BPF_CORE_READ_BITFIELD_PROBED(task, in_iowait))
		waits |= WAIT_IO;
	if (bpf_core_field_exists(task->in_memstall) &&
	    BPF_CORE_READ_BITFIELD_PROBED(task, in_memstall))
		waits |= WAIT_RECLAIM;
	return waits;
}

enum bpf_func_id___regs {
	BPF_FUNC_task_pt_regs___regs = 175,
};

enum bpf_func_id___current {
	BPF_FUNC_get_current_task_btf___current = 158,
};

/* The pointer that bpf_task_pt_regs() wants; before 5.11, which has it not, one to read from. */
static __always_inline struct task_struct *current_task(void)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id___current,
				       BPF_FUNC_get_current_task_btf___current))
		return bpf_get_current_task_btf();
	return (void *)bpf_get_current_task();
}

/* Registers of user space, as saved at the entry into the kernel. Since 5.15 the kernel says where
 * they are (7.x has moved them); before, they are at the very end of the kernel stack. */
static __always_inline long user_registers(struct task_struct *task, struct pt_regs *ret)
{
	void *at;

	if (bpf_core_enum_value_exists(enum bpf_func_id___regs, BPF_FUNC_task_pt_regs___regs))
		at = (void *)bpf_task_pt_regs(task);
	else
		at = BPF_CORE_READ(task, stack) + config.thread_size - sizeof(*ret);
	return bpf_probe_read_kernel(ret, sizeof(*ret), at);
}

#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define S_IFDIR 0040000
#define S_IFCHR 0020000
#define S_IFIFO 0010000

static __always_inline __u32 cause_of_fd(struct task_struct *task, __u64 fd)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd), *file = NULL;

	if (!files || fd >= BPF_CORE_READ(table, max_fds))
		return CAUSE_SYSCALL;
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	switch (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) {
	case S_IFSOCK:
		return CAUSE_SOCKET;
	case S_IFIFO:
		return CAUSE_PIPE;
	case S_IFREG:
	case S_IFBLK:
	case S_IFDIR:
		return CAUSE_DISK;
	case S_IFCHR:
		return CAUSE_TTY;
	default: /* eventfd, timerfd, signalfd … */
		return CAUSE_SYSCALL;
	}
}

/* @waits: bits of enum wait_state. *ret_detail: number of the syscall. */
static __always_inline __u32 wait_cause(struct task_struct *task, const struct pt_regs *registers,
					__u32 waits, __u64 *ret_detail)
{
	__s64 nr = registers->orig_rax;
	__u32 cause = 0;

	*ret_detail = nr;
	if (waits & WAIT_THROTTLED)
		return CAUSE_THROTTLED;
	if (waits & WAIT_READY)
		return CAUSE_RUN_QUEUE;
	if (waits & WAIT_STOPPED)
		return CAUSE_STOPPED;
	if (waits & WAIT_FROZEN)
		return CAUSE_FROZEN;
	if (waits & WAIT_RECLAIM)
		return CAUSE_RECLAIM;
	if (nr < 0)
		return waits & (WAIT_DISK | WAIT_IO) ? CAUSE_PAGE_FAULT : CAUSE_UNKNOWN;
	if (waits & WAIT_IO)
		return CAUSE_DISK;
	if (nr < SYSCALLS_MAX)
		cause = cause_of_syscall[nr & (SYSCALLS_MAX - 1)];
	if (cause == CAUSE_BY_FD)
		cause = cause_of_fd(task, registers->rdi);
	return cause ? cause : CAUSE_SYSCALL;
}

#endif
