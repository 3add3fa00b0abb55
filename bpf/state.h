/* state.h - map values that programs keep and user space reads when a run ends.
 *
 * Shared, like events.h. Both values end in a per-CPU tail: user space sets value_size before load
 * to what the possible CPUs of this host need (image_bytes, task_state_bytes), and programs index
 * the tail below config.nr_cpus only.
 */
#ifndef TASKDIAG_STATE_H
#define TASKDIAG_STATE_H

#include "config.h"

#define RSS_MEMBERS 4 /* MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES */

/* A process of a task (map targets, key: tgid in the initial pid namespace). */
struct target {
	__u64 start_ns; /* with the key: process identity */
	__u64 image;	/* key of its address space in map images; 0: none yet, or none any more */
	__u32 task;	/* number: task_slot() */
	__u32 armed;	/* its address space counts only from its next exec on */
	__u32 execs;	/* since it, or the parent it inherits this from, is observed */
	__u32 pad;
};

/* A program of a process of which every allocator has its probes (map calls_open, key: tgid). */
struct calls_open {
	__u64 start_ns; /* of the process */
	__u32 execs;	/* target.execs: another number, another program */
	__u32 pad;
};

/* A stack that a thread has waited with: where it was, and when it was walked. */
struct walked {
	__u64 place; /* hash of pc and sp */
	__u64 stack, time_ns;
};

#define WALKED 2 /* a power of two */

/* A thread of a task (map threads, key: tid in the initial pid namespace). Written on the CPU that
 * it runs on, by the switch programs and the clock. */
struct thread {
	__u64 start_ns; /* of its process: with tgid, the identity of that */
	__u64 begin_ns; /* observed since */
	__u64 next_ns;	/* time of the next mark; all before are in marks */
	__u64 marks;
	__u64 lost_marks;
	__u64 cpu_marks;    /* passed while it ran, not yet given to a stack */
	__u64 cpu_first_ns; /* the first of them */
	__u64 wait_marks;   /* passed in the wait that ends now */
	__u64 wait_first_ns;
	__u64 out_ns;		      /* it waits since; 0: it runs */
	__u64 in_ns;		      /* end of that wait */
	__u64 run_delay;	      /* sched_info.run_delay at out_ns */
	struct walked walked[WALKED]; /* without wake_hook */
	__u64 wait_stack;	      /* likewise: of the wait, walked when it began */
	__u64 wait_detail;
	__u64 last_stack;		      /* of its last clock event */
	__u64 base_cpu_ns, base_run_queue_ns; /* the kernel's totals at begin_ns */
	__u32 tgid;
	__u32 task;
	__u32 tid;	  /* as the observer sees it */
	__u32 pid;	  /* its process, likewise */
	__u32 wait_state; /* what the switch found, enum wait_state bits */
	__u32 wait_cause; /* without wake_hook: found with wait_stack */
	__u32 busy;	  /* the switch program works on it: the clock keeps off */
	__u32 held;	  /* its exec was, and what it waits for is us: its time begins after */
};

/*
 * An address space (map images, key: address of its mm_struct), with a mirror of the kernel's RSS
 * counters: the shared part and every CPU's part as they were last seen. RSS = Σ count + Σ local,
 * without touching the kernel's memory.
 */
struct image {
	__u64 mm;	/* the key again */
	__u64 start_ns; /* identity of the process that owns it */
	__u32 tgid;
	__u32 pid;
	__u32 task;
	__u32 ready; /* the mirror is filled */
	__s32 users; /* processes of the task that run in it (vfork shares) */
	__u32 dying; /* the last of them has ended: forget it when its RSS reaches 0 */
	__s64 peak_pages;
	__u64 peak_ns;
	__u64 epoch;		     /* task_state.epoch that share_pages belongs to */
	__s64 share_pages;	     /* RSS at the task's peak number epoch */
	__u64 counters[RSS_MEMBERS]; /* kernel addresses of the per-CPU parts; unused on ≤ 6.1 */
	__s64 count[RSS_MEMBERS];
	struct {
		__s32 local[RSS_MEMBERS];
	} cpu[MAX_CPUS];
};

/*
 * The sum over a task (map tasks, key: its slot). A change costs one addition on this
 * CPU's line; who needs the sum adds the lines up.
 */
struct task_state {
	__u64 epoch; /* grows with every new peak */
	__s64 peak_pages;
	__u64 peak_ns;
	__s64 interval_peak_pages; /* since the tick before */
	__u64 interval_peak_ns;
	__s64 tick_pages; /* at the first of the last ticks that saw no change */
	__u64 tick_ns;
	__u64 usage_peak_pages; /* of the observed cgroup, at a tick or where RSS falls */
	__u64 usage_peak_ns;
	__u64 pass;   /* of memory_sample, that told of it last */
	__u32 number; /* whose it is now. Written by session, before anybody has the number */
	__u32 line[11];
	struct {
		__s64 pages;
		__u64 pad[7]; /* a cache line of its own */
	} cpu[MAX_CPUS];
};

/*
 * The image that changed on each CPU last, with this CPU's part of its mirror: the common case
 * finds all it needs here, without a lookup (80 ns a page on our machine). While here[cpu].mm names
 * an image, here[cpu].local is the truth and image.cpu[cpu].local is old.
 */
struct here {
	__u64 mm;    /* 0: none */
	__u64 epoch; /* of the image, when it came here */
	__u32 task;
	__s32 local[RSS_MEMBERS];
	__u32 pad;
	__u64 at[RSS_MEMBERS]; /* kernel addresses of this CPU's parts */
	__u64 align[7];	       /* two cache lines of its own */
};

/* The thread that each CPU runs, and whether a wait has ended there that holds marks. */
struct here_profile {
	__u32 tid; /* 0: none of ours */
	__u32 woken;
	__u32 next; /* whom the last switch that we were told of brought, ours or not */
	__u32 pad;
	__u64 line[6]; /* a cache line of its own */
};

#define FAULTS                                                                             \
	4096 /* threads that can be in a fault at once without a collision: a power of two \
	      */

/* The last page fault of a thread. */
struct fault {
	__u64 address;
	__u32 tid;
	__u32 told; /* its birth is */
};

/* What a system call that is told at its end was asked for; thread by thread as faults are. */
struct asked {
	__u64 address, bytes;
	__u32 tid;
	__u32 nr; /* 0: nothing */
};

#define image_bytes(nr_cpus) \
	(sizeof(struct image) - (MAX_CPUS - (nr_cpus)) * sizeof(((struct image *)0)->cpu[0]))
#define task_state_bytes(nr_cpus)    \
	(sizeof(struct task_state) - \
	 (MAX_CPUS - (nr_cpus)) * sizeof(((struct task_state *)0)->cpu[0]))

#endif
