/* container.h - from the name that a person gives a container, or a service, to its cgroup.
 *
 *   ID or its beginning ──► directories of the cgroup file system whose name holds it ──┐
 *   name ──► state files of docker, podman, containerd (nerdctl), CRI-O, runc, crun ────┼──► one
 * cgroup x.service, x.slice, x.scope ──► the directory of that name ─────────────────────────┘
 *
 * State files are read as they are on disk; no runtime's socket is spoken to. They are another
 * user's words: bounded, parsed by jansson, and a path in them counts only if a cgroup is there.
 */
#ifndef TASKDIAG_CONTAINER_H
#define TASKDIAG_CONTAINER_H

#include "cgroup/cgroup.h"

struct container {
	struct cgroup *cgroup;
	char runtime[16]; /* "docker", "podman", "containerd", "cri-o", "runc", "crun", "systemd",
			     "cgroup" */
	char id[72];	  /* whole id, or the unit's name; [A-Za-z0-9_.@-] only */
	char name[256];	  /* hostile; empty: not known */
};

/**
 * @name: an id, at least four characters of its beginning, a name, or a unit.
 * @root: "" or a directory that stands for the root of the state files, for tests.
 * -ENOENT: the problem says where was looked; -EEXIST: several fit, the problem lists them (ids and
 * names) and asks for more of it.
 */
int container_find(const char *name, const char *root, struct container *ret,
		   struct problem *problem);
void container_release(struct container *c);

#endif
