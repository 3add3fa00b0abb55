/* processes.h - the processes of a task, alive and ended: who they were, what they held at the
 * task's peak.
 *
 *   lifecycle records, samples ──► table (tgid + start) ──(many have ended)──► the largest kept,
 * the rest summed up
 *
 * Memory is bounded by the processes alive plus 1,024 ended ones.
 */
#ifndef TASKDIAG_PROCESSES_H
#define TASKDIAG_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#define PROCESS_NAME_BYTES 16

enum process_end {
	END_RUNNING,
	END_EXITED,
	END_SIGNAL,
	END_OOM,
	END_UNKNOWN, /* gone, but its exit record was lost */
	END_LEFT,    /* it lives on, outside of the task's cgroup */
};

struct process_key {
	uint64_t start_ns; /* start_boottime */
	uint32_t tgid;
	uint32_t pad;
};

/* Of one address space, in bytes. */
struct process_parts {
	uint64_t anon, file, shmem, swap;
};

struct process {
	struct process_key key;
	uint32_t pid;	    /* as the observer sees it */
	uint32_t inner_pid; /* in its own pid namespace; 0: not known */
	bool root;	    /* the user named it */
	bool oom;	    /* the OOM killer chose it */
	char name[PROCESS_NAME_BYTES];
	enum process_end end;
	int status;	       /* wait(2) status once ended */
	uint64_t end_ns;       /* 0: alive */
	uint64_t last_tick;    /* number of the tick that saw it last */
	uint64_t sampled_tick; /* number of the tick that has counted it last */
	uint64_t rss_bytes;    /* at that tick */
	struct process_parts
	    parts; /* likewise; zeros where another process speaks for its memory */
	uint64_t
	    usage_tick; /* the tick at which the cgroup's usage was highest, if this was there */
	struct process_parts at_usage; /* then */
	uint64_t highest_tick_bytes;   /* at the tick that saw the most of the task */
	uint64_t minor_faults, major_faults;
	uint64_t peak_bytes, peak_ns;
	uint64_t epoch; /* the task's peak that share_bytes belongs to */
	uint64_t share_bytes;
	UT_hash_handle hh;
};

/* What is left of processes that are no longer listed. */
struct processes_omitted {
	uint64_t count;
	uint64_t epoch;
	uint64_t share_bytes; /* at peak number epoch */
};

struct processes;

struct processes *processes_new(void); /* NULL with errno set */
void processes_free(struct processes *t);

/** Finds it, or makes it (and then counts it as seen). NULL: no memory. Valid until it has ended
 * and processes_trim() runs. */
struct process *processes_get(struct processes *t, uint32_t tgid, uint64_t start_ns);
struct process *processes_find(const struct processes *t, uint32_t tgid,
			       uint64_t start_ns); /* NULL: unknown */

/** It has ended. Faults become part of the totals of ended processes. Returns -EALREADY when it
 * had. */
int processes_end(struct processes *t, struct process *p, enum process_end end, int status,
		  uint64_t end_ns);

/** One that had left has come back; its faults are its own again. -EALREADY: it had not left. */
int processes_return(struct processes *t, struct process *p);

/** Adds a share of peak number @epoch; shares of older peaks are forgotten. @p NULL: of a process
 * no longer listed. */
void processes_share(struct processes *t, struct process *p, uint64_t epoch, uint64_t share_bytes);

/** Drops the smallest of the ended ones when there are more than 1,024. Call between records, not
 * while iterating. */
void processes_trim(struct processes *t);

size_t processes_alive(const struct processes *t);
uint64_t processes_seen(const struct processes *t);
void processes_ended_faults(const struct processes *t, uint64_t *ret_minor, uint64_t *ret_major);
const struct processes_omitted *processes_omitted(const struct processes *t);
struct process *processes_first(const struct processes *t); /* then p->hh.next */

/** All listed ones, largest share of peak @epoch first, then largest own peak. The caller frees the
 * array, not its members. */
int processes_sorted(const struct processes *t, uint64_t epoch, struct process ***ret,
		     size_t *ret_count);

#endif
