/* host.h - all tasks of a host, observed with one set of probes: rules make processes tasks, each
 * is a session that shares probes, tables and worker with the others.
 *
 *   EV_TASK ──► accept() ──► session ──► ticks, records ──(its first process ends)──► ended()
 *                  └─(none)──► left alone again
 *
 * Used from one thread. Who has it may fork: see host_save().
 */
#ifndef TASKDIAG_HOST_H
#define TASKDIAG_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/events.h"
#include "collect/collector.h"
#include "lib/problem.h"
#include "session/session.h"

struct host;

/* What somebody wants of a process that a rule asks about. */
struct host_wish {
	const char *diagnostics[8]; /* names; ends with NULL; borrowed for ever */
	void *mark;		    /* of the caller: host_mark() */
};

struct host_config {
	const char *diagnostics[8]; /* all that any task may want: what is not, is not loaded */
	const struct watch_rule *rules;
	size_t rule_count;
	uint32_t tasks; /* at once; at most TASK_SLOTS_MAX */
	uint64_t interval_ns;
	uint32_t frequency_hz;
	uint32_t ring_bytes;
	bool verbose;
	/** True: it is a task, and *ret is filled. @directory: where it is, as far as the kernel
	 * told (hostile; "": not told). */
	bool (*accept)(void *context, const struct task_event *e, const char *directory,
		       struct host_wish *ret);
	/** Something that the task has written to stderr: hostile, not terminated. False: no more
	 * is wanted. */
	bool (*line)(void *context, void *mark, const char *text, size_t bytes);
	/** After each tick, of each task. */
	void (*tick)(void *context, void *mark, const struct memory_now *now);
	/** Its first process has ended and all is known; the session is freed afterwards. */
	void (*ended)(void *context, struct session *s);
	void *context;
};

int host_new(const struct host_config *config, struct host **ret, struct problem *problem);
/** Every task that still runs ends as "detached", ended() is called for each. NULL is fine. */
void host_free(struct host *h);

/** An epoll fd that is readable when host_pump() has something to do. */
int host_fd(const struct host *h);
void host_pump(struct host *h);

struct host_counts {
	uint64_t begun, refused, ended; /* tasks */
	uint64_t recorded, late, malformed;
	uint64_t strays; /* records of tasks that were over */
	uint32_t running;
	uint64_t drops[DROP_MAX];
};
void host_counts(struct host *h, struct host_counts *ret);

/** Other rules from now on. */
void host_rules(struct host *h, const struct watch_rule *rules, size_t count);

void *host_mark(const struct session *s);

/**
 * Writes what is known of the task as a run directory @path. In a child of the caller's only: what
 * it touches is a copy. @task_id: NULL: <name>-<pid>. @partial: the task runs on. 0 or -errno with
 * a problem; *ret_manifest is the session's.
 */
int host_save(struct session *s, const char *path, const char *task_id, bool partial,
	      session_extra_fn extra, json_t **ret_manifest, struct problem *problem);

/** The session of a mark; NULL: it has ended. */
struct session *host_find(struct host *h, const void *mark);

#endif
