/* regions_map.c - is it a region that a process has there? Only memory that cannot shrink under us
 * is mapped: a read behind the end of a file is a SIGBUS.
 *
 * A shared anonymous mapping is a shmem file of the kernel's own mount, and the only one there that
 * is called "/dev/zero (deleted)": a memfd is "/memfd:…", and what a task makes in a tmpfs of its
 * own is on another device. No descriptor of it exists but through map_files, which needs
 * CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN in the first user namespace. So what remains: a task that
 * is root there can truncate it and end us; it could also by a signal. Pages that a task punches
 * out (MADV_REMOVE) read as zeros: no event begins so, and the ring is given up at the first.
 */
#include "collect/regions_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define ANONYMOUS "/dev/zero (deleted)"

int region_device(dev_t *ret)
{
	_cleanup_close_ int fd = memfd_create("region", MFD_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	*ret = st.st_dev;
	return 0;
}

/* The name by which the kernel knows an open file; O_PATH opens nothing, so a device is not
 * disturbed and the file cannot be another one afterwards. */
static bool is_anonymous(int fd, dev_t shmem, uint64_t bytes)
{
	char path[64], name[sizeof(ANONYMOUS)];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, name, sizeof(name)) == sizeof(ANONYMOUS) - 1 &&
	       !memcmp(name, ANONYMOUS, sizeof(ANONYMOUS) - 1) && fstat(fd, &st) == 0 &&
	       S_ISREG(st.st_mode) && st.st_dev == shmem && st.st_nlink == 0 && st.st_size >= 0 &&
	       (uint64_t)st.st_size >= bytes;
}

static int open_mapping(dev_t shmem, pid_t pid, uint64_t address, uint64_t bytes,
			struct problem *problem)
{
	_cleanup_close_ int path_fd = -1;
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", pid, address, address + bytes);
	path_fd = open(path, O_PATH | O_CLOEXEC);
	if (path_fd < 0 && (errno == ENOENT || errno == ESRCH))
		return problem_set(problem, -ENOENT,
				   "pid %d: the mapping of its malloc shim is gone", pid);
	if (path_fd < 0)
		return problem_set(problem, -errno, "%s: %s", path, strerror(errno));
	if (!is_anonymous(path_fd, shmem, bytes))
		return problem_set(problem, -EBADMSG,
				   "pid %d: what it offers as its malloc shim's memory is a file",
				   pid);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd >= 0 ? fd : problem_set(problem, -errno, "%s: %s", path, strerror(errno));
}

int region_map(dev_t shmem, pid_t pid, uint64_t address, uint64_t bytes, int *ret_fd,
	       struct region **ret, struct region *header, struct problem *problem)
{
	_cleanup_close_ int fd = -1;
	void *mapped;

	if (pid <= 0 || address & 4095 || bytes < region_bytes(4096) ||
	    bytes > region_bytes(REGION_RING_BYTES_MAX) || address + bytes < address)
		return problem_set(problem, -EBADMSG,
				   "pid %d: its malloc shim's memory has no such size", pid);
	fd = open_mapping(shmem, pid, address, bytes, problem);
	if (fd < 0)
		return fd;
	mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED)
		return problem_set(problem, -errno, "pid %d: map the memory of its malloc shim: %s",
				   pid, strerror(errno));
	*header = *(const volatile struct region *)mapped;
	if (!region_sane(header, bytes) || header->reason > REGION_FORK) {
		munmap(mapped, bytes);
		return problem_set(problem, -EBADMSG,
				   "pid %d: the memory of its malloc shim is of another version",
				   pid);
	}
	*ret = mapped;
	*ret_fd = take_fd(&fd);
	return 0;
}
