/* host_private.h - what the files of the host share: host.c begins and ends it, host_tasks.c has
 * the tasks, host_ticks.c looks at all of them. */
#ifndef TASKDIAG_HOST_PRIVATE_H
#define TASKDIAG_HOST_PRIVATE_H

#include "session/host.h"
#include "session/state.h"

#define PARENTS_MAX 64

/* A process that forks tasks: what it has mapped is what they begin with. */
struct host_parent {
	uint64_t start_ns;
	uint32_t tgid, pid;
};

struct host {
	struct host_config config;
	struct probes *probes;
	struct unwinder *unwinder; /* NULL: nothing walks stacks; so is the worker */
	struct inspect *inspect;
	struct session *tasks[TASK_SLOTS_MAX]; /* by slot */
	uint32_t refused[TASK_SLOTS_MAX]; /* numbers that are none; given back at the next beat */
	size_t refused_count;
	uint64_t tick_ns;			 /* of the last */
	int64_t suspend_ns;			 /* CLOCK_BOOTTIME - CLOCK_MONOTONIC then */
	uint64_t missed;			 /* probes_missed() at the last tick */
	uint64_t drops[DROP_MAX];		 /* likewise */
	bool fresh;				 /* a task has not had a tick yet */
	bool threads;				 /* or has threads that are not known yet */
	struct host_parent parents[PARENTS_MAX]; /* of tasks: their tables stand, too */
	size_t parent_count;
	struct host_counts counts;
	int epoll, timer, beat;
};

/** A record of the ring: record_fn. (host_tasks.c) */
void host_record(void *host, const void *record, size_t bytes);
/** Gives back what is none, ends what is over. (host_tasks.c) */
void host_reap(struct host *h);
/** Ends a task, whatever it does. (host_tasks.c) */
void host_end(struct host *h, struct session *s);

/** Its tables are made and followed, as if it were a task's. (host_parents.c) */
void host_parent_meet(struct host *h, uint32_t tgid, uint32_t pid, uint64_t start_ns);
bool host_parent_known(const struct host *h, uint32_t tgid, uint64_t start_ns);
/** Those that are there, by their names in the rules. (host_parents.c) */
void host_parents_find(struct host *h);
/** Forgets those that have ended. (host_parents.c) */
void host_parents_check(struct host *h);

/** A tick of all tasks; @fresh: of those only that had none. (host_ticks.c) */
void host_tick(struct host *h, bool fresh);
/** Threads that no probe has seen. (host_ticks.c) */
void host_threads(struct host *h);

#define host_each(h, s)                                            \
	for (size_t slot_ = 0; slot_ < (h)->config.tasks; slot_++) \
		if (((s) = (h)->tasks[slot_]))

#endif
