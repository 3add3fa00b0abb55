/* perf_map_file.c - opens a perf map that its process, or root, has written. */
#include "symbolize/perf_map_file.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "symbolize/open_below.h"

#define BYTES_MAX (64ll << 20)

int symbolize_open_perf_map(const char *proc_root, pid_t nspid, uid_t owner, int *ret_fd)
{
	char path[64];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", nspid);
	fd = open_below(proc_root, path, false, &st);
	if (fd < 0)
		return fd;
	if ((st.st_uid == owner || !st.st_uid) && st.st_size <= BYTES_MAX) {
		*ret_fd = fd;
		return 0;
	}
	close(fd);
	return st.st_size > BYTES_MAX ? -EFBIG : -EPERM;
}
