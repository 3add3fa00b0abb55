/* pin.c - see pin.h */
#include "unwind/pin.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "unwind/mounts.h"

static const char unsafe[] = "on FUSE, or its file system is mounted no more: not opened, its "
			     "server could let us wait for ever";

/* O_PATH opens nothing: it asks no file system, and cannot block. */
static int path_of_map(pid_t pid, const struct region *r)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", pid,
		 (unsigned long long)r->start, (unsigned long long)(r->start + r->length));
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Walks only what the kernel has at hand, so that no directory on FUSE is asked (Linux 5.12). */
static int path_below(const char *root, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
				.resolve =
				    RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED };
	_cleanup_close_ int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (dir < 0)
		return -errno;
	fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

/* What the kernel knows without asking the file system. */
static int status_at_hand(int fd, struct statx *ret)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, ret) ? -errno : 0;
}

static dev_t device_of(const struct statx *st)
{
	return makedev(st->stx_dev_major, st->stx_dev_minor);
}

static int path_of_name(pid_t pid, const struct region *r)
{
	char root[64];
	struct statx st;
	int fd;

	if (r->path[0] != '/')
		return -ENOENT;
	snprintf(root, sizeof(root), "/proc/%d/root", pid);
	for (const char *below = root;; below = "/") {
		fd = path_below(below, r->path);
		if (fd >= 0 && !status_at_hand(fd, &st) && st.stx_ino == r->inode &&
		    device_of(&st) == r->device)
			return fd;
		if (fd >= 0) /* another file of that name */
			close(fd);
		if (below != root)
			return -ENOENT;
	}
}

static int mount_of(int fd)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64], line[128];
	int id;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "mnt_id: %d", &id) == 1)
			return id;
	return -1;
}

static int path_check(pid_t pid, const struct region *r, int fd, const char **ret_why)
{
	struct statx st;
	int id;

	*ret_why = "cannot be read";
	if (status_at_hand(fd, &st))
		return -errno;
	*ret_why = "not a regular file";
	if (!S_ISREG(st.stx_mode))
		return -EINVAL;
	*ret_why = unsafe;
	if (!mounts_safe(pid, r->device, -1))
		return -EINVAL;
	if (device_of(&st) == r->device)
		return 0;
	/* btrfs and overlayfs tell maps another device than stat; or the task has put another file
	 * there meanwhile */
	id = mount_of(fd);
	return id >= 0 && mounts_safe(pid, 0, id) ? 0 : -EINVAL;
}

int pin_identify(int fd, struct pin_identity *ret)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) || fstatfs(fd, &fs))
		return -errno;
	memset(ret, 0, sizeof(*ret));
	ret->device = st.st_dev;
	ret->inode = st.st_ino;
	ret->change_ns = st.st_ctim.tv_sec * NS_PER_S + st.st_ctim.tv_nsec;
	ret->size = st.st_size;
	memcpy(&ret->filesystem, &fs.f_fsid, sizeof(ret->filesystem));
	return 0;
}

int pin_open(pid_t pid, const struct region *region, struct pin_identity *ret, const char **ret_why)
{
	_cleanup_close_ int path_fd = path_of_map(pid, region);
	_cleanup_close_ int fd = -1;
	char path[64];
	int err;

	if (path_fd < 0)
		path_fd = path_of_name(pid, region);
	*ret_why = "gone before it could be opened";
	if (path_fd < 0)
		return path_fd;
	err = path_check(pid, region, path_fd, ret_why);
	if (err)
		return err;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	*ret_why = errno == EMFILE || errno == ENFILE ? "too many open files" : "cannot be read";
	if (fd < 0)
		return -errno;
	err = pin_identify(fd, ret);
	return err ? err : take_fd(&fd);
}

/* What we have mapped as [vdso] is as long as in every other 64-bit process. */
static uint64_t vdso_length(uint64_t start)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/maps", "re");
	unsigned long long from, to;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%llx-%llx", &from, &to) == 2 && from == start)
			return to - from;
	return 0;
}

int pin_vdso(uint64_t *ret_bytes)
{
	uint64_t start = getauxval(AT_SYSINFO_EHDR), length = start ? vdso_length(start) : 0;
	_cleanup_close_ int fd = -1;

	if (!length || memcmp((void *)start, ELFMAG, SELFMAG))
		return -ENOENT;
	fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, (void *)start, length) != (ssize_t)length)
		return errno ? -errno : -EIO;
	*ret_bytes = length;
	return take_fd(&fd);
}
