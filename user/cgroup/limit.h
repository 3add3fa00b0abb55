/* limit.h - a cgroup of its own for a started command, with a limit of memory.
 *
 *   new: mkdir, memory.max (v2) or memory.limit_in_bytes (v1) ──► enter(pid) ──► free: rmdir
 *
 * It is made at the root of the hierarchy that has the memory controller, with the name
 * taskdiag-bpf-<pid of the observer>. What an observer that was killed has left there is removed by
 * the next one, if it is empty.
 */
#ifndef TASKDIAG_CGROUP_LIMIT_H
#define TASKDIAG_CGROUP_LIMIT_H

#include "cgroup/cgroup.h"

struct cgroup_limit;

/** @bytes: rounded down to whole pages by the kernel. The problem names what is missing: the
 * controller, the right to make a directory. */
int cgroup_limit_new(uint64_t bytes, struct cgroup_limit **ret, struct problem *problem);
/** Removes it, if no process is left; those that are stay, and stay limited. NULL is fine. */
void cgroup_limit_free(struct cgroup_limit *l);

struct cgroup *cgroup_limit_group(struct cgroup_limit *l); /* borrowed */
int cgroup_limit_enter(struct cgroup_limit *l, pid_t pid, struct problem *problem);

#endif
