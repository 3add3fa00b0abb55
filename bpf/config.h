/* config.h - limits and knobs that bpf/ and user/ agree on.
 *
 * Shared: included by BPF programs and by user space; needs nothing but <linux/types.h>.
 */
#ifndef TASKDIAG_CONFIG_H
#define TASKDIAG_CONFIG_H

#include <linux/types.h>

#define MAX_PROCESSES 65536 /* processes of all tasks alive at once */
#define MAX_IMAGES 16384    /* address spaces of all tasks alive at once */
#define MAX_ROOTS 64	    /* --pid options of one task */
#define MAX_THREADS 131072  /* threads of all tasks alive at once */
#define MAX_CPUS 512	    /* possible CPUs that the RSS mirror has room for */
#define NAME_BYTES 16	    /* TASK_COMM_LEN */
#define TASK_SLOTS_MAX 1024 /* tasks observed at once: a power of two */
#define WATCH_RULES_MAX 64
#define LINE_BYTES 256 /* of a line that a task writes to stderr: more is cut */

#define MAX_CACHED_FILES 16384 /* that are told apart */
#define FILE_PATH_BYTES 512
#define FILE_NAME_BYTES 64 /* a longer name is cut */
#define FILE_NAMES 12	   /* directories, and the file */

#define CALLS_PROCESSES 4096 /* whose allocators have probes */

#define RING_BYTES_DEFAULT (512 * 1024)
#define RING_BYTES_HEAP (4096 * 1024) /* where stacks come along with the words of their walk */
#define RING_BYTES_MIN 4096

#define CODES_SEEN 65536  /* likewise, of code objects of Python */
#define SLOTS_CLAIMED 64  /* walks at once of programs that can be preempted: a power of two */
#define STACKS_SEEN 65536 /* entries of the table of stacks that were sent: a power of two */

/*
 * The number of a task is its slot and, above, how often that was used before: a record of a task
 * that is over is none of the next one's. A run of its own has number 0.
 */
#define task_slot(number) ((number) & (TASK_SLOTS_MAX - 1))

/* How uprobes are attached to the allocators of processes. */
enum calls_by {
	CALLS_BY_NOTHING,
	CALLS_BY_MULTI,	 /* uprobe_multi */
	CALLS_BY_EVENTS, /* perf events: blind once the main thread has ended */
};

/* What user space sets before load. */
struct config {
	__u32 nr_cpus;	       /* possible CPUs; programs refuse to count on more than MAX_CPUS */
	__u32 follow_children; /* 0 with --no-children */
	__u64 ring_wake_bytes; /* fill level at which the reader is woken before its timer */
	__u64 period_ns;       /* of the profile's marks; 0: no profile */
	__u32 waits;	       /* 0 with --cpu-only */
	__u32 wake_hook;       /* 1: sched_exit_tp runs in the waking thread (Linux 6.16) */
	__u32 thread_size;     /* of a kernel stack, for kernels without bpf_task_pt_regs() */
	__u32 stacks;	       /* 1: some program walks stacks */
	__u32 resident;	       /* 1: births and deaths of pages are told */
	__u32 hold;	    /* 1: a started command is stopped at its exec until its tables stand */
	__u32 calls;	    /* enum calls_by: processes get uprobes as they begin */
	__u32 cgroup_scope; /* 1: who is in the cgroup is the task's */
	__s32 cgroup_hierarchy; /* 0: v2 */
	__u32 tasks;		/* slots; 1: a run of its own */
	__u64 cgroup_id;	/* within its hierarchy; 0: no cgroup is observed */
	__u32 watch_rules;	/* of watch_rules[] */
	__u32 pad;
};

#endif
