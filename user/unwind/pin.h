/* pin.h - opens a file that a task has mapped, without trusting the task: never a FIFO, a device or
 * a FUSE file (opening one may block for ever), never another file of the same name. */
#ifndef TASKDIAG_PIN_H
#define TASKDIAG_PIN_H

#include <stdint.h>
#include <sys/types.h>

#include "unwind/maps.h"

/* Who a file is, by the kernel's word. Equal: the same bytes, if its file system keeps its times.
 */
struct pin_identity {
	uint64_t device, inode;
	uint64_t change_ns; /* ctime */
	uint64_t size;
	uint64_t filesystem; /* f_fsid: devices are numbered anew at boot */
};

/**
 * Tries /proc/@pid/map_files, then the path below the process's root, then below ours; the last two
 * only if they are the file that @region tells of. Returns a read-only fd; or -errno with *ret_why,
 * a static sentence.
 */
int pin_open(pid_t pid, const struct region *region, struct pin_identity *ret,
	     const char **ret_why);

/** Of a file that is open. 0 or -errno. */
int pin_identify(int fd, struct pin_identity *ret);

/** The kernel's own image that is mapped into every process: a memfd with the one of ours.
 * *ret_bytes: its length in the address space. -ENOENT: there is none. */
int pin_vdso(uint64_t *ret_bytes);

#endif
