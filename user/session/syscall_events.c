/* syscall_events.c - see syscall_events.h */
#include "session/syscall_events.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define SECTION "tracepoint/"

struct syscall_events {
	int tracefs; /* its root */
};

static int tracefs_open(void)
{
	_cleanup_close_ int context = fsopen("tracefs", FSOPEN_CLOEXEC);
	int mounted = -1;

	if (context >= 0 && !fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		mounted = fsmount(context, FSMOUNT_CLOEXEC,
				  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				      MOUNT_ATTR_NOEXEC);
	if (mounted < 0) /* fsopen(2) may be refused where the mounted one is not */
		mounted = open("/sys/kernel/tracing", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return mounted < 0 ? -errno : mounted;
}

int syscall_events_new(struct syscall_events **ret)
{
	struct syscall_events *e = malloc(sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->tracefs = tracefs_open();
	if (e->tracefs < 0 || faccessat(e->tracefs, "events/syscalls", F_OK, 0)) {
		int err = e->tracefs < 0 ? e->tracefs : -errno;

		syscall_events_free(e);
		return err;
	}
	*ret = e;
	return 0;
}

void syscall_events_free(struct syscall_events *e)
{
	if (!e)
		return;
	if (e->tracefs >= 0)
		close(e->tracefs);
	free(e);
}

static int event_number(struct syscall_events *e, const char *event, uint64_t *ret)
{
	char path[128], text[32];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	if (snprintf(path, sizeof(path), "events/%s/id", event) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = openat(e->tracefs, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = 0;
	*ret = strtoull(text, NULL, 10);
	return *ret ? 0 : -EINVAL;
}

int syscall_events_attach(struct syscall_events *e, struct bpf_program *program,
			  struct bpf_link **ret)
{
	struct perf_event_attr attributes = { .type = PERF_TYPE_TRACEPOINT,
					      .size = sizeof(attributes),
					      .sample_period = 1 };
	const char *section = strstr(bpf_program__section_name(program), SECTION);
	uint64_t number = 0;
	int err = section ? event_number(e, section + strlen(SECTION), &number) : -EINVAL, fd;

	if (err)
		return err;
	attributes.config = number;
	/* of one CPU, but a program is run for the event wherever it happens */
	fd = syscall(SYS_perf_event_open, &attributes, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret = bpf_program__attach_perf_event(program, fd); /* the link owns fd */
	if (*ret)
		return 0;
	err = -errno;
	close(fd);
	return err;
}
