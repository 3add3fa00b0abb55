/* files_private.h - what the files of files share: one file, and all of them.
 *
 *   files.c: who a file is │ files_rows.c: where its rows are │ files_companions.c: what comes next
 */
#ifndef TASKDIAG_FILES_PRIVATE_H
#define TASKDIAG_FILES_PRIVATE_H

#include <uthash.h>

#include "bpf/unwind.h"
#include "lib/clock.h"
#include "unwind/files.h"
#include "unwind/pin.h"

#define SPACE_WORDS ((uint64_t)CHUNKS_MAX * CHUNK_WORDS)

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
	uint32_t number, refs;	    /* number 0: expected, not seen yet; without fd and path */
	uint64_t asked_ns, idle_ns; /* idle: refs are 0 since */
	uint64_t retry_ns;	    /* 0: not to be tried again */
	bool changed;
	bool python_asked;
	char *path, *root, *problem;
	uint32_t *companions; /* numbers of what was mapped where this is the program */
	uint32_t companion_count;
	struct entry *next_placed, *next_wanted, *next_warm;
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
	struct entry *loaded;		    /* a long table, read from the cache, to be placed */
	struct inspect_rows loaded_rows;
	void *loaded_memory;
	struct entry *warm, **warm_end; /* expected, in order; some have been seen since */
	struct entry *warm_next;	/* the first not looked for in the cache */
	uint32_t warm_count;
	uint32_t vdso;
	uint64_t vdso_bytes;
	bool changed, vdso_tried;
	uint32_t asked;
	uint32_t pythons_asked; /* files that may be interpreters */
	uint64_t served_ns;	/* the worker has answered us last */
	uint64_t evict_ns;	/* next look for tables out of use */
	uint64_t retry_ns;	/* the first of those of entries; 0: none */
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
void files_entry_free(struct entry *e);

/** It is new: if it is a program that ran before, the rows of what it mapped are expected.
 * (files_companions.c, as the next ones) */
void files_companions_want(struct entry *program);
/** The next expected file whose rows are to be looked for; NULL: none, or no room for guesses. */
struct entry *files_warm_next(struct files *f);
/** Those that were never seen. */
void files_warm_free(struct files *f);
/** Tells the cache what programs of this run mapped. */
void files_companions_keep(struct files *f);

#endif
