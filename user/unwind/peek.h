/* peek.h - reads memory of another process, and never waits for it.
 *
 * A page of the task may be one that another program fills when it is asked for (userfaultfd,
 * FUSE), or never. So a child of ours does the reading: one that does not answer in time is killed,
 * and the process that it read is not read again.
 */
#ifndef TASKDIAG_PEEK_H
#define TASKDIAG_PEEK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PEEK_BYTES 16384	   /* of one read, at most */
#define PEEK_NS (100ull * 1000000) /* that a read may take */

struct peek;

struct peek *peek_new(void);	/* NULL with errno set; nothing is started yet */
void peek_free(struct peek *p); /* NULL is fine */

/** How many bytes from @address on were read; 0: none, or @pid is not to be read. */
size_t peek_read(struct peek *p, pid_t pid, void *to, size_t bytes, uint64_t address);

uint64_t peek_refused(const struct peek *p); /* processes that are not read again */

#endif
