/* container_tree.c - containers and units by the names of their cgroups.
 *
 *   docker-<id>.scope, libpod-<id>.scope, cri-containerd-<id>.scope, crio-<id>.scope (systemd
 * drivers) /docker/<id>, /libpod_parent/libpod-<id>, /k8s.io/<id>, /kubepods/…/<id>       (cgroupfs
 * drivers) x.service, x.scope, x.slice; the name of any other cgroup
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup/container_private.h"
#include "lib/cleanup.h"

#define DIRECTORIES_MAX 65536
#define DEPTH_MAX 64
#define ID_CHARACTERS 64

struct walk {
	struct candidates *all;
	size_t seen;
	char path[1024];
};

static const struct {
	const char *prefix, *suffix, *runtime;
} forms[] = {
	{ "docker-", ".scope", "docker" },
	{ "libpod-", ".scope", "podman" },
	{ "libpod-", "", "podman" },
	{ "cri-containerd-", ".scope", "containerd" },
	{ "nerdctl-", ".scope", "containerd" },
	{ "crio-", ".scope", "cri-o" },
	{ "", "", "docker" },
};

static bool is_id(const char *s, size_t length)
{
	return length == ID_CHARACTERS && strspn(s, "0123456789abcdef") >= length;
}

static bool is_unit(const char *name)
{
	static const char *const kinds[] = { ".service", ".scope", ".slice" };
	size_t length = strlen(name);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (length > strlen(kinds[i]) &&
		    !strcmp(name + length - strlen(kinds[i]), kinds[i]))
			return true;
	return false;
}

static void look(struct walk *w, const char *name)
{
	struct candidate c = { .runtime = NULL };
	size_t length = strlen(name);

	if (snprintf(c.path, sizeof(c.path), "%s/%s", w->path, name) >= (int)sizeof(c.path))
		return;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		size_t before = strlen(forms[i].prefix), after = strlen(forms[i].suffix);

		if (length < before + after || strncmp(name, forms[i].prefix, before) ||
		    strcmp(name + length - after, forms[i].suffix) ||
		    !is_id(name + before, length - before - after))
			continue;
		c.runtime = forms[i].runtime;
		snprintf(c.id, sizeof(c.id), "%.64s", name + before);
		candidates_add(w->all, &c);
		return;
	}
	if (strcmp(name,
		   w->all->wanted)) /* of others no beginning is taken: "user" is no container */
		return;
	c.runtime = is_unit(name) ? "systemd" : "cgroup";
	snprintf(c.id, sizeof(c.id), "%.71s", name);
	candidates_add(w->all, &c);
}

/* Takes @fd. */
static void descend(struct walk *w, int fd, int depth)
{
	size_t length = strlen(w->path);
	DIR *dir = fdopendir(fd);
	struct dirent *d;

	if (!dir) {
		close(fd);
		return;
	}
	while ((d = readdir(dir)) && w->seen < DIRECTORIES_MAX) {
		int below;

		if (d->d_type != DT_DIR || d->d_name[0] == '.')
			continue;
		w->seen++;
		look(w, d->d_name);
		below = depth < DEPTH_MAX && length + strlen(d->d_name) + 2 < sizeof(w->path)
			    ? openat(dirfd(dir), d->d_name,
				     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
			    : -1;
		if (below < 0)
			continue;
		snprintf(w->path + length, sizeof(w->path) - length, "/%s", d->d_name);
		descend(w, below, depth + 1);
		w->path[length] = 0;
	}
	closedir(dir);
}

int container_tree(struct candidates *all, struct problem *problem)
{
	struct walk w = { .all = all };
	struct cgroup *root = NULL;
	int err = cgroup_open("/", &root, problem), fd;

	if (err)
		return err;
	fd = openat(cgroup_dirfd(root), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		descend(&w, fd, 0);
	cgroup_free(root);
	return 0;
}
