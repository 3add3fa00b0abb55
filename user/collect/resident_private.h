/* resident_private.h - what the files of the resident source share: resident.c takes the records,
 * resident_scans.c looks at pagemap, resident_result.c says what it came to.
 */
#ifndef TASKDIAG_RESIDENT_PRIVATE_H
#define TASKDIAG_RESIDENT_PRIVATE_H

#include <stdbool.h>
#include <uthash.h>

#include "aggregate/intern.h"
#include "aggregate/pages.h"
#include "collect/live_curve.h"
#include "collect/resident.h"
#include "collect/thread_table.h"

#define NO_NAME UINT32_MAX

struct location_key {
	uint32_t node;	 /* of the raw tree of stacks */
	uint32_t thread; /* of the thread_table */
	uint32_t kind;	 /* enum page_kind */
	uint32_t name;	 /* of a mapping: it was there before us; NO_NAME */
};

struct location {
	struct location_key key;
	uint64_t born; /* pages, ever */
};

/* An address space of which something is known. */
struct space {
	uint64_t image;
	struct thread_key process; /* tid is that of the first thread */
	uint32_t pid;
	UT_hash_handle hh;
};

/* A process that was there before us: its pages have to be looked for. */
struct found {
	uint32_t tgid;
	UT_hash_handle hh;
};

struct resident {
	const struct observation *o;
	struct pages *pages;
	struct intern locations;
	struct thread_table threads;
	struct strings names;
	struct space *spaces;
	struct found *founds;
	uint64_t births, stackless, failed;
	uint64_t page_bytes, rss_pages;
	struct live_curve curve;	      /* of RSS */
	uint64_t peak_bytes, peak_ns;	      /* of the kernel's own count */
	uint64_t end_pages, phantom, unowned; /* of the scan at the end, sampled ones scaled */
	bool end_scan;
	int scan_err; /* of a scan at the start */
};

/** The number of a location, made when it is new; INTERN_NONE: no memory. */
uint32_t resident_location(struct resident *r, const struct location_key *key);
/** The space of an address space, made when it is new; NULL: no memory. */
struct space *resident_space(struct resident *r, uint64_t image, const struct thread_key *process,
			     uint32_t pid);
/** It need not be looked at any more, or is being looked at. */
void resident_found_forget(struct resident *r, uint32_t tgid);

#endif
