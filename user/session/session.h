/* session.h - owner of one run: everything in its order.
 *
 *   new: output place, probes, command held or pids opened, attach, scan ──► run: pump until the
 * task ends ──► finish: detach, last drain, totals ──► save: artifacts, manifest, name
 */
#ifndef TASKDIAG_SESSION_H
#define TASKDIAG_SESSION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "artifact/rundir.h"
#include "bpf/events.h"
#include "lib/identity.h"
#include "lib/problem.h"

struct session;

struct session_options {
	const char *diagnostics[8]; /* names of collectors, known ones; ends with NULL */
	pid_t pids[MAX_ROOTS];	    /* as the caller sees them */
	size_t pid_count;
	char *const *argv;     /* of a command to start instead; NULL: none */
	const char *cgroup;    /* path of a cgroup to observe instead; NULL: none */
	const char *container; /* the same by a container's id or name; NULL: none */
	uint64_t memory_limit; /* of a cgroup that is made for the command; 0: none is */
	const char *task_id;   /* that somebody has given it; NULL: <name>-<pid> */
	struct identity owner; /* of the run directory */
	struct identity user;  /* who the command runs as */
	const char *output;    /* NULL: taskdiag-<task>-<UTC time> in the working directory */
	uint64_t interval_ns;
	uint64_t duration_ns; /* 0: as long as the task lives */
	uint32_t ring_bytes;
	uint32_t frequency_hz;	/* of the profile */
	double max_overhead;	/* share of the task's time that looking at its switches may take */
	double heap_overhead;	/* the same for the calls of malloc & co. */
	bool cpu_only;		/* the profile leaves waits away */
	unsigned memray_format; /* of memray.bin; 0: the newest that is known */
	uint64_t sample_bytes;	/* of the heap: mean distance of samples; 0: every allocation */
	uint64_t snapshot_ns;	/* between two snapshots; 0: only by SIGUSR1 */
	bool python_allocators; /* a command's CPython asks malloc for every object */
	bool resident_only;	/* allocations without the malloc shim */
	bool exact; /* every allocation: of running processes by uprobes; of a command to the end */
	bool native_internals; /* the interpreter's own frames are shown */
	bool follow_children;
	bool live; /* status line on stderr */
	bool colour;
	bool verbose;
	uint64_t process_start_ns; /* of the observer, for observer.attach_s */
};

/**
 * Everything up to the point where the task is observed and a started command runs. On failure
 * nothing is left behind; *ret_exit is the status to leave with (126 and 127 as a shell gives
 * them), and @problem says why.
 */
int session_new(const struct session_options *options, struct session **ret, int *ret_exit,
		struct problem *problem);
void session_free(struct session *s); /* NULL is fine */

/** Until the task has ended, the duration is over, or the user stops it. 0 or -errno. */
int session_run(struct session *s, struct problem *problem);

/** Removes the probes and takes the last counts. Afterwards a second Ctrl-C ends the observer at
 * once. */
void session_finish(struct session *s);

/* Writes more artifacts before the manifest: reports. */
typedef int (*session_extra_fn)(struct rundir *r, json_t *manifest, struct problem *problem);

/**
 * Writes the run directory; if that fails, in another place: -EIO then, *ret_path is that place and
 * @problem the cause. Any other failure: nothing could be saved. *ret_path and *ret_manifest are
 * owned by the session.
 */
int session_save(struct session *s, session_extra_fn extra, const char **ret_path,
		 json_t **ret_manifest, struct problem *problem);

/** wait(2) status of the started command; -1 when there is none. */
int session_command_status(const struct session *s);

#endif
