/* perf_map_file.h - /tmp/perf-PID.map of a task: anyone may have written it. */
#ifndef TASKDIAG_PERF_MAP_FILE_H
#define TASKDIAG_PERF_MAP_FILE_H

#include <sys/types.h>

/**
 * @proc_root: "/proc/PID/root"; @nspid: the process in its own pid namespace; @owner: its effective
 * uid. 0; -ENOENT none; -EPERM owned by neither @owner nor root; -EFBIG more than 64 MiB; -ELOOP a
 * symbolic link; -EINVAL no regular file.
 */
int symbolize_open_perf_map(const char *proc_root, pid_t nspid, uid_t owner, int *ret_fd);

#endif
