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
	EV_OOM,		/* the OOM killer chose it: oom_event */
	EV_THREAD,	/* a thread is observed from now on: thread_event */
	EV_THREAD_END,	/* it has ended: thread_event */
	EV_STACK,	/* a stack that was not sent before, or long ago: stack_event */
	EV_MARKS,	/* what a thread did at some marks: marks_event */
	EV_CODE,   /* a code object of Python that was not sent before: code_event (python.h) */
	EV_PAGES,  /* pages came, went or moved: pages_event */
	EV_REGION, /* from here on: the malloc shim's sites, see heap.h */
	EV_HEAP_STACK,
	EV_HEAP_FLUSH,
	EV_HEAP_ALLOC,
	EV_HEAP_FREE,
	EV_HEAP_CALLS, /* mostly of the session itself: see heap.h */
	EV_LEAVE,      /* it was moved out of the task's cgroup: exit_event */
	EV_CGROUP_END, /* that was removed: event_header alone, without a process */
	EV_FILE,       /* the first page of its cache that is charged to the cgroup: file_event */
	EV_TASK,       /* a rule has made a process a task, from now on: task_event */
	EV_LINE,       /* what a task has written to stderr: line_event */
};

/* First member of every ring record. Process identity is tgid and start_ns together. */
struct event_header {
	__u32 type; /* enum event_type */
	__u32 size; /* of the whole record, bytes */
	__u64 time_ns;
	__u64 start_ns; /* start_boottime of the process */
	__u32 tgid;	/* in the initial pid namespace */
	__u32 pid;	/* the same process as the observer sees it */
	__u32 task;	/* number of the task */
	__u32 pad;
};
_Static_assert(sizeof(struct event_header) == 40, "ABI between bpf/ and user/");

enum process_root {
	ROOT_NAMED = 1, /* the user named this process */
	ROOT_FOUND = 2, /* it was there before: found by a scan */
};

struct process_event {
	struct event_header h; /* EV_PROCESS, EV_EXEC */
	__u32 parent_tgid;
	__u32 root;	       /* bits of enum process_root */
	char name[NAME_BYTES]; /* comm; hostile bytes, always terminated */
	__u32 inner_pid;       /* in its own pid namespace */
	__u32 pad;
};
_Static_assert(sizeof(struct process_event) == 72, "ABI between bpf/ and user/");

struct exit_event {
	struct event_header h; /* EV_EXIT */
	__u64 minor_faults;    /* of all its threads, ever */
	__u64 major_faults;
	__u32 exit_code; /* as wait(2) reports it */
	__u32 pad;
};
_Static_assert(sizeof(struct exit_event) == 64, "ABI between bpf/ and user/");

/* The OOM killer has chosen a process of the task; it dies next. */
struct oom_event {
	struct event_header h; /* EV_OOM; the victim */
	__u64 rss_bytes;       /* of the victim */
	__u64 cgroup_bytes;    /* usage of the observed cgroup, and its limit; 0: none */
	__u64 cgroup_limit_bytes;
	__u32 asker_tgid, asker_pid; /* whose allocation there was no memory for; pid: as the
					observer sees it */
	char asker_name[NAME_BYTES]; /* comm; hostile bytes, always terminated */
};
_Static_assert(sizeof(struct oom_event) == 88, "ABI between bpf/ and user/");

/* A file of which the cgroup has page cache (map cached_files). */
struct cached_file {
	__u64 inode;
	__u32 device; /* of its file system, as the kernel numbers it: major << 20 | minor */
	__u32 pad;
};

struct file_event {
	struct event_header h; /* EV_FILE; no process */
	struct cached_file file;
	__u32 bytes;		    /* of path */
	__u32 whole;		    /* 1: up to the root of its file system */
	char path[FILE_PATH_BYTES]; /* names, the file's own first, then its directories; each ends
				       with a zero; cut at FILE_NAME_BYTES. Hostile */
};
_Static_assert(sizeof(struct file_event) == 64 + FILE_PATH_BYTES, "ABI between bpf/ and user/");

/* A process that a rule (map watch_rules) asks about. It is observed already; who reads this may
 * find that it is none. */
struct task_event {
	struct event_header h;	       /* EV_TASK */
	__u32 rule;		       /* number in watch_rules */
	__u32 parent_tgid, parent_pid; /* pid: as the observer sees it */
	__u32 bytes;		       /* of path */
	__u32 threads;		       /* that it has; those but this one are found by a scan */
	__u32 pad;
	__u64 parent_start_ns;
	char name[NAME_BYTES], parent_name[NAME_BYTES]; /* comm; hostile bytes, always terminated */
	char path[FILE_PATH_BYTES]; /* working directory, after a chdir; as in file_event */
};
_Static_assert(sizeof(struct task_event) == 104 + FILE_PATH_BYTES, "ABI between bpf/ and user/");

struct line_event {
	struct event_header h; /* EV_LINE */
	__u32 bytes;	       /* of text */
	__u32 pad;
	char text[LINE_BYTES]; /* hostile */
};
_Static_assert(sizeof(struct line_event) == 48 + LINE_BYTES, "ABI between bpf/ and user/");

/* One address space has ended, or the observation has. See memory.bpf.c for epochs. */
struct image_event {
	struct event_header h; /* EV_IMAGE_END; the process that owned it */
	__u64 peak_bytes;      /* highest RSS of this address space */
	__u64 peak_ns;
	__u64 epoch;	   /* the task's peak that share_bytes belongs to */
	__u64 share_bytes; /* its RSS at that peak */
	__u64 image;	   /* identity of the address space, as in process_sample */
};
_Static_assert(sizeof(struct image_event) == 80, "ABI between bpf/ and user/");

/* A thread, with the kernel's own totals of it. Times of the first kind are since it is observed.
 */
struct thread_event {
	struct event_header h; /* EV_THREAD, EV_THREAD_END; its process */
	__u64 begin_ns;	       /* observed since */
	__u64 cpu_ns;	       /* sum_exec_runtime */
	__u64 run_queue_ns;    /* run_delay: ready, but not running */
	__u64 marks;	       /* period marks since begin_ns */
	__u64 lost_marks;      /* of these: their record could not be sent */
	__u32 tid;	       /* as the observer sees it */
	__u32 untold;	       /* its end was not seen: this is the last that was known */
	char name[NAME_BYTES]; /* comm; hostile bytes, always terminated */
};
_Static_assert(sizeof(struct thread_event) == 104, "ABI between bpf/ and user/");

/* The head of a stack record; frames follow, innermost first (see unwind.h). */
struct stack_event {
	struct event_header h; /* EV_STACK */
	__u64 id; /* hash of the frames and the outcome; of the process too if frames are raw */
	__u32 outcome; /* enum unwind_outcome */
	__u32 frame_count;
};
_Static_assert(sizeof(struct stack_event) == 56, "ABI between bpf/ and user/");

struct marks_event {
	struct event_header h; /* EV_MARKS */
	__u64 stack;	       /* stack_event.id; 0: none is known */
	__u64 first_ns;	       /* time of the first mark; the others follow, one a period */
	__u64 detail;	       /* cause cpu in the kernel: address; cause syscall: its number */
	__u32 marks;
	__u32 cause; /* enum cause */
	__u32 tid;
	__u32 pad;
};
_Static_assert(sizeof(struct marks_event) == 80, "ABI between bpf/ and user/");

enum pages_change {
	PAGES_BORN,
	PAGES_DIED,
	PAGES_MOVED,  /* mremap: from first to `to` */
	PAGES_FILLED, /* born, those of them that were not there */
	PAGES_FORKED, /* `to` is the image of the child */
};

/* Pages of one address space, of which some are sampled (sampling.h). */
struct pages_event {
	struct event_header h; /* EV_PAGES; the process */
	__u64 image;	       /* identity of the address space */
	__u64 stack;	       /* of a birth: stack_event.id; 0: none is known */
	__u64 first, count;    /* in pages; the number of a page is its address / page size */
	__u64 to;	       /* where to, or whose: see enum pages_change */
	__u64 rss_pages;       /* of the task, before this */
	__u32 change;	       /* enum pages_change */
	__u32 kind;	       /* of a birth: 0 file, 1 anonymous, 3 shared memory */
	__u32 tid;	       /* as the observer sees it */
	__u32 pad;
	char name[NAME_BYTES]; /* of the thread; hostile bytes, always terminated */
};
_Static_assert(sizeof(struct pages_event) == 120, "ABI between bpf/ and user/");

enum sample_type {
	SAMPLE_TASK = 1, /* first of every tick: task_sample */
	SAMPLE_PROCESS,	 /* process_sample */
	SAMPLE_THREAD, /* faults of a thread that is not the first of its process: thread_sample */
	SAMPLE_STATE,  /* what a thread does right now: state_sample (profile) */
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
	__u64 usage_bytes;		       /* of the observed cgroup; 0: none */
	__u64 usage_peak_bytes, usage_peak_ns; /* highest that was seen since the attach */
	__u64 watermark_bytes; /* the kernel's own highest, since the cgroup was made */
	__u32 task;	       /* number */
	__u32 pad;
};
_Static_assert(sizeof(struct task_sample) == 80, "ABI between bpf/ and user/");

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
	__u32 exec_pages; /* executable mappings: a change that no event told is a munmap */
	char name[NAME_BYTES];
	__u32 task; /* number */
	__u32 pad;
};
_Static_assert(sizeof(struct process_sample) == 112, "ABI between bpf/ and user/");

struct thread_sample {
	struct sample_header h;
	__u64 minor_faults;
	__u64 major_faults;
	__u32 tgid;
	__u32 task; /* number */
};
_Static_assert(sizeof(struct thread_sample) == 32, "ABI between bpf/ and user/");

/* A thread as it is now, for who reads it from outside. */
struct state_sample {
	struct sample_header h;
	__u64 start_ns; /* of its process */
	__u64 time_ns;
	__u64 begin_ns; /* observed since */
	__u64 next_ns;	/* its next mark */
	__u64 since_ns; /* it has done so since, as far as is known */
	__u64 marks;	/* passed, and sent or pending */
	__u64 lost_marks;
	__u64 pending_marks;	    /* passed while it ran, but no clock event has hit it since */
	__u64 last_stack;	    /* of such an event; 0: none yet */
	__u64 cpu_ns, run_queue_ns; /* as in thread_event */
	__u64 switches;		    /* voluntary and not: the same number, the same wait */
	__u64 pc, sp, bp, bx;	    /* of user space, as saved at its entry into the kernel */
	__u64 thread_pointer;	    /* fs base */
	__u64 detail;		    /* as in marks_event */
	__u32 cause;		    /* enum cause */
	__u32 tgid, pid, tid;	    /* tid and pid as the observer sees them */
	__u32 adopted;		    /* 1: observed only since this very sample */
	__u32 task;		    /* number */
	char name[NAME_BYTES];
};
_Static_assert(sizeof(struct state_sample) == 192, "ABI between bpf/ and user/");

/* Counters of losses and conditions, one per cause: index into the drops map. */
enum drop {
	DROP_OFFERED, /* records that programs tried to send: not a loss, the other side of the
			 equation */
	DROP_RING_FULL,
	DROP_TARGETS_FULL,
	DROP_IMAGES_FULL,
	DROP_THREADS_FULL,
	NOTE_STALE_TARGETS,   /* an entry of an ended process was found and removed: its exit was
				 missed */
	NOTE_STALE_IMAGES,    /* likewise for an address space */
	NOTE_HEALED_IMAGES,   /* a tick found a process in another address space than known */
	NOTE_SWITCHES,	      /* context switches of the task that the profile looked at */
	NOTE_UNTOLD_SWITCHES, /* switches of the task that no probe ran for, found afterwards */
	NOTE_LOST_MARKS,      /* marks in records that could not be sent */
	NOTE_FOREIGN_PAGES,   /* births that another process caused, or without a known address */
	DROP_SLOTS_FULL,      /* walks that were not made: see unwind_claim.bpf.h */
	NOTE_HEAP_LOST,	      /* blocks that came or went, whose record could not be sent */
	NOTE_CALLS,	      /* of malloc & co. of running processes, and their returns: traps */
	NOTE_CALLS_LOST,      /* of these: the thread's entry was not known, or found no room */
	NOTE_CALLS_NESTED,    /* blocks that an allocator made within a call for another */
	DROP_TASKS_FULL,      /* processes that a rule asks about, when every slot was taken */
	DROP_MAX,
};

/* Passed to the iterator that adopts processes (map control). */
struct control {
	__u64 ready;	      /* the first scan has filled this */
	__u64 adopted;	      /* grows with every process that joins by a scan */
	__u64 observer_level; /* pid namespace level of the observer, set by the first scan */
	__u64 rss_percpu;     /* 1: counters as since Linux 6.2, set by the first scan */
	__u64 roots_seen;     /* bit per root that a scan has found */
	__u64 observer_tgid;  /* never part of a cgroup's task, nor are its children */
	__u64 pass;	      /* grows with every memory_sample */
};

/* A process that the user named (map roots, key: index; found by a scan). */
struct root {
	__u32 pid;   /* as the observer sees it; 0: free */
	__u32 armed; /* 1: its address space counts only from its next exec on */
};

enum watch_moment { WATCH_FORK = 1, WATCH_EXEC = 2, WATCH_CHDIR = 4 };

/* What the kernel asks of a process before it takes it for a task (watch_rules[], set before load).
 */
struct watch_rule {
	/* comm; empty: any. Zeros behind their end; compared as words, so aligned */
	char name[NAME_BYTES] __attribute__((aligned(8)));
	char parent_name[NAME_BYTES] __attribute__((aligned(8)));
	__u32 moments; /* bits of enum watch_moment */
	__u32 lines;   /* writes to stderr that are told, at most; 0: none */
};

#endif
