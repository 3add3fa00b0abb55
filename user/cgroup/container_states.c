/* container_states.c - what container runtimes keep on disk of their containers.
 *
 *   directories of runc and crun: state.json, status ──► id, path of the cgroup
 *   docker, podman, CRI-O: lists of containers ──► id, name
 *
 * Where they are: runc 1.x (docker, containerd and CRI-O start it with a --root of their own),
 * crun 1.x, docker 20 and later, podman 4, nerdctl 1, CRI-O 1.2x.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup/container_private.h"
#include "lib/cleanup.h"

#define STATE_MAX (8u << 20) /* bytes of a file */
#define ENTRIES_MAX 16384    /* of a directory */

static json_t *load(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    st.st_size > STATE_MAX)
		return NULL;
	text = malloc((size_t)st.st_size);
	n = text ? read(fd, text, (size_t)st.st_size) : -1;
	return n > 0 ? json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, NULL) : NULL;
}

static void copy(char *to, size_t size, const json_t *text)
{
	const char *s = json_string_value(text);

	snprintf(to, size, "%s", s ? s : "");
}

/* What is no plain name is passed over. */
typedef void (*entry_fn)(struct candidates *all, const char *runtime, const char *place,
			 const char *entry);

static void each(const char *root, const char *where, const char *runtime, entry_fn fn,
		 struct candidates *all)
{
	char place[PATH_MAX];
	struct dirent *d;
	DIR *dir;

	if (snprintf(place, sizeof(place), "%s%s", root, where) >= (int)sizeof(place))
		return;
	dir = opendir(place);
	for (int n = 0; dir && n < ENTRIES_MAX && (d = readdir(dir)); n++)
		if (d->d_name[0] != '.')
			fn(all, runtime, place, d->d_name);
	if (dir)
		closedir(dir);
}

static json_t *load_below(const char *place, const char *entry, const char *file)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s%s", place, entry, file) >= (int)sizeof(path))
		return NULL;
	return load(path);
}

/* "cgroup_paths": {"memory": "/sys/fs/cgroup/memory/x", …}, or {"": "/sys/fs/cgroup/x"} on v2. */
static void runc_state(struct candidates *all, const char *runtime, const char *place,
		       const char *entry)
{
	struct candidate c = { .runtime = runtime };
	json_t *state, *paths, *path;

	snprintf(c.id, sizeof(c.id), "%.71s", entry);
	if (!container_fits(&c, all->wanted))
		return;
	state = load_below(place, entry, "/state.json");
	paths = json_object_get(state, "cgroup_paths");
	path = json_object_get(paths, "memory");
	copy(c.path, sizeof(c.path), path ? path : json_object_get(paths, ""));
	candidates_add(all, &c);
	json_decref(state);
}

static void crun_state(struct candidates *all, const char *runtime, const char *place,
		       const char *entry)
{
	struct candidate c = { .runtime = runtime };
	json_t *state;

	snprintf(c.id, sizeof(c.id), "%.71s", entry);
	if (!container_fits(&c, all->wanted))
		return;
	state = load_below(place, entry, "/status");
	copy(c.path, sizeof(c.path), json_object_get(state, "cgroup-path"));
	candidates_add(all, &c);
	json_decref(state);
}

/* "Name": "/shop" */
static void docker_config(struct candidates *all, const char *runtime, const char *place,
			  const char *entry)
{
	json_t *config = load_below(place, entry, "/config.v2.json");
	const char *name = json_string_value(json_object_get(config, "Name"));
	struct candidate c = { .runtime = runtime };

	snprintf(c.id, sizeof(c.id), "%.71s", entry);
	snprintf(c.name, sizeof(c.name), "%s", name ? name + (*name == '/') : "");
	candidates_add(all, &c);
	json_decref(config);
}

/* Annotations that the kubelet gives: pod and container. */
static void crio_config(struct candidates *all, const char *runtime, const char *place,
			const char *entry)
{
	json_t *config = load_below(place, entry, "/userdata/config.json");
	json_t *notes = json_object_get(config, "annotations");
	const char *container =
	    json_string_value(json_object_get(notes, "io.kubernetes.container.name"));
	const char *pod = json_string_value(json_object_get(notes, "io.kubernetes.pod.name"));
	struct candidate c = { .runtime = runtime };

	snprintf(c.id, sizeof(c.id), "%.71s", entry);
	if (container && pod)
		snprintf(c.name, sizeof(c.name), "%.120s/%.120s", pod, container);
	candidates_add(all, &c);
	json_decref(config);
}

/* A file for each name, in it the id: /var/lib/nerdctl/<host>/names/<namespace>/<name> */
static void nerdctl_name(struct candidates *all, const char *runtime, const char *place,
			 const char *entry)
{
	struct candidate c = { .runtime = runtime };
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s/%s", place, entry) >= (int)sizeof(path))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	n = fd < 0 ? -1 : read(fd, c.id, sizeof(c.id) - 1);
	if (n <= 0)
		return;
	c.id[strcspn(c.id, "\n")] = 0;
	snprintf(c.name, sizeof(c.name), "%s", entry);
	candidates_add(all, &c);
}

static void nerdctl_namespace(struct candidates *all, const char *runtime, const char *place,
			      const char *entry)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", place, entry) < (int)sizeof(path))
		each("", path, runtime, nerdctl_name, all);
}

static void nerdctl_host(struct candidates *all, const char *runtime, const char *place,
			 const char *entry)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s/names", place, entry) < (int)sizeof(path))
		each("", path, runtime, nerdctl_namespace, all);
}

/* [{"id": "…", "names": ["shop"]}] */
static void podman_list(const char *root, const char *where, struct candidates *all)
{
	char path[PATH_MAX];
	json_t *list, *entry, *name;
	size_t i, k;

	snprintf(path, sizeof(path), "%s%s", root, where);
	list = load(path);
	json_array_foreach(list, i, entry)
	{
		json_array_foreach(json_object_get(entry, "names"), k, name)
		{
			struct candidate c = { .runtime = "podman" };

			copy(c.id, sizeof(c.id), json_object_get(entry, "id"));
			copy(c.name, sizeof(c.name), name);
			candidates_add(all, &c);
		}
	}
	json_decref(list);
}

static const struct {
	const char *runtime, *place;
	entry_fn fn;
} places[] = {
	{ "docker", "/run/docker/runtime-runc/moby", runc_state },
	{ "containerd", "/run/containerd/runc/k8s.io", runc_state },
	{ "containerd", "/run/containerd/runc/default", runc_state },
	{ "runc", "/run/runc", runc_state },
	{ "crun", "/run/crun", crun_state },
	{ "docker", "/var/lib/docker/containers", docker_config },
	{ "containerd", "/var/lib/nerdctl", nerdctl_host },
	{ "cri-o", "/run/containers/storage/overlay-containers", crio_config },
};

void container_states(const char *root, struct candidates *all)
{
	podman_list(root, "/var/lib/containers/storage/overlay-containers/containers.json", all);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		each(root, places[i].place, places[i].runtime, places[i].fn, all);
}
