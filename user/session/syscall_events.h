/* syscall_events.h - single system calls as events, for programs of type tracepoint.
 *
 * Their numbers stand in tracefs. It need not be mounted: an instance of its own is asked for, that
 * no path leads to and that ends with the descriptor (fsmount(2), Linux 5.2).
 */
#ifndef TASKDIAG_SYSCALL_EVENTS_H
#define TASKDIAG_SYSCALL_EVENTS_H

struct bpf_link;
struct bpf_program;
struct syscall_events;

/** 0; -ENOENT: this kernel has none (CONFIG_FTRACE_SYSCALLS); -EPERM: it is locked down; -errno. */
int syscall_events_new(struct syscall_events **ret);
void syscall_events_free(struct syscall_events *e); /* NULL is fine; links stay */

/** Runs @program at the event that its section names: "tracepoint/syscalls/sys_enter_munmap". *ret
 * is the caller's. 0, -ENOENT, -errno. */
int syscall_events_attach(struct syscall_events *e, struct bpf_program *program,
			  struct bpf_link **ret);

#endif
