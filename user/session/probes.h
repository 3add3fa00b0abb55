/* probes.h - the BPF side of a run: load what this kernel takes, attach, scan, sample, read what
 * was kept.
 *
 * Nothing is pinned: closing, or death of the observer, removes every probe.
 */
#ifndef TASKDIAG_PROBES_H
#define TASKDIAG_PROBES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/events.h"
#include "lib/problem.h"

struct probes;

struct probes_config {
	uint32_t ring_bytes; /* power of two, at least RING_BYTES_MIN */
	bool follow_children;
	const char *without; /* names of optional programs to do without, for tests; or NULL */
	bool verbose;	     /* libbpf's own messages to stderr */
	bool stats;	     /* the verifier's numbers are kept: probes_stats() */
	uint64_t period_ns;  /* of the profile's marks; 0: no profile */
	bool waits;	     /* the profile also tells what threads wait for */
	bool hold;	     /* a command is started, and stopped at its exec */
	bool stacks;	     /* stacks are walked: by the profile, or for pages */
	bool resident;	     /* births and deaths of pages are told */
	bool heap;	     /* a command is started with the malloc shim */
	bool calls;	     /* malloc & co. of running processes get uprobes */
	bool cgroup_scope;   /* who is in the cgroup is the task's */
	int cgroup_hierarchy;
	uint64_t cgroup_id; /* its usage is read; 0: no cgroup is observed */
	uint32_t tasks;	    /* observed at once, at most TASK_SLOTS_MAX; 0 or 1: a run of its own */
	const struct watch_rule *rules; /* that make processes tasks; with tasks > 1 only */
	size_t rule_count;		/* at most WATCH_RULES_MAX */
};

/* What a record is handed to. @record is valid during the call only; hostile sizes are possible,
 * types are not checked. */
typedef void (*record_fn)(void *context, const void *record, size_t bytes);

/** Opens and loads. A program that this kernel lacks is left out if the run is useful without; see
 * probes_limits(). */
int probes_new(const struct probes_config *config, struct probes **ret, struct problem *problem);
void probes_free(struct probes *p); /* NULL is fine; detaches */

/** Attaches; records flow to @fn from now on, within probes_drain(). */
int probes_attach(struct probes *p, record_fn fn, void *context, struct problem *problem);
/** The sites of the malloc shim in @path, which is of this run alone. Where that cannot be it is a
 * limit: the shim then hands every call on. 0, -ENOMEM. */
int probes_attach_shim(struct probes *p, const char *path);
/* Programs for uprobes at allocators of running processes (heap_calls.h). */
enum call_program { CALL_ENTRY, CALL_RETURN, CALL_USDT_ALLOC, CALL_USDT_FREE, CALL_PROGRAMS };

/** Its fd, borrowed; -1: this kernel is too old for them. */
int probes_call_program(const struct probes *p, enum call_program which);
/** All probes of this process stand: what they see is told from now on, until it executes another
 * program. 0; -ESRCH: it is no target (any more); -errno. */
int probes_calls_open(struct probes *p, uint32_t tgid, uint64_t start_ns);
void probes_calls_close(struct probes *p, uint32_t tgid);
/** Removes every probe; what is in the ring stays and can be drained. */
void probes_detach(struct probes *p);

/** Makes the processes in @roots targets, with all their descendants. Sets bit i of *ret_seen for
 * each root i found. */
int probes_adopt(struct probes *p, const struct root *roots, size_t count, uint64_t *ret_seen,
		 struct problem *problem);

int probes_ring_fd(const struct probes *p); /* readable when the ring is a quarter full */
int probes_drain(struct probes *p);

/** Reads one tick: @fn gets a task_sample, then process_samples and thread_samples. 0 or -errno. */
int probes_sample(struct probes *p, record_fn fn, void *context);

/* With stacks only: */

/** Adopts the threads of the processes that are targets, and reads what each does now: @fn gets
 * state_samples. 0 or -errno. */
int probes_threads(struct probes *p, record_fn fn, void *context);
/** Threads of the task whose end no program has told, and those that go on: an EV_MARKS record of
 * what they had not sent, an EV_THREAD_END record. Once, when nothing more is told of the task. */
void probes_threads_left(const struct probes *p, uint32_t task, uint64_t period_ns, record_fn fn,
			 void *context);
/** fds of the tables that unwind/ fills; borrowed. */
void probes_unwind_maps(const struct probes *p, int *ret_chunks, int *ret_mappings,
			int *ret_processes, int *ret_pythons);
/** How often the process has executed a program since it is observed; -ESRCH: it is no target. */
int probes_execs(const struct probes *p, uint32_t tgid, uint64_t start_ns, uint32_t *ret);
/** Leaves context switches alone from now on: they come too often. Waits are then read by
 * probes_threads(). */
void probes_leave_switches(struct probes *p);
bool probes_wakes(const struct probes *p); /* waits are walked by who waited (sched_exit_tp) */

/** Peak of the task of that number (0 in a run of its own) as the kernel kept it: bytes, time,
 * epoch. Zeros without rss_stat. */
void probes_task_peak(const struct probes *p, uint32_t task, uint64_t *ret_bytes, uint64_t *ret_ns,
		      uint64_t *ret_epoch);
/** Every address space of the task that is still there, as an EV_IMAGE_END record; share_bytes is
 * what it held at the current epoch. */
void probes_images(const struct probes *p, uint32_t task, record_fn fn, void *context);

void probes_drops(const struct probes *p, uint64_t ret[DROP_MAX]);
uint64_t
probes_missed(const struct probes *p); /* events that the kernel did not run a program for */

/** Changes that a thread keeps to itself before rss_stat tells them: 64 pages up to Linux 6.1, none
 * since. */
uint64_t probes_resolution(const struct probes *p);

bool probes_event_driven(const struct probes *p); /* rss_stat is attached */

/** What each file has of the page cache of the cgroup; @fn's key NULL: of those that found no room.
 * Nothing without a cgroup. */
void probes_cached_files(void *probes,
			 void (*fn)(void *to, const struct cached_file *key, int64_t pages),
			 void *to);
bool probes_counts_files(const struct probes *p);

/** From now on one page in 2^shift is sampled; never less than before. */
void probes_resident_shift(struct probes *p, uint32_t shift);

/* With config.tasks > 1 only: */

/** From now on processes that the rules ask about become tasks (EV_TASK). */
int probes_watch(struct probes *p, struct problem *problem);
/** Other rules from now on: at most WATCH_RULES_MAX. */
void probes_rules(struct probes *p, const struct watch_rule *rules, size_t count);
/** Nothing of the task is told any more: processes of it that go on are left alone. 0 or -errno. */
int probes_release(struct probes *p, const uint32_t *numbers, size_t count);
/** After that: another task may have its slot. */
int probes_task_free(struct probes *p, uint32_t number);
/** What the task came to since the last tick, as the first record of one. False: it is none. */
bool probes_task_sample(const struct probes *p, uint32_t number, struct task_sample *ret);
/** What it writes to stderr is told no longer. */
void probes_lines_end(struct probes *p, uint32_t number);

/** With config.stats: how many instructions the verifier has walked for each program that is
 * loaded. */
void probes_stats(const struct probes *p,
		  void (*fn)(void *context, const char *program, unsigned instructions),
		  void *context);

/* Which diagnostic a program, and what is missing without it, belongs to. */
enum probes_of { PROBES_OF_MEMORY, PROBES_OF_PROFILE, PROBES_OF_RESIDENT };

/** Index from 0; NULL after the last: a sentence on what is missing and why. */
const char *probes_limit(const struct probes *p, enum probes_of of, size_t index);

#endif
