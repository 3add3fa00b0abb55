/* profile.h - what bpf/ and user/ share about the profile: causes of waits.
 *
 * A period mark is one tick of a thread's own clock of wall time: marks stand at start + phase + k
 * * period, from the thread's first to its last moment. Each mark belongs to what the thread did at
 * that moment; wall time = marks × period.
 */
#ifndef TASKDIAG_PROFILE_H
#define TASKDIAG_PROFILE_H

#include <linux/types.h>

enum cause {
	CAUSE_CPU,	 /* it ran, in user mode */
	CAUSE_KERNEL,	 /* it ran, in the kernel */
	CAUSE_UNSAMPLED, /* it ran, but no clock event hit it */
	CAUSE_RUN_QUEUE, /* ready, but others had the CPU */
	CAUSE_THROTTLED, /* out of its cgroup's quota */
	CAUSE_LOCK,	 /* futex */
	CAUSE_GIL,	 /* CPython's global interpreter lock */
	CAUSE_SLEEP,	 /* nanosleep and its like */
	CAUSE_EPOLL,
	CAUSE_POLL, /* poll, select */
	CAUSE_SOCKET,
	CAUSE_PIPE,
	CAUSE_DISK,
	CAUSE_TTY,
	CAUSE_PAGE_FAULT,
	CAUSE_CHILD,   /* wait for a child, vfork */
	CAUSE_SIGNAL,  /* pause, sigsuspend, sigtimedwait */
	CAUSE_RECLAIM, /* the kernel made room for memory it asked for */
	CAUSE_STOPPED, /* SIGSTOP, a debugger */
	CAUSE_FROZEN,  /* cgroup freezer */
	CAUSE_SYSCALL, /* another one; its number goes with it */
	CAUSE_UNKNOWN, /* a wait outside of any syscall that is no page fault */
	CAUSE_MAX,
};

#endif
