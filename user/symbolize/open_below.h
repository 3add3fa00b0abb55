/* open_below.h - opens a file below a task's root, where every name may be a trap. */
#ifndef TASKDIAG_OPEN_BELOW_H
#define TASKDIAG_OPEN_BELOW_H

#include <stdbool.h>
#include <sys/stat.h>

/**
 * @path is resolved as if @root ("" or "/": the host's) were "/": no link and no ".." leads out of
 * it. Opens read-only, never waits for the other end of a pipe or for a lease. A file system in
 * user space could let every read wait for ever: refused. (One that is on the way to the file
 * cannot: it denies us, unless root has mounted it with allow_other.)
 * @follow: the last name may be a symbolic link.
 * The fd, *ret (may be NULL) filled; -ENOENT, -EACCES, …; -EINVAL not a regular file, or FUSE;
 * -ELOOP.
 */
int open_below(const char *root, const char *path, bool follow, struct stat *ret);

#endif
