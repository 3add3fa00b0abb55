/* cgroup.h - a control group of this host: which directory it is, and how the kernel knows it.
 *
 *   path ──► hierarchy (v2; v1 with the memory controller) ──► descriptor of its directory, id
 *
 * What a host has is found by trying: mounts are read from /proc/self/mountinfo, never guessed. All
 * files are read relative to descriptors: what a path leads to later does not matter.
 */
#ifndef TASKDIAG_CGROUP_H
#define TASKDIAG_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/problem.h"

#define CGROUP_TEXT_MAX 65536 /* bytes of a file that are read at most */

struct cgroup;

/**
 * @path: of a directory of a cgroup file system ("/sys/fs/cgroup/memory/shop"), or relative to the
 * root of a hierarchy, with or without the slash, as /proc/PID/cgroup has it
 * ("/system.slice/x.service"). A relative one is looked for where the memory controller is first,
 * then in the other hierarchy of a hybrid host. -ENOENT; -EINVAL: a directory of another v1
 * controller: the problem names the one of memory; -EOPNOTSUPP: no cgroup file system is mounted.
 */
int cgroup_open(const char *path, struct cgroup **ret, struct problem *problem);
void cgroup_free(struct cgroup *c); /* NULL is fine */

/** The kernel's number of it (kernfs id = inode of its directory), unique within its hierarchy. */
uint64_t cgroup_id(const struct cgroup *c);
/** The hierarchy as /proc/self/cgroup counts them; 0: v2. */
int cgroup_hierarchy(const struct cgroup *c);
int cgroup_dirfd(const struct cgroup *c); /* of its directory; borrowed */
/** 1 or 2. On a hybrid host memory is v1 for most. */
int cgroup_version(const struct cgroup *c);
/** From the root of its hierarchy, with a leading slash; hostile (a name is any bytes). */
const char *cgroup_path(const struct cgroup *c);
/** The last part of the path, "/" for the root; hostile. */
const char *cgroup_name(const struct cgroup *c);

/** Whether its directory is there still. */
bool cgroup_is_there(const struct cgroup *c);
/**
 * Reads @file of its directory, or of the directory with the same path in the v1 hierarchy of
 * @controller ("cpu"; NULL: its own). @text is terminated. Length; -ENODEV or -ENOENT once it has
 * been removed, -ENOENT also where the file is not there; -E2BIG beyond @size.
 */
ssize_t cgroup_read(struct cgroup *c, const char *controller, const char *file, char *text,
		    size_t size);
/** Writes @text to @file of its own directory. 0 or -errno. */
int cgroup_write(struct cgroup *c, const char *file, const char *text);

/** Whether the memory controller counts for it: its files are there. Else its processes are told,
 * but no counters; @problem says which directory has them, where that is known. */
bool cgroup_has_memory(struct cgroup *c, struct problem *problem);

#endif
