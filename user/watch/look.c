/* look.c - see look.h */
#include "watch/look.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"

static void read_link(uint32_t pid, const char *name, char *ret, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	n = readlink(path, ret, size - 1);
	ret[n > 0 ? n : 0] = 0;
}

static size_t read_file(uint32_t pid, const char *name, char *ret, size_t size)
{
	_cleanup_close_ int fd = -1;
	size_t have = 0;
	char path[64];
	ssize_t n = 0;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && have < size - 1 && (n = read(fd, ret + have, size - 1 - have)) > 0)
		have += n;
	ret[have] = 0;
	return have;
}

/* Arguments with spaces between: what ps shows. */
static void read_command(uint32_t pid, char *ret, size_t size)
{
	size_t n = read_file(pid, "cmdline", ret, size);

	while (n && !ret[n - 1])
		n--;
	for (size_t i = 0; i < n; i++)
		if (!ret[i])
			ret[i] = ' ';
}

/* The path in the hierarchy that says most: v2's, or on a host with both the longest of v1's. */
static void read_cgroup(uint32_t pid, char *ret, size_t size)
{
	char text[LOOK_BYTES], *line, *rest = text;

	ret[0] = 0;
	read_file(pid, "cgroup", text, sizeof(text));
	while ((line = strsep(&rest, "\n"))) {
		char *controllers = strchr(line, ':'), *path;

		path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (path && strlen(path + 1) > strlen(ret))
			snprintf(ret, size, "%s", path + 1);
	}
}

static uint64_t start_of(uint32_t pid)
{
	char text[1024], *name_end;
	unsigned long long ticks = 0;

	read_file(pid, "stat", text, sizeof(text));
	name_end = strrchr(text, ')');
	if (!name_end ||
	    sscanf(
		name_end + 1,
		" %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		&ticks) != 1)
		return 0;
	return ticks * (1000000000ULL / sysconf(_SC_CLK_TCK));
}

/* /proc tells starts in ticks. */
static bool is_the_same(const struct event_header *h)
{
	uint64_t start = start_of(h->pid), tick = 1000000000ULL / sysconf(_SC_CLK_TCK);

	return start / tick == h->start_ns / tick;
}

static bool asks(const struct rules *rules, size_t offset)
{
	for (size_t i = 0; i < rules->count; i++)
		if (((const struct pattern *)((const char *)&rules->rule[i] + offset))->text)
			return true;
	return false;
}

#define ASKS(rules, member) asks(rules, offsetof(struct rule, member))

static const char *known(const char *text)
{
	return text[0] ? text : NULL;
}

void look_at(const struct rules *rules, const struct task_event *e, const char *directory,
	     enum rule_moment moment, struct look *ret)
{
	uint32_t pid = e->h.pid;

	memcpy(ret->comm, e->name, sizeof(ret->comm));
	memcpy(ret->parent_comm, e->parent_name, sizeof(ret->parent_comm));
	ret->comm[NAME_BYTES - 1] = ret->parent_comm[NAME_BYTES - 1] = 0;
	ret->exe[0] = ret->command[0] = ret->directory[0] = ret->cgroup[0] = 0;
	if (ASKS(rules, exe))
		read_link(pid, "exe", ret->exe, sizeof(ret->exe));
	if (ASKS(rules, command))
		read_command(pid, ret->command, sizeof(ret->command));
	if (ASKS(rules, directory))
		read_link(pid, "cwd", ret->directory, sizeof(ret->directory));
	if (ASKS(rules, cgroup) || ASKS(rules, unit) || ASKS(rules, id_cgroup))
		read_cgroup(pid, ret->cgroup, sizeof(ret->cgroup));
	if (!is_the_same(&e->h)) /* it has ended meanwhile, and its pid may be another's */
		ret->exe[0] = ret->command[0] = ret->directory[0] = ret->cgroup[0] = 0;
	if (!ret->directory[0])
		snprintf(ret->directory, sizeof(ret->directory), "%s", directory);
	ret->process = (struct rule_process){
		.moment = moment,
		.comm = ret->comm,
		.parent_comm = ret->parent_comm,
		.exe = known(ret->exe),
		.command = known(ret->command),
		.directory = known(ret->directory),
		.cgroup = known(ret->cgroup),
	};
}
