/* limit.c - see limit.h */
#include "cgroup/limit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define PREFIX "taskdiag-bpf-"
#define RMDIR_TRIES 20
#define RMDIR_NS 5000000 /* between two: the kernel lets go of the last process a little later */

struct cgroup_limit {
	struct cgroup *root, *group;
	char name[48];
};

/* What killed observers have left there; one with processes in it refuses to go. */
static void remove_stale(const struct cgroup *root)
{
	int fd = openat(cgroup_dirfd(root), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		long pid;

		if (strncmp(d->d_name, PREFIX, sizeof(PREFIX) - 1))
			continue;
		pid = strtol(d->d_name + sizeof(PREFIX) - 1, NULL, 10);
		if (pid > 0 && kill((pid_t)pid, 0) && errno == ESRCH)
			unlinkat(cgroup_dirfd(root), d->d_name, AT_REMOVEDIR);
	}
	if (dir)
		closedir(dir);
}

static int set_limit(struct cgroup_limit *l, uint64_t bytes, struct problem *problem)
{
	const char *file = cgroup_version(l->group) == 2 ? "memory.max" : "memory.limit_in_bytes";
	char text[32];
	int err;

	snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
	err = cgroup_write(l->group, file, text);
	return err ? problem_set(problem, err, "--memory-limit: %s of cgroup %s: %s", file, l->name,
				 strerror(-err))
		   : 0;
}

static int make(struct cgroup_limit *l, uint64_t bytes, struct problem *problem)
{
	char path[64];
	int err = cgroup_open("/", &l->root, problem);

	if (err)
		return err;
	if (cgroup_version(l->root) == 2)
		err = cgroup_write(l->root, "cgroup.subtree_control", "+memory");
	if (err)
		return problem_set(problem, err,
				   "--memory-limit: the memory controller: %s; is it in "
				   "/sys/fs/cgroup/cgroup.controllers?",
				   strerror(-err));
	remove_stale(l->root);
	snprintf(l->name, sizeof(l->name), PREFIX "%d", getpid());
	if (mkdirat(cgroup_dirfd(l->root), l->name, 0755) && errno != EEXIST)
		return problem_set(
		    problem, -errno,
		    "--memory-limit: make cgroup %s: %s; needs root, and cgroups that "
		    "can be written",
		    l->name, strerror(errno));
	snprintf(path, sizeof(path), "/%s", l->name);
	err = cgroup_open(path, &l->group, problem);
	return err ? err : set_limit(l, bytes, problem);
}

int cgroup_limit_new(uint64_t bytes, struct cgroup_limit **ret, struct problem *problem)
{
	struct cgroup_limit *l = calloc(1, sizeof(*l));
	int err = l ? make(l, bytes, problem) : -ENOMEM;

	if (err) {
		cgroup_limit_free(l);
		return err;
	}
	*ret = l;
	return 0;
}

void cgroup_limit_free(struct cgroup_limit *l)
{
	const struct timespec pause = { .tv_nsec = RMDIR_NS };

	if (!l)
		return;
	cgroup_free(l->group);
	for (int i = 0; l->root && l->name[0] && i < RMDIR_TRIES; i++) {
		if (!unlinkat(cgroup_dirfd(l->root), l->name, AT_REMOVEDIR) || errno != EBUSY)
			break;
		nanosleep(&pause, NULL);
	}
	cgroup_free(l->root);
	free(l);
}

struct cgroup *cgroup_limit_group(struct cgroup_limit *l)
{
	return l->group;
}

int cgroup_limit_enter(struct cgroup_limit *l, pid_t pid, struct problem *problem)
{
	char text[16];
	int err;

	snprintf(text, sizeof(text), "%d", pid);
	err = cgroup_write(l->group, "cgroup.procs", text);
	return err ? problem_set(problem, err, "--memory-limit: enter cgroup %s: %s", l->name,
				 strerror(-err))
		   : 0;
}
