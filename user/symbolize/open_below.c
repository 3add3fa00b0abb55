/* open_below.c - looks at a file before it is opened. */
#include "symbolize/open_below.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/cleanup.h"

static int check(int fd, struct stat *st)
{
	struct statfs fs;

	if (fstat(fd, st) < 0)
		return -errno;
	if (S_ISLNK(st->st_mode))
		return -ELOOP;
	if (!S_ISREG(st->st_mode))
		return -EINVAL;
	if (fstatfs(fd, &fs) < 0)
		return -errno;
	return fs.f_type == FUSE_SUPER_MAGIC ? -EINVAL : 0;
}

int open_below(const char *root, const char *path, bool follow, struct stat *ret)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW),
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	_cleanup_close_ int root_fd = -1, place = -1;
	char again[64];
	struct stat st;
	int err, fd;

	root_fd = open(*root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return -errno;
	place = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	if (place < 0)
		return -errno;
	err = check(place, &st);
	if (err)
		return err;
	/* the very file that was looked at, whatever stands at its name by now */
	snprintf(again, sizeof(again), "/proc/self/fd/%d", place);
	fd = open(again, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ret)
		*ret = st;
	return fd;
}
