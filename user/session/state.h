/* state.h - what the files of session/ share. Private to this folder. */
#ifndef TASKDIAG_SESSION_STATE_H
#define TASKDIAG_SESSION_STATE_H

#include <signal.h>

#include "cgroup/container.h"
#include "cgroup/limit.h"
#include "session/command.h"
#include "session/heap_calls.h"
#include "session/probes.h"
#include "session/session.h"
#include "session/shim.h"
#include "session/stream.h"

enum stop { STOP_NONE, STOP_ENDED, STOP_USER, STOP_DURATION };

struct session {
	struct session_options options;
	struct observation o;
	struct stream stream;
	struct probes *probes;
	uint32_t task;	   /* its number: 0 in a run of its own */
	bool shares;	   /* probes, tables and worker with other tasks: they are the host's */
	uint64_t ended_ns; /* of a task that shares: its first process ended then; 0: it runs */
	uint64_t drops_before[DROP_MAX];
	void *mark; /* of who has the host (host.h) */
	struct rundir *rundir;
	struct command *command;
	struct shim *shim;	    /* that the command carries; NULL: none */
	struct heap_calls *calls;   /* probes at allocators of running processes; NULL: none */
	struct container container; /* of --container */
	struct cgroup_limit *limit; /* of --memory-limit; NULL: none */
	bool by_cgroup;		    /* who is in o.cgroup is the task's */
	int pidfds[MAX_ROOTS];
	pid_t roots[MAX_ROOTS]; /* as the caller sees them */
	size_t root_count, roots_ended;
	char name[16];	    /* of the first root; hostile */
	char *command_line; /* hostile */
	int status;	    /* of the command; -1: none or not ended */
	int epoll, timer, signals;
	int snapshot_timer; /* of --snapshot-every; -1 */
	int calls_timer;    /* of heap_calls.h; -1 */
	int usage_timer;    /* of looks at the cgroup's usage; -1 */
	pid_t snapshot_pid; /* that is being written; 0: none */
	unsigned snapshots, snapshots_skipped;
	int profile_timer; /* the brake's, or ticks of the profile from outside; -1 */
	int nice;	   /* of our caller, for the end of a profile */
	uint64_t brake_ns; /* the switches were counted then */
	uint64_t brake_switches;
	sigset_t mask; /* of signals, as our caller had it: the command's */
	enum stop stop;
	bool resident; /* births and deaths of pages are told */
	uint64_t attached_ns;
	uint64_t samples_failed;
	uint64_t drops[DROP_MAX];
	int64_t suspend_ns; /* CLOCK_BOOTTIME - CLOCK_MONOTONIC at the last tick */
	json_t *manifest;
	char *saved_path;
};

/* A record_fn: what is still there at the end, as a record that is none of the ledger's. */
void session_last_state(void *context, const void *record, size_t bytes);
/** A collector for each diagnostic that is asked for. (session.c) */
int session_collectors(struct session *s);
/** Hands the kernel's last word to the collectors. (session.c) */
void session_totals(struct session *s);
/** Writes all artifacts and commits. (save.c) */
int session_write(struct session *s, struct rundir *r, session_extra_fn extra,
		  struct problem *problem);
/** manifest.json but for its artifacts; NULL: no memory. (manifest.c) */
json_t *session_manifest(struct session *s);

/** Everything that a profile needs before it can attach: worker, tables. (profiling.c) */
int profiling_new(struct session *s, struct problem *problem);
/** Threads that are there; tables of what is mapped, which a held command waits for. */
int profiling_begin(struct session *s, struct problem *problem);
/** The profile's timer has gone off. */
void profiling_beat(struct session *s);
/** What threads do that do not end with the run. */
void profiling_end(struct session *s);
void profiling_free(struct session *s);
bool profiling_is_on(const struct session *s);

/** `<name>-<pid>` of the task, characters [A-Za-z0-9_-] only. (manifest.c) */
void session_task_id(const struct session *s, char *ret, size_t size);

/** @place/taskdiag-<task>-<UTC time>, with a number from the second @attempt on. (session.c) */
int session_default_output(const struct session *s, const char *place, int attempt, char *ret,
			   size_t size);

/** The line on a terminal, and its removal. (status.c) */
void status_show(const struct session *s);
void status_clear(const struct session *s);

#endif
