/* shim.h - the malloc shim that a started command carries: one private copy of the library a run,
 * so that probes at its sites (its inode) meet this run's processes and no others.
 */
#ifndef TASKDIAG_SHIM_H
#define TASKDIAG_SHIM_H

#include <stdbool.h>

#include "lib/problem.h"

struct shim;

/** Writes the copy where the task can map it: in a directory of its own, for everybody to read.
 * @python_allocators: CPython is to ask malloc for every object, also for small ones. 0 or -errno
 * with a problem. */
int shim_new(bool python_allocators, struct shim **ret, struct problem *problem);
/** Removes the copy. What has it mapped keeps it. NULL is fine. */
void shim_free(struct shim *s);

const char *shim_path(const struct shim *s);

/** In the child, before its exec: the loader of the command's program is to load the copy, before
 * what it would load anyway. 0 or -errno. */
int shim_environment(const struct shim *s);

#endif
