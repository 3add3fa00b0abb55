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

#define RING_BYTES_DEFAULT (512 * 1024)
#define RING_BYTES_HEAP (4096 * 1024) /* where stacks come along with the words of their walk */
#define RING_BYTES_MIN 4096

#define CODES_SEEN 65536  /* likewise, of code objects of Python */
#define SLOTS_CLAIMED 64  /* walks at once of programs that can be preempted: a power of two */
#define STACKS_SEEN 65536 /* entries of the table of stacks that were sent: a power of two */

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
	__u32 hold; /* 1: a started command is stopped at its exec until its tables stand */
	__u32 pad;
};

#endif
