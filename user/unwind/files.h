/* files.h - the files that the task runs code of: who they are, pinned, with their rows in the
 * table space.
 *
 *   region ──► known? ──(no)──► pin.c ──► cache.c │ inspect_rows() ──► space.c ──► changed
 *
 * A file whose mappings are all gone keeps its number, name and fd; its table leaves the space when
 * that is half full.
 */
#ifndef TASKDIAG_FILES_H
#define TASKDIAG_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "inspect/inspect.h"
#include "unwind/cache.h"
#include "unwind/maps.h"
#include "unwind/space.h"
#include "unwind/unwinder.h"

#define FILES_MAX 65535

struct files;

enum file_state {
	FILE_IDLE,   /* its rows are not in the space, and nobody makes them */
	FILE_ASKED,  /* the worker makes them */
	FILE_PLACED, /* in the space, not visible yet */
	FILE_READY,
	FILE_WITHOUT, /* it has none: see problem */
	FILE_NO_ELF,  /* nor is it an ELF file: its code is as good as anonymous */
};

struct file {
	struct unwind_file shown; /* its strings are ours */
	enum file_state state;
	struct space_table table;
	uint64_t first; /* address of bucket 0 */
	uint64_t bucket_count;
	struct inspect_segment segments[INSPECT_SEGMENTS_MAX];
	uint32_t segment_count;
	bool vdso;
	struct inspect_python *python; /* NULL: no interpreter, or not known yet */
	char *python_problem;	       /* it is one, but of a kind that is not known */
};

/** All borrowed; @cache may be NULL. Raises the limit of open files to what is allowed. */
int files_new(struct inspect *inspect, struct space *space, struct cache *cache,
	      struct files **ret);
/** To be called after inspect_free(): no answer may come any more. NULL is fine. */
void files_free(struct files *f);

/** Number of the file of a region that process @pid has shown; 0: code without a file (JIT), or no
 * room. Asks for its rows. */
uint32_t files_find(struct files *f, pid_t pid, const struct region *region);

/** A mapping of it (not 0) comes or goes. */
void files_ref(struct files *f, uint32_t number);
void files_unref(struct files *f, uint32_t number);

/** Both (not 0) are mapped in one process, whose program is the first: a hint for the next run,
 * that loads rows of the second before it is mapped. */
void files_together(struct files *f, uint32_t program, uint32_t file);

const struct file *files_get(const struct files *f, uint32_t number); /* NULL: unknown, or 0 */

/** Makes visible what has been placed, removes tables out of use. True: files_changed() holds for
 * some, until files_changed_clear(). */
bool files_pump(struct files *f, uint64_t now_ns);
bool files_changed(const struct files *f, uint32_t number);
void files_changed_clear(struct files *f);

/** Loads rows of files that are not mapped yet, for a few milliseconds if they are small: to be
 * called last. */
void files_expect(struct files *f);

/** When files_pump() or files_expect() has something to do again; 0: nothing now. */
uint64_t files_due(const struct files *f);
uint32_t files_asked(const struct files *f); /* whose rows are being made */
/** Of which it is not known yet whether they are interpreters: rows may come from the cache long
 * before. */
uint32_t files_pythons_asked(const struct files *f);

/** Fills files, rows and cache numbers. */
void files_stats(const struct files *f, struct unwinder_stats *ret);

#endif
