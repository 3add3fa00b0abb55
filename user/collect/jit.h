/* jit.h - the perf map of a process whose code is made while it runs. */
#ifndef TASKDIAG_JIT_H
#define TASKDIAG_JIT_H

#include <sys/types.h>

/** Opens /tmp/perf-PID.map of process @pid, in its root and under its own number: read-only, only
 * if its owner or root has written it. 0, or -errno: -ENOENT there is none. */
int jit_perf_map(pid_t pid, int *ret_fd);

#endif
