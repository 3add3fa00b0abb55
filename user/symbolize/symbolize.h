/* symbolize.h - frames → names: asks inspect/ file by file, and falls back to module+0xoffset.
 *
 *   files (pinned fd, path) + addresses ──► debug file, by build-id or link ──► inspect ──► names
 */
#ifndef TASKDIAG_SYMBOLIZE_H
#define TASKDIAG_SYMBOLIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inspect/inspect.h"

/* A file whose addresses want names. Filled by the caller, which keeps all of it. */
struct symbolize_file {
	int fd;		  /* read-only, pinned when it was first seen; -1: not readable */
	const char *path; /* as the task sees it; hostile; "[vdso]", … */
	const char *root; /* directory that is the task's root ("/proc/PID/root" or ""): debug files
			     are looked for below it first, then on the host */
	bool perf_map;	  /* fd is a perf map: addresses are those of the process */
};

struct symbolize_name {
	uint32_t address; /* index into the addresses asked for */
	const char *name; /* never NULL: "module+0x1f" where no symbol is known; hostile bytes */
	const char *file; /* source; NULL unless lines were asked for and found */
	uint32_t line;
	bool inlined;	 /* into the next one, which has the same address */
	bool unresolved; /* name is module+0xoffset */
};

/** Called for all names of one file, sorted by address, innermost inlined function first. */
typedef void (*symbolize_fn)(void *context, size_t file, const struct symbolize_name *names,
			     size_t count, const char *problem);

struct symbolizer;

struct symbolize_options {
	bool lines;	 /* file:line and inlined functions */
	bool debuginfod; /* ask the servers in DEBUGINFOD_URLS for missing debug files */
};

/** @inspect stays the caller's. 0, -ENOMEM. */
int symbolizer_new(struct inspect *inspect, const struct symbolize_options *options,
		   struct symbolizer **ret);
void symbolizer_free(struct symbolizer *s);

/**
 * Names for @count sorted addresses of file number @index; @fn is called from symbolizer_finish()
 * or before. What cannot be named is named by module and offset, with the cause in @problem.
 */
int symbolizer_ask(struct symbolizer *s, size_t index, const struct symbolize_file *file,
		   const uint64_t *addresses, size_t count, symbolize_fn fn, void *context);
/** Waits for all answers, at most @timeout_ns: what is open then is named by module and offset. */
void symbolizer_finish(struct symbolizer *s, uint64_t timeout_ns);

#endif
