/* files_private.h - what the files of files share: one file, and all of them.
 *
 *   files.c: who a file is │ files_rows.c: where its rows are
 */
#ifndef TASKDIAG_FILES_PRIVATE_H
#define TASKDIAG_FILES_PRIVATE_H

#include <uthash.h>

#include "lib/clock.h"
#include "unwind/files.h"
#include "unwind/pin.h"

/* What maps and the side-band say a file is. */
struct told_key {
	uint64_t device, inode;
};

struct told {
	struct told_key key;
	uint32_t number;
	UT_hash_handle hh;
};

struct entry {
	struct file file;
	struct pin_identity identity;
	struct files *files;
	uint32_t number, refs;
	uint64_t asked_ns, idle_ns; /* idle: refs are 0 since */
	uint64_t retry_ns;	    /* 0: not to be tried again */
	bool changed;
	bool python_asked;
	char *path, *root, *problem;
	struct entry *next_placed, *next_wanted;
	UT_hash_handle hh; /* by identity; not the unreadable ones */
};

struct files {
	struct inspect *inspect;
	struct space *space;
	struct cache *cache;
	struct entry **entries; /* number - 1 */
	uint32_t count, capacity;
	struct entry *by_identity;
	struct told *by_told;
	struct entry *placed;		    /* since the last commit */
	struct entry *wanted, **wanted_end; /* to be looked for in the cache, or asked for */
	uint32_t vdso;
	uint64_t vdso_bytes;
	bool changed, vdso_tried;
	uint32_t asked;
	uint64_t served_ns; /* the worker has answered us last */
	uint64_t evict_ns;  /* next look for tables out of use */
	uint64_t retry_ns;  /* the first of those of entries; 0: none */
	uint64_t rows, refused, table_ns;
	uint64_t hits, misses, damaged;
};

struct entry *files_entry(const struct files *f, uint32_t number); /* NULL: there is none */

/** It has no rows: @problem is taken over; NULL: not even memory for that. */
void files_entry_fail(struct entry *e, enum file_state state, char *problem);
/** Is it an interpreter? Its segments are known. (files_python.c) */
void files_python_want(struct entry *e);
/** Its rows are needed. */
void files_want(struct entry *e);

#endif
