/* kernel_type.h - whether this kernel's type information (BTF) names something. */
#ifndef TASKDIAG_KERNEL_TYPE_H
#define TASKDIAG_KERNEL_TYPE_H

#include <stdbool.h>

enum kernel_type {
	KERNEL_MEM_ALLOC, /* bpf_mem_alloc: Linux 6.1 */
	KERNEL_EXIT_TP,	  /* btf_trace_sched_exit_tp: 6.16 */
	KERNEL_RSS_STAT,  /* mm_rss_stat: up to 6.1 */
	KERNEL_TYPES,
};

/** Searched for in /sys/kernel/btf/vmlinux, once for all of them: 20 ms where a system call is
 * dear, and no memory, where libbpf would parse all of it. False when it cannot be read. */
bool kernel_type_exists(enum kernel_type type);

#endif
