/* retention.h - what is removed when: tasks whose protection is over, oldest first, and more when
 * there is no room for them.
 *
 * The rules of Pulp's orphan cleanup: an artifact lives for the protection time. Above that, caps.
 */
#ifndef TASKDIAG_SERVE_RETENTION_H
#define TASKDIAG_SERVE_RETENTION_H

#include "serve/index.h"

struct retention {
	uint64_t protection_s; /* since the task's end; 0: none is kept longer than a look */
	uint64_t total_bytes;  /* of all run directories; 0: no cap. Beats the protection */
	uint64_t task_bytes;   /* of one: a larger one goes at once; 0: no cap */
};

enum retention_cause { RETENTION_AGE, RETENTION_TOTAL, RETENTION_TASK };

struct retention_removed {
	char id[TASK_ID_MAX + 1];
	enum retention_cause cause;
	uint64_t bytes;
	int64_t end_utc_ms;
	int err; /* 0: it is gone (or would be); -errno: it stays, row and all */
};

/**
 * One round. Running and saving tasks are never touched. @dry: nothing is removed, @fn hears what
 * would be. The wall clock may step: a task that ended in the future is as old as its directory's
 * time says, at least 0. Returns how many were removed, or -errno.
 */
int retention_round(struct store *s, struct index *x, const struct retention *r, int64_t now_utc_ms,
		    bool dry, void (*fn)(void *context, const struct retention_removed *removed),
		    void *context);

/**
 * After a start: every whole run directory has a row (adopted from its manifest); every DONE row
 * has a directory, or goes; RUNNING and SAVING rows of a daemon that died become LOST unless their
 * directory is whole; snapshots of tasks that do not run any more are removed if the task's own
 * directory is whole. Returns how many rows changed, or -errno.
 */
int retention_recover(struct store *s, struct index *x, int64_t now_utc_ms);

/** What the manifest of a task's run directory says of it goes into @t; what it does not say stays
 * as it is. 0, -ENOENT, -errno. */
int retention_row(const struct store *s, const char *id, struct indexed_task *t);

#endif
