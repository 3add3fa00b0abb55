/* unwind_process.bpf.h - where the mappings of a process are: for walks, and for the fork probe. */
#ifndef TASKDIAG_UNWIND_PROCESS_BPF_H
#define TASKDIAG_UNWIND_PROCESS_BPF_H

#include "task.bpf.h"
#include "unwind.h"

/* tgid → range of mappings. Written by unwind/ and by the fork probe; read first by every walk. As
 * many as targets; when full: UNWIND_NO_PROCESS. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_PROCESSES);
	__type(key, __u32);
	__type(value, struct unwind_process);
} unwind_processes __weak SEC(".maps");

#endif
