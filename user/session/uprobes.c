/* uprobes.c - see uprobes.h */
#include "session/uprobes.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "session/endings.h"
#include "session/uprobes_try.h"

#define TYPE_FILE "/sys/bus/event_source/devices/uprobe/type"
#define SEMAPHORE_SHIFT 32 /* format/ref_ctr_offset: config:32-63 */

struct uprobes {
	size_t count;
	struct {
		int link, event; /* event: -1 with uprobe_multi */
	} fds[];
};

bool uprobes_multi(void)
{
	static int known = -1;
	const char *without = getenv("TASKDIAG_WITHOUT");

	if (known < 0)
		known = !(without && strstr(without, "uprobe_multi")) && uprobes_try_multi();
	return known;
}

int uprobes_expect(struct bpf_program *program)
{
	return uprobes_multi() ? bpf_program__set_expected_attach_type(program, ATTACH_UPROBE_MULTI)
			       : 0;
}

static int event_type(void)
{
	_cleanup_fclose_ FILE *file = fopen(TYPE_FILE, "re");
	int type;

	return file && fscanf(file, "%d", &type) == 1 ? type : -EOPNOTSUPP;
}

static int event_open(const char *path, pid_t pid, bool at_return, const struct uprobe_site *site)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.config = at_return | site->semaphore << SEMAPHORE_SHIFT,
		.uprobe_path = (uintptr_t)path,
		.probe_offset = site->offset,
	};
	int type = event_type(), fd;

	if (type < 0)
		return type;
	attr.type = (uint32_t)type;
	fd = (int)syscall(SYS_perf_event_open, &attr, pid ? pid : -1, pid ? -1 : 0, -1,
			  PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int link_event(int program_fd, int event, uint64_t cookie)
{
	struct link_create create = {
		.program = (uint32_t)program_fd,
		.target = (uint32_t)event,
		.attach_type = ATTACH_PERF_EVENT,
		.perf_event.cookie = cookie,
	};
	int link = link_create(&create);

	if (link >= 0 && ioctl(event, PERF_EVENT_IOC_ENABLE, 0)) {
		int err = -errno;

		close(link);
		return err;
	}
	return link;
}

static int attach_events(struct uprobes *u, int program_fd, const char *path, pid_t pid,
			 bool at_return, const struct uprobe_site *sites, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int event = event_open(path, pid, at_return, &sites[i]), link;

		if (event < 0)
			return event;
		link = link_event(program_fd, event, sites[i].cookie);
		if (link < 0) {
			close(event);
			return link;
		}
		u->fds[u->count].link = link;
		u->fds[u->count++].event = event;
	}
	return 0;
}

static int attach_multi(struct uprobes *u, int program_fd, const char *path, pid_t pid,
			bool at_return, const struct uprobe_site *sites, size_t count)
{
	_cleanup_free_ uint64_t *words = calloc(3 * count, sizeof(*words));
	uint64_t *offsets = words, *semaphores = words + count, *cookies = words + 2 * count;
	bool counted = false;
	int link;

	if (!words)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		offsets[i] = sites[i].offset;
		semaphores[i] = sites[i].semaphore;
		cookies[i] = sites[i].cookie;
		counted |= sites[i].semaphore != 0;
	}
	link = link_create(&(struct link_create){
	    .program = (uint32_t)program_fd,
	    .attach_type = ATTACH_UPROBE_MULTI,
	    .uprobe_multi = { .path = (uintptr_t)path,
			      .offsets = (uintptr_t)offsets,
			      .semaphores = counted ? (uintptr_t)semaphores : 0,
			      .cookies = (uintptr_t)cookies,
			      .count = (uint32_t)count,
			      .flags = at_return ? UPROBE_MULTI_RETURN : 0,
			      .pid = (uint32_t)pid } });
	if (link < 0)
		return link;
	u->fds[0].link = link;
	u->fds[0].event = -1;
	u->count = 1;
	return 0;
}

int uprobes_attach(int program_fd, const char *path, pid_t pid, bool at_return,
		   const struct uprobe_site *sites, size_t count, struct uprobes **ret)
{
	struct uprobes *u = calloc(1, sizeof(*u) + count * sizeof(u->fds[0]));
	int err;

	if (!u)
		return -ENOMEM;
	err = uprobes_multi() ? attach_multi(u, program_fd, path, pid, at_return, sites, count)
			      : attach_events(u, program_fd, path, pid, at_return, sites, count);
	if (err)
		uprobes_detach_all(&u, 1);
	else
		*ret = u;
	return err;
}

static void uprobes_free(void *of)
{
	struct uprobes *u = of;

	for (size_t i = 0; i < u->count; i++) {
		close(u->fds[i].link);
		if (u->fds[i].event >= 0)
			close(u->fds[i].event);
	}
	free(u);
}

void uprobes_end_with(struct endings *e, struct uprobes *u)
{
	if (u)
		endings_add(e, uprobes_free, u);
}

void uprobes_detach_all(struct uprobes **list, size_t count)
{
	struct endings e = {};

	for (size_t i = 0; i < count; i++) {
		uprobes_end_with(&e, list[i]);
		list[i] = NULL;
	}
	endings_wait(&e);
}
