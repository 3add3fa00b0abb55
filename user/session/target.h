/* target.h - a running process that the user named: it exists, may be observed, and is still the
 * same one later. */
#ifndef TASKDIAG_TARGET_H
#define TASKDIAG_TARGET_H

#include <stdint.h>
#include <sys/types.h>

#include "lib/problem.h"

/**
 * Opens a pidfd on process @pid, as this pid namespace numbers it; the fd becomes readable when its
 * last thread has ended. -ESRCH gone, or a zombie; -EINVAL a thread, or a kernel thread. @ret_name:
 * at least 16 bytes, hostile.
 */
int target_open(pid_t pid, int *ret_pidfd, char ret_name[16], struct problem *problem);

/** pid of the process that traces @pid (gdb, strace), 0 if none. Probes and debuggers get along;
 * sampling stalls with a stopped task. */
pid_t target_tracer(pid_t pid);

#endif
