/* rundir.h - what a run leaves on disk: whole, or absent.
 *
 *   new ──► .NAME.taskdiag-partial/ ──begin/end per artifact──► commit: manifest last, sync, rename
 * ──► NAME/
 *
 * An artifact has a temporary name until it is whole. A partial directory is locked by its
 * observer: one that nobody locks was left by an observer that was killed, and the next run in the
 * same place removes it.
 */
#ifndef TASKDIAG_RUNDIR_H
#define TASKDIAG_RUNDIR_H

#include <jansson.h>
#include <stdio.h>

#include "lib/identity.h"
#include "lib/problem.h"

struct rundir;

/**
 * Makes the partial directory beside @path, with the rights of @owner, who will own it. An empty
 * directory @path is taken over; anything else there is -EEXIST.
 */
int rundir_new(const char *path, const struct identity *owner, struct rundir **ret,
	       struct problem *problem);
/** Removes the partial directory unless committed. NULL is fine. */
void rundir_free(struct rundir *r);

const char *rundir_path(const struct rundir *r); /* final, as given */
int rundir_fd(const struct rundir *r);		 /* of the directory, partial or committed */

/** Starts an artifact; NULL with a problem. rundir_end() syncs it, names it, lists it, and closes
 * @file in any case. */
FILE *rundir_begin(struct rundir *r, const char *name, struct problem *problem);
int rundir_end(struct rundir *r, FILE *file, struct problem *problem);

/** What is listed so far, as in manifest.json; grows. Borrowed. */
json_t *rundir_artifacts(const struct rundir *r);

/** Adds `artifacts` to @manifest, writes it and gives the directory its name. */
int rundir_commit(struct rundir *r, json_t *manifest, struct problem *problem);

/** A JSON string of hostile bytes: what is not UTF-8 becomes '?'. NULL: no memory. */
json_t *json_text(const char *s);

#endif
