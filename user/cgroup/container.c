/* container.c - see container.h: who fits the name, and where the cgroup of the only one is. */
#include "cgroup/container.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup/container_private.h"

#define PREFIX_MIN 4 /* of an id, characters */

bool container_fits(const struct candidate *c, const char *wanted)
{
	if (!strcmp(c->id, wanted) || (c->name[0] && !strcmp(c->name, wanted)))
		return true;
	return strlen(wanted) >= PREFIX_MIN && !strncmp(c->id, wanted, strlen(wanted));
}

/* One whole id or name is meant, though it is the beginning of others, too. */
static bool is_exact(const struct candidate *c, const char *wanted)
{
	return !strcmp(c->id, wanted) || (c->name[0] && !strcmp(c->name, wanted));
}

void candidates_add(struct candidates *all, const struct candidate *c)
{
	for (const char *at = c->id; *at; at++)
		if (!strchr(
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@:\\-+",
			*at))
			return;
	if (!c->id[0] || !container_fits(c, all->wanted))
		return;
	for (size_t i = 0; i < all->count; i++) {
		struct candidate *old = &all->list[i];

		if (strcmp(old->id, c->id))
			continue;
		/* what one source lacks another knows */
		if (!old->path[0])
			memcpy(old->path, c->path, sizeof(old->path));
		if (!old->name[0])
			memcpy(old->name, c->name, sizeof(old->name));
		return;
	}
	if (all->count == CANDIDATES_MAX) {
		all->more++;
		return;
	}
	all->list[all->count++] = *c;
}

static int ambiguous(const struct candidates *all, struct problem *problem)
{
	char list[384] = "";
	size_t n = 0;

	for (size_t i = 0; i < all->count && n < sizeof(list) - 1; i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%.12s%s%.40s", i ? ", " : "",
				      all->list[i].id, all->list[i].name[0] ? " " : "",
				      all->list[i].name);
	return problem_set(problem, -EEXIST,
			   "container %.64s: %zu fit: %s%s; give more of the one that you mean",
			   all->wanted, all->count + all->more, list, all->more ? " …" : "");
}

/* The only one that fits whole, else the only one that fits. */
static int choose(const struct candidates *all, const struct candidate **ret,
		  struct problem *problem)
{
	size_t exact = 0;

	for (size_t i = 0; i < all->count; i++)
		if (is_exact(&all->list[i], all->wanted)) {
			exact++;
			*ret = &all->list[i];
		}
	if (exact == 1)
		return 0;
	if (all->count + all->more > 1)
		return ambiguous(all, problem);
	*ret = &all->list[0];
	return all->count
		   ? 0
		   : problem_set(problem, -ENOENT,
				 "container %.64s: none has that id or name: looked in the state "
				 "of docker, podman, containerd, CRI-O, runc and crun, and for a "
				 "cgroup or unit of that name; is it running?",
				 all->wanted);
}

/* A name is known to one source, the cgroup of its id to another. */
static int find_path(const char *root, struct candidate *c, struct problem *problem)
{
	struct candidates *all = calloc(1, sizeof(*all));
	int err;

	if (!all)
		return -ENOMEM;
	all->wanted = c->id;
	container_states(root, all);
	err = container_tree(all, problem);
	for (size_t i = 0; !err && i < all->count && !c->path[0]; i++)
		if (!strcmp(all->list[i].id, c->id))
			memcpy(c->path, all->list[i].path, sizeof(c->path));
	free(all);
	if (!err && !c->path[0])
		err = problem_set(
		    problem, -ENOENT,
		    "container %.64s: %s knows it, but it has no cgroup: is it running?",
		    c->name[0] ? c->name : c->id, c->runtime);
	return err;
}

static int find(const char *name, const char *root, struct candidate *ret, struct problem *problem)
{
	struct candidates *all = calloc(1, sizeof(*all));
	const struct candidate *chosen = NULL;
	int err;

	if (!all)
		return -ENOMEM;
	all->wanted = name;
	container_states(root, all);
	err = container_tree(all, problem);
	if (!err)
		err = choose(all, &chosen, problem);
	if (!err)
		*ret = *chosen;
	free(all);
	return err || ret->path[0] ? err : find_path(root, ret, problem);
}

int container_find(const char *name, const char *root, struct container *ret,
		   struct problem *problem)
{
	struct candidate c = { .runtime = "" };
	int err = find(name, root, &c, problem);

	*ret = (struct container){ 0 };
	if (!err)
		err = cgroup_open(c.path, &ret->cgroup, problem);
	if (err)
		return err;
	snprintf(ret->runtime, sizeof(ret->runtime), "%s", c.runtime);
	memcpy(ret->id, c.id, sizeof(ret->id));
	memcpy(ret->name, c.name, sizeof(ret->name));
	return 0;
}

void container_release(struct container *c)
{
	cgroup_free(c->cgroup);
	c->cgroup = NULL;
}
