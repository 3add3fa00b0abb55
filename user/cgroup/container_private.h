/* container_private.h - what the files of container.h share: container_states.c reads what runtimes
 * keep on disk, container_tree.c what cgroups are called. */
#ifndef TASKDIAG_CONTAINER_PRIVATE_H
#define TASKDIAG_CONTAINER_PRIVATE_H

#include "cgroup/container.h"

#define CANDIDATES_MAX 10

struct candidate {
	const char *runtime;
	char id[72];
	char name[256];	 /* hostile; empty: not known */
	char path[1024]; /* of its cgroup; empty: not known */
};

struct candidates {
	const char *wanted;
	struct candidate list[CANDIDATES_MAX];
	size_t count, more; /* more: that fit, too, but are not listed */
};

bool container_fits(const struct candidate *c, const char *wanted);
/** One that fits is listed, or adds what is not known yet of the same id. */
void candidates_add(struct candidates *all, const struct candidate *c);

/** From state files below @root. */
void container_states(const char *root, struct candidates *all);
/** From the names of cgroups. */
int container_tree(struct candidates *all, struct problem *problem);

#endif
