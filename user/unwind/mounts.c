/* mounts.c - see mounts.h */
#include "unwind/mounts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/cleanup.h"

#define LINES_MAX 100000 /* fs.mount-max */

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw": a space within a field is
 * written as \040 */
int mounts_parse(char *line, dev_t *ret_device, int *ret_id)
{
	unsigned major, minor;
	const char *type;
	char *rest;

	if (sscanf(line, "%d %*d %u:%u ", ret_id, &major, &minor) != 3)
		return -EBADMSG;
	rest = strstr(line, " - ");
	if (!rest)
		return -EBADMSG;
	*ret_device = makedev(major, minor);
	type = strtok_r(rest + 3, " ", &rest);
	if (!type)
		return -EBADMSG;
	/* fuse, fuse.sshfs, fuseblk; virtiofs is served by the host */
	return !strncmp(type, "fuse", 4) && strcmp(type, "fusectl");
}

enum verdict { UNKNOWN, SAFE, UNSAFE };

static enum verdict verdict_of(const char *path, dev_t device, int id)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	enum verdict verdict = UNKNOWN;
	size_t size = 0;
	dev_t of;
	int number;

	for (int i = 0; f && i < LINES_MAX && getline(&line, &size, f) > 0; i++) {
		int fuse = mounts_parse(line, &of, &number);

		if (fuse < 0 || (id >= 0 ? number != id : of != device))
			continue;
		verdict = fuse ? UNSAFE : SAFE;
		break;
	}
	return verdict;
}

/* The kernel's own mount of memfd and System V memory stands in no list. */
static bool is_shared_memory(dev_t device)
{
	static dev_t known;
	struct stat st;

	if (!known) {
		_cleanup_close_ int fd = memfd_create("probe", MFD_CLOEXEC);

		if (fd >= 0 && !fstat(fd, &st))
			known = st.st_dev;
	}
	return known && device == known;
}

bool mounts_safe(pid_t pid, dev_t device, int id)
{
	enum verdict verdict = UNKNOWN;
	char path[64];

	if (id < 0 && is_shared_memory(device))
		return true;
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	verdict = verdict_of(path, device, id);
	if (verdict == UNKNOWN)
		verdict = verdict_of("/proc/self/mountinfo", device, id);
	return verdict == SAFE;
}
