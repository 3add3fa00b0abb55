/* cgroup.c - see cgroup.h */
#include "cgroup/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cgroup/mounts.h"
#include "lib/cleanup.h"

#define KEPT 24 /* files that are read again and again */
#define PATH_BYTES 8192

/* A file that stays open: a read then costs one system call. */
struct kept {
	const char *controller; /* NULL: of its own directory */
	char file[40];
	int fd; /* or -errno: it is not there */
};

struct cgroup {
	int fd, version, hierarchy;
	uint64_t id;
	char controllers[128];
	char *path;
	struct kept kept[KEPT];
	size_t kept_count;
};

static bool is_cgroup(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) &&
	       (fs.f_type == CGROUP_SUPER_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC);
}

/* Never out of @dirfd, whatever a path says. */
static int open_below(int dirfd, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	int fd;

	while (*path == '/')
		path++;
	if (!*path)
		path = ".";
	fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	if (fd < 0 && errno == ENOSYS) { /* before 5.6 */
		if (strstr(path, ".."))
			return -EXDEV;
		fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	}
	return fd < 0 ? -errno : fd;
}

static const struct cgroup_mount *mount_of(const struct cgroup_mounts *mounts, int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return NULL;
	for (size_t i = 0; i < mounts->count; i++)
		if (mounts->list[i].device == st.st_dev)
			return &mounts->list[i];
	return NULL;
}

/* What is below @prefix of @path: "/x" of "/a/x" with "/a". NULL: it is not. */
static const char *below(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);

	while (n && prefix[n - 1] == '/')
		n--;
	if (strncmp(path, prefix, n) || (path[n] && path[n] != '/'))
		return NULL;
	return path + n;
}

/* From the root of its hierarchy: where it is mounted goes, what is mounted there comes. */
static char *path_in(const struct cgroup_mounts *mounts, int fd)
{
	char link[64], where[PATH_BYTES], *path = NULL;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, where, sizeof(where) - 1);
	if (n < 0)
		return NULL;
	where[n] = 0;
	for (size_t i = 0; i < mounts->count; i++) {
		const struct cgroup_mount *m = &mounts->list[i];
		const char *rest = below(where, m->point);
		const char *root = strcmp(m->root, "/") ? m->root : "";

		if (!rest || mount_of(mounts, fd) == NULL ||
		    mount_of(mounts, fd)->device != m->device)
			continue;
		if (asprintf(&path, "%s%s", root, *rest || *root ? rest : "/") < 0)
			return NULL;
		return path;
	}
	return strdup(where);
}

static int is_wanted(const struct cgroup_mount *m)
{
	return m->version == 2 || cgroup_controllers_have(m->controllers, "memory");
}

static int wrong_controller(const char *path, const struct cgroup_mount *m, const char *in,
			    struct problem *problem)
{
	return problem_set(
	    problem, -EINVAL,
	    "cgroup %.200s: that is the hierarchy of %s, which counts no memory; name "
	    "the one of memory: --cgroup %.200s",
	    path, m->controllers[0] ? m->controllers : "no controller", in ? in : "/");
}

static int take(int *fd, const char *path, const struct cgroup_mounts *mounts, struct cgroup **ret,
		struct problem *problem)
{
	const struct cgroup_mount *m = mount_of(mounts, *fd);
	_cleanup_free_ char *in = path_in(mounts, *fd);
	struct cgroup *c;
	struct stat st;

	if (!m || !in || fstat(*fd, &st))
		return problem_set(
		    problem, -EINVAL,
		    "cgroup %.200s: its mount is not in /proc/self/mountinfo: is /proc "
		    "that of this mount namespace?",
		    path);
	if (!is_wanted(m))
		return wrong_controller(path, m, in, problem);
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	*c = (struct cgroup){ .fd = take_fd(fd),
			      .version = m->version,
			      .hierarchy = m->hierarchy,
			      .id = st.st_ino,
			      .path = take_ptr(in) };
	memcpy(c->controllers, m->controllers, sizeof(c->controllers));
	*ret = c;
	return 0;
}

/* In one mount: the path as it is, or without what of the hierarchy is not mounted. */
static int open_in_mount(const struct cgroup_mount *m, const char *path)
{
	_cleanup_close_ int dirfd = open(m->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *rest = strcmp(m->root, "/") ? below(path, m->root) : NULL;
	int fd;

	if (dirfd < 0)
		return -errno;
	if (!is_cgroup(dirfd))
		return -ENOENT; /* something else is mounted over it */
	fd = rest ? open_below(dirfd, rest) : -ENOENT;
	return fd >= 0 ? fd : open_below(dirfd, path);
}

/* Where memory is counted first. */
static int open_relative(const struct cgroup_mounts *mounts, const char *path)
{
	int err = -ENOENT;

	for (int v1 = 1; v1 >= 0; v1--)
		for (size_t i = 0; i < mounts->count; i++) {
			const struct cgroup_mount *m = &mounts->list[i];
			int fd;

			if (!is_wanted(m) || (m->version == 1) != v1)
				continue;
			fd = open_in_mount(m, path);
			if (fd >= 0)
				return fd;
			err = fd;
		}
	return err;
}

static int open_absolute(const char *path)
{
	int fd = path[0] == '/' ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0 && !is_cgroup(fd)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int cgroup_open(const char *path, struct cgroup **ret, struct problem *problem)
{
	_cleanup_free_ struct cgroup_mounts *mounts = malloc(sizeof(*mounts));
	_cleanup_close_ int fd = -1;
	int err = mounts ? cgroup_mounts_read(mounts) : -ENOMEM;

	if (err)
		return problem_set(problem, err, "cgroup %.200s: /proc/self/mountinfo: %s", path,
				   strerror(-err));
	if (!mounts->count)
		return problem_set(
		    problem, -EOPNOTSUPP,
		    "cgroup %.200s: no cgroup file system is mounted: mount -t cgroup2 "
		    "cgroup2 /sys/fs/cgroup",
		    path);
	fd = open_absolute(path);
	if (fd < 0)
		fd = open_relative(mounts, path);
	if (fd < 0)
		return problem_set(
		    problem, fd,
		    "cgroup %.200s: %s; name a directory below /sys/fs/cgroup, or a path as "
		    "/proc/PID/cgroup has it",
		    path, fd == -ENOENT ? "there is none" : strerror(-fd));
	return take(&fd, path, mounts, ret, problem);
}

void cgroup_free(struct cgroup *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->kept_count; i++)
		if (c->kept[i].fd >= 0)
			close(c->kept[i].fd);
	close(c->fd);
	free(c->path);
	free(c);
}

uint64_t cgroup_id(const struct cgroup *c)
{
	return c->id;
}

int cgroup_hierarchy(const struct cgroup *c)
{
	return c->hierarchy;
}

int cgroup_version(const struct cgroup *c)
{
	return c->version;
}

int cgroup_dirfd(const struct cgroup *c)
{
	return c->fd;
}

const char *cgroup_path(const struct cgroup *c)
{
	return c->path;
}

const char *cgroup_name(const struct cgroup *c)
{
	const char *slash = strrchr(c->path, '/');

	return slash && slash[1] ? slash + 1 : "/";
}

/* A removed directory has no files any more, though its descriptor lives on. */
bool cgroup_is_there(const struct cgroup *c)
{
	return !faccessat(c->fd, "cgroup.procs", F_OK, 0);
}

/* The directory with the same path where @controller is; with v2 all are in one. */
static int open_beside(const struct cgroup *c, const char *controller, const char *file)
{
	_cleanup_free_ struct cgroup_mounts *mounts = malloc(sizeof(*mounts));

	if (!mounts || cgroup_mounts_read(mounts))
		return -ENOENT;
	for (size_t i = 0; i < mounts->count; i++) {
		const struct cgroup_mount *m = &mounts->list[i];
		_cleanup_close_ int dirfd = -1;

		if (m->version != 1 || !cgroup_controllers_have(m->controllers, controller))
			continue;
		dirfd = open_in_mount(m, c->path);
		if (dirfd >= 0)
			return openat(dirfd, file, O_RDONLY | O_CLOEXEC);
	}
	return -ENOENT;
}

static int open_kept(struct cgroup *c, const char *controller, const char *file)
{
	struct kept *k;
	int fd;

	for (size_t i = 0; i < c->kept_count; i++)
		if (!c->kept[i].controller == !controller && !strcmp(c->kept[i].file, file))
			return c->kept[i].fd;
	if (c->kept_count == KEPT || strlen(file) >= sizeof(k->file))
		return -E2BIG;
	fd = controller && c->version == 1 ? open_beside(c, controller, file)
					   : openat(c->fd, file, O_RDONLY | O_CLOEXEC);
	k = &c->kept[c->kept_count++];
	*k = (struct kept){ .controller = controller, .fd = fd < 0 ? -ENOENT : fd };
	snprintf(k->file, sizeof(k->file), "%s", file);
	return k->fd;
}

ssize_t cgroup_read(struct cgroup *c, const char *controller, const char *file, char *text,
		    size_t size)
{
	int fd = open_kept(c, controller, file);
	size_t length = 0;
	ssize_t n;

	if (fd < 0)
		return cgroup_is_there(c) ? fd : -ENODEV;
	do {
		n = pread(fd, text + length, size - 1 - length, (off_t)length);
		length += n > 0 ? (size_t)n : 0;
	} while (n > 0 && length < size - 1);
	if (n < 0)
		return -errno;
	text[length] = 0;
	return (ssize_t)length;
}

int cgroup_write(struct cgroup *c, const char *file, const char *text)
{
	_cleanup_close_ int fd = openat(c->fd, file, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

bool cgroup_has_memory(struct cgroup *c, struct problem *problem)
{
	const char *file = c->version == 1 ? "memory.usage_in_bytes" : "memory.current";

	if (!faccessat(c->fd, file, F_OK, 0))
		return true;
	if (!cgroup_controllers_have(c->controllers, "memory") &&
	    faccessat(c->fd, "cgroup.controllers", F_OK, 0) == 0)
		problem_set(problem, -ENOENT,
			    "%.200s: the memory controller is not on here: its processes are told, "
			    "its own counters are not",
			    c->path);
	else
		problem_set(problem, -ENOENT, "%.200s: %s: no such file", c->path, file);
	return false;
}
