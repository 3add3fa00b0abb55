/* jit.c - see jit.h */
#include "collect/jit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "symbolize/perf_map_file.h"

/* Its effective uid, and its number in its innermost pid namespace. */
static int read_status(pid_t pid, uid_t *ret_owner, pid_t *ret_nspid)
{
	char path[64], line[256];
	_cleanup_fclose_ FILE *status = NULL;
	unsigned uid;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	status = fopen(path, "re");
	if (!status)
		return -errno;
	while (fgets(line, sizeof(line), status)) {
		const char *last = strrchr(line, '\t');

		if (sscanf(line, "Uid:\t%*u\t%u", &uid) == 1)
			*ret_owner = uid;
		if (!strncmp(line, "NSpid:", 6) && last)
			*ret_nspid = atoi(last + 1);
	}
	return 0;
}

int jit_perf_map(pid_t pid, int *ret_fd)
{
	char root[64];
	pid_t nspid = pid;
	uid_t owner = 0;
	int err = read_status(pid, &owner, &nspid);

	if (err)
		return err;
	snprintf(root, sizeof(root), "/proc/%d/root", pid);
	return symbolize_open_perf_map(root, nspid, owner, ret_fd);
}
