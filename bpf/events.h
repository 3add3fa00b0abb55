/* events.h - every record that crosses from bpf/ to user/: through the ring, or through a task
 * iterator.
 *
 * Fixed width, padded by hand, units in names, sizes asserted. Shared by BPF programs and user
 * space. Times are CLOCK_BOOTTIME.
 */
#ifndef TASKDIAG_EVENTS_H
#define TASKDIAG_EVENTS_H

#include "config.h"

enum event_type {
	EV_PROCESS = 1, /* a process joined a task: process_event */
	EV_EXEC,	/* it runs another program now: process_event */
	EV_EXIT,	/* its last thread ended: exit_event */
	EV_IMAGE_END,	/* its address space was torn down: image_event */
	EV_OOM,		/* the OOM killer chose it: event_header alone */
};

/* First member of every ring record. Process identity is tgid and start_ns together. */
struct event_header {
	__u32 type; /* enum event_type */
	__u32 size; /* of the whole record, bytes */
	__u64 time_ns;
	__u64 start_ns; /* start_boottime of the process */
	__u32 tgid;	/* in the initial pid namespace */
	__u32 pid;	/* the same process as the observer sees it */
	__u32 task;	/* index of the task */
	__u32 pad;
};
_Static_assert(sizeof(struct event_header) == 40, "ABI between bpf/ and user/");

struct process_event {
	struct event_header h; /* EV_PROCESS, EV_EXEC */
	__u32 parent_tgid;
	__u32 root;	       /* 1: the user named this process */
	char name[NAME_BYTES]; /* comm; hostile bytes, always terminated */
};
_Static_assert(sizeof(struct process_event) == 64, "ABI between bpf/ and user/");

struct exit_event {
	struct event_header h; /* EV_EXIT */
	__u64 minor_faults;    /* of all its threads, ever */
	__u64 major_faults;
	__u32 exit_code; /* as wait(2) reports it */
	__u32 pad;
};
_Static_assert(sizeof(struct exit_event) == 64, "ABI between bpf/ and user/");

/* One address space has ended, or the observation has. See memory.bpf.c for epochs. */
struct image_event {
	struct event_header h; /* EV_IMAGE_END; the process that owned it */
	__u64 peak_bytes;      /* highest RSS of this address space */
	__u64 peak_ns;
	__u64 epoch;	   /* the task's peak that share_bytes belongs to */
	__u64 share_bytes; /* its RSS at that peak */
};
_Static_assert(sizeof(struct image_event) == 72, "ABI between bpf/ and user/");

enum sample_type {
	SAMPLE_TASK = 1, /* first of every tick: task_sample */
	SAMPLE_PROCESS,	 /* process_sample */
	SAMPLE_THREAD, /* faults of a thread that is not the first of its process: thread_sample */
};

/* First member of every iterator record. */
struct sample_header {
	__u32 type; /* enum sample_type */
	__u32 size;
};

/* Event-driven totals of one task, as the rss_stat probe keeps them. */
struct task_sample {
	struct sample_header h;
	__u64 time_ns;
	__u64 rss_bytes;	   /* now */
	__u64 interval_peak_bytes; /* highest since the tick before */
	__u64 interval_peak_ns;
};
_Static_assert(sizeof(struct task_sample) == 40, "ABI between bpf/ and user/");

/* One process of the task, read from its mm: exact at the moment of reading. */
struct process_sample {
	struct sample_header h;
	__u64 start_ns;
	__u64
	    image; /* identity of the address space: processes that share it count once; 0: none */
	__u64 file_bytes;
	__u64 anon_bytes;
	__u64 shmem_bytes;
	__u64 swap_bytes;
	__u64 minor_faults; /* of the first thread and all ended threads; the rest is in
			       thread_samples */
	__u64 major_faults;
	__u32 tgid;
	__u32 pid;
	__u32 threads;
	__u32 pad;
	char name[NAME_BYTES];
};
_Static_assert(sizeof(struct process_sample) == 104, "ABI between bpf/ and user/");

struct thread_sample {
	struct sample_header h;
	__u64 minor_faults;
	__u64 major_faults;
	__u32 tgid;
	__u32 pad;
};
_Static_assert(sizeof(struct thread_sample) == 32, "ABI between bpf/ and user/");

/* Counters of losses and conditions, one per cause: index into the drops map. */
enum drop {
	DROP_OFFERED, /* records that programs tried to send: not a loss, the other side of the
			 equation */
	DROP_RING_FULL,
	DROP_TARGETS_FULL,
	DROP_IMAGES_FULL,
	NOTE_STALE_TARGETS, /* an entry of an ended process was found and removed: its exit was
			       missed */
	NOTE_STALE_IMAGES,  /* likewise for an address space */
	NOTE_HEALED_IMAGES, /* a tick found a process in another address space than known */
	DROP_MAX,
};

/* Passed to the iterator that adopts processes (map control). */
struct control {
	__u64 ready;	      /* the first scan has filled this */
	__u64 adopted;	      /* grows with every process that joins by a scan */
	__u64 observer_level; /* pid namespace level of the observer, set by the first scan */
	__u64 rss_percpu;     /* 1: counters as since Linux 6.2, set by the first scan */
	__u64 roots_seen;     /* bit per root that a scan has found */
};

/* A process that the user named (map roots, key: index; found by a scan). */
struct root {
	__u32 pid;   /* as the observer sees it; 0: free */
	__u32 armed; /* 1: its address space counts only from its next exec on */
};

#endif
