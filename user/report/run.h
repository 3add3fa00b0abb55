/* run.h - a finished run, read back from its directory: the manifest, the rows of memory.csv, the
 * profile of profile.pb.gz, the allocations of allocations.pb.gz and resident.pb.gz.
 *
 * The right side of the wall: only files are read, and they are hostile (bounded size, checked
 * numbers). docs/artifact-format.md defines every key. LC_NUMERIC must be "C", as it is without
 * setlocale().
 */
#ifndef TASKDIAG_REPORT_RUN_H
#define TASKDIAG_REPORT_RUN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "aggregate/allocations.h"
#include "aggregate/profile.h"
#include "report/rows.h"

#define RUN_FORMAT 1
/* bytes that are read at most */
#define RUN_MANIFEST_MAX (16u << 20)
#define RUN_CSV_MAX (64u << 20)

struct run {
	char *path; /* as given to run_open(), else NULL; hostile */
	int dirfd;  /* the run directory, read-only */
	json_t *manifest;
	struct run_row *rows; /* times never go back; none when memory.csv is absent */
	size_t n_rows;
	struct profile *profile; /* NULL: the run has none */
	/* NULL: the run has none, or run_load_allocations() was not called */
	struct allocations *allocations; /* of the main source */
	struct allocations *resident;	 /* of resident pages, when the main source is the heap */
};

/**
 * Opens the run directory @path, or the one open as @dirfd (stays the caller's). @manifest:
 * borrowed, used instead of manifest.json; may be NULL. On failure returns -errno and *ret_error is
 * one line for a person: object, cause, next step; safe on a terminal; to be freed; NULL without
 * memory. *ret is untouched then.
 */
int run_open(const char *path, struct run **ret, char **ret_error);
int run_open_at(int dirfd, json_t *manifest, struct run **ret, char **ret_error);
void run_free(struct run *r); /* NULL is fine */

/** Reads the allocations, which only some reports want. As run_open(); 0 also when there are none.
 */
int run_load_allocations(struct run *r, char **ret_error);
/** What was loaded; @resident: of resident pages, whichever file they are in. NULL: none. */
struct allocations *run_allocations(const struct run *r, bool resident);

/** A value of the manifest by its path, e.g. "task.command"; borrowed; NULL when absent. */
json_t *run_get(const struct run *r, const char *path);
/** As run_get(); NULL when it is not a string, NaN when it is not a sane number. */
const char *run_string(const struct run *r, const char *path);
double run_number(const struct run *r, const char *path);
/** The same of a member of an object. */
const char *run_member_string(const json_t *object, const char *key);
double run_member_number(const json_t *object, const char *key);

#endif
