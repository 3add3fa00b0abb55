/* cleanup.h - locals that clean up after themselves.
 *
 *	_cleanup_free_ char *name = NULL;
 *	_cleanup_close_ int fd = -1;
 *
 * Always initialise such a local. take_ptr() and take_fd() hand the value to a new owner.
 */
#ifndef TASKDIAG_LIB_CLEANUP_H
#define TASKDIAG_LIB_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _cleanup_free_ _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)
#define _cleanup_fclose_ _cleanup_(cleanup_fclose)

#define take_ptr(p)                  \
	({                           \
		typeof(p) taken = p; \
		p = NULL;            \
		taken;               \
	})

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#endif
