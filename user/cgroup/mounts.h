/* mounts.h - the cgroup file systems of this host, as /proc/self/mountinfo and /proc/self/cgroup
 * tell them. Parsing is pure; both texts are bounded by their reader. */
#ifndef TASKDIAG_CGROUP_MOUNTS_H
#define TASKDIAG_CGROUP_MOUNTS_H

#include <stddef.h>
#include <sys/types.h>

#define CGROUP_MOUNTS_MAX 64
#define CGROUP_MOUNT_TEXT 1024 /* of a path; a longer one is left out */

struct cgroup_mount {
	dev_t device;		       /* st_dev of everything in it */
	int version;		       /* 1, 2 */
	int hierarchy;		       /* as in /proc/self/cgroup; -1: v1, and not listed there */
	char controllers[128];	       /* of v1: "cpu,cpuacct", "name=systemd" */
	char root[CGROUP_MOUNT_TEXT];  /* which cgroup of the hierarchy is mounted: "/" for most */
	char point[CGROUP_MOUNT_TEXT]; /* where */
};

struct cgroup_mounts {
	struct cgroup_mount list[CGROUP_MOUNTS_MAX];
	size_t count;
};

/** @mountinfo, @cgroup: texts of these two files; modified. Malformed lines are skipped. */
void cgroup_mounts_parse(char *mountinfo, char *cgroup, struct cgroup_mounts *ret);
/** Of this process. 0 or -errno of /proc. */
int cgroup_mounts_read(struct cgroup_mounts *ret);

/** Whether @controllers ("cpu,cpuacct") names @controller. */
int cgroup_controllers_have(const char *controllers, const char *controller);

#endif
