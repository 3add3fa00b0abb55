/* mounts.c - see mounts.h */
#include "cgroup/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define TEXT_MAX (4u << 20) /* of mountinfo: a host of containers has thousands of mounts */

int cgroup_controllers_have(const char *controllers, const char *controller)
{
	size_t length = strlen(controller);

	for (const char *at = controllers; *at;) {
		size_t n = strcspn(at, ",");

		if (n == length && !memcmp(at, controller, n))
			return 1;
		at += n + (at[n] == ',');
	}
	return 0;
}

/* A field up to the next blank; \040 and its like are bytes. -E2BIG: it does not fit. */
static int take_path(const char *field, char *ret, size_t size)
{
	size_t n = 0;

	for (; *field; field++) {
		int byte = *field;

		if (field[0] == '\\' && field[1] >= '0' && field[1] <= '3' && field[2] >= '0' &&
		    field[2] <= '7' && field[3] >= '0' && field[3] <= '7') {
			byte = (field[1] - '0') << 6 | (field[2] - '0') << 3 | (field[3] - '0');
			field += 3;
		}
		if (n + 1 >= size)
			return -E2BIG;
		ret[n++] = (char)byte;
	}
	ret[n] = 0;
	return 0;
}

/* The super block's options name the controllers, between others that every file system has. */
static void take_controllers(char *options, struct cgroup_mount *m)
{
	static const char *const others[] = { "rw",
					      "ro",
					      "xattr",
					      "noprefix",
					      "nsdelegate",
					      "memory_localevents",
					      "clone_children",
					      "cpuset_v2_mode" };
	char *save = NULL;
	size_t n = 0;

	for (char *o = strtok_r(options, ",\n", &save); o; o = strtok_r(NULL, ",\n", &save)) {
		bool other = strncmp(o, "release_agent=", 14) == 0;

		for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
			other |= !strcmp(o, others[i]);
		if (other || n + strlen(o) + 2 > sizeof(m->controllers))
			continue;
		n += (size_t)snprintf(m->controllers + n, sizeof(m->controllers) - n, "%s%s",
				      n ? "," : "", o);
	}
}

/* proc(5): "36 35 98:0 /root /point options [tags] - type source super-options" */
static int take_mount(char *line, struct cgroup_mount *m)
{
	char *fields[6], *save = NULL, *rest = strstr(line, " - "), *type, *options;
	unsigned major, minor;

	if (!rest)
		return -EINVAL;
	*rest = 0;
	rest += 3;
	for (size_t i = 0; i < 6; i++) {
		fields[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!fields[i])
			return -EINVAL;
	}
	type = strtok_r(rest, " ", &save);
	options = type && strtok_r(NULL, " ", &save) ? strtok_r(NULL, " ", &save) : NULL;
	if (!options || (strcmp(type, "cgroup") && strcmp(type, "cgroup2")) ||
	    sscanf(fields[2], "%u:%u", &major, &minor) != 2)
		return -EINVAL;
	*m = (struct cgroup_mount){ .device = makedev(major, minor),
				    .version = strcmp(type, "cgroup2") ? 1 : 2 };
	m->hierarchy = m->version == 2 ? 0 : -1;
	if (m->version == 1)
		take_controllers(options, m);
	return take_path(fields[3], m->root, sizeof(m->root)) ||
		       take_path(fields[4], m->point, sizeof(m->point))
		   ? -E2BIG
		   : 0;
}

/* "4:memory:/x": the number of the hierarchy that has these controllers. */
static void take_hierarchy(const char *line, struct cgroup_mounts *ret)
{
	char controllers[128];
	int hierarchy;

	if (sscanf(line, "%d:%127[^:]:", &hierarchy, controllers) != 2 || hierarchy <= 0)
		return;
	controllers[strcspn(controllers, ",")] = 0;
	for (size_t i = 0; i < ret->count; i++)
		if (ret->list[i].version == 1 &&
		    cgroup_controllers_have(ret->list[i].controllers, controllers))
			ret->list[i].hierarchy = hierarchy;
}

void cgroup_mounts_parse(char *mountinfo, char *cgroup, struct cgroup_mounts *ret)
{
	char *save = NULL;

	ret->count = 0;
	for (char *line = strtok_r(mountinfo, "\n", &save); line && ret->count < CGROUP_MOUNTS_MAX;
	     line = strtok_r(NULL, "\n", &save))
		if (!take_mount(line, &ret->list[ret->count]))
			ret->count++;
	for (char *line = strtok_r(cgroup, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		take_hierarchy(line, ret);
}

static int read_whole(const char *path, char **ret)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *text = NULL;
	size_t room = 0, length = 0, n;

	if (!file)
		return -errno;
	do {
		char *grown = realloc(text, room + 65536);

		if (!grown)
			return -ENOMEM;
		text = grown;
		room += 65536;
		n = fread(text + length, 1, room - length - 1, file);
		length += n;
	} while (n && length < TEXT_MAX);
	text[length] = 0;
	*ret = take_ptr(text);
	return 0;
}

int cgroup_mounts_read(struct cgroup_mounts *ret)
{
	_cleanup_free_ char *mountinfo = NULL, *cgroup = NULL;
	int err = read_whole("/proc/self/mountinfo", &mountinfo);

	if (!err)
		err = read_whole("/proc/self/cgroup", &cgroup);
	if (!err)
		cgroup_mounts_parse(mountinfo, cgroup, ret);
	return err;
}
