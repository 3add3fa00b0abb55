/* mounts.h - is a file system one whose server may let us wait for ever (FUSE)? Found without
 * asking the file system itself: from /proc/PID/mountinfo. */
#ifndef TASKDIAG_MOUNTS_H
#define TASKDIAG_MOUNTS_H

#include <stdbool.h>
#include <sys/types.h>

/** One line of mountinfo, without its newline, changed. 1: it is a FUSE mount; 0: another;
 * -EBADMSG: not such a line. */
int mounts_parse(char *line, dev_t *ret_device, int *ret_id);

/** Is it safe to ask files of @device (as maps tells it), or of the mount number @id (-1: any), in
 * the mount namespace of @pid or in ours? False when no such mount is there. */
bool mounts_safe(pid_t pid, dev_t device, int id);

#endif
