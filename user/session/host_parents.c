/* host_parents.c - processes whose children become tasks without an exec: a child begins with its
 * parent's mappings, so the tables of these stand before it is born, and its first stack is whole.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "session/host_private.h"
#include "unwind/unwinder.h"

bool host_parent_known(const struct host *h, uint32_t tgid, uint64_t start_ns)
{
	for (size_t i = 0; i < h->parent_count; i++)
		if (h->parents[i].tgid == tgid && h->parents[i].start_ns == start_ns)
			return true;
	return false;
}

void host_parent_meet(struct host *h, uint32_t tgid, uint32_t pid, uint64_t start_ns)
{
	if (!h->unwinder || tgid <= 1 || h->parent_count == PARENTS_MAX)
		return;
	for (size_t i = 0; i < h->parent_count; i++)
		if (h->parents[i].tgid == tgid)
			return;
	h->parents[h->parent_count++] = (struct host_parent){ start_ns, tgid, pid };
	unwinder_process(h->unwinder, tgid, pid, start_ns, true);
}

void host_parents_check(struct host *h)
{
	for (size_t i = h->parent_count; i-- > 0;) {
		struct host_parent *p = &h->parents[i];

		if (!kill(p->pid, 0) || errno != ESRCH)
			continue;
		unwinder_exit(h->unwinder, p->tgid, p->start_ns);
		*p = h->parents[--h->parent_count];
	}
}

static bool comm_of(const char *pid, char ret[NAME_BYTES + 1])
{
	_cleanup_close_ int fd = -1;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, ret, NAME_BYTES);
	if (n <= 0)
		return false;
	ret[n] = 0;
	ret[strcspn(ret, "\n")] = 0;
	return true;
}

static bool is_asked_for(const struct host *h, const char *name)
{
	for (size_t i = 0; i < h->config.rule_count; i++) {
		const struct watch_rule *r = &h->config.rules[i];

		if (r->moments & (WATCH_FORK | WATCH_CHDIR) && r->parent_name[0] &&
		    !strncmp(r->parent_name, name, NAME_BYTES))
			return true;
	}
	return false;
}

/* Their pids are what we see: in another pid namespace than the initial one they are met by their
 * first task instead. */
void host_parents_find(struct host *h)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	char name[NAME_BYTES + 1];

	while (processes && (entry = readdir(processes)))
		if (isdigit((unsigned char)entry->d_name[0]) && comm_of(entry->d_name, name) &&
		    is_asked_for(h, name))
			host_parent_meet(h, atoi(entry->d_name), atoi(entry->d_name), 1);
	if (processes)
		closedir(processes);
}
