/* follow_private.h - what the files of follow share: one process, and all of them.
 *
 *   follow.c: who is followed, what is shown │ follow_events.c: the side-band │ follow_scans.c:
 * maps
 */
#ifndef TASKDIAG_FOLLOW_PRIVATE_H
#define TASKDIAG_FOLLOW_PRIVATE_H

#include <uthash.h>

#include "lib/clock.h"
#include "unwind/follow.h"
#include "unwind/image.h"
#include "unwind/scan.h"

/* A process that was never told of, and has ended, is forgotten. */
#define FORGET_NS (10 * NS_PER_S)

struct process {
	uint32_t pid;  /* as we see it */
	uint32_t tgid; /* in the initial namespace; 0: not told yet */
	uint64_t start_ns;
	struct image *image;
	bool complete;	  /* the image is all that it has mapped */
	bool execs_known; /* execs is the kernel's count, or ahead of it by an exec in progress */
	uint32_t execs;
	uint64_t synced_ns; /* events until then are in the image */
	struct scan *scan;
	uint32_t scan_execs; /* the kernel's, before it began */
	uint64_t scan_ns;    /* due; 0: none */
	uint64_t rest_ns;    /* no scan before */
	uint64_t verify_ns;  /* due; 0: none */
	uint32_t verify_step;
	uint64_t gone_ns; /* told to have ended; goes when the side-band has come so far */
	uint64_t exit_ns; /* the side-band has told so */
	bool shown, changed;
	struct unwind_process entry; /* as shown */
	uint64_t shown_ns;	     /* since then: CLOCK_BOOTTIME */
	UT_hash_handle hh, hh_tgid;
};

struct follow {
	struct files *files;
	struct mappings *mappings;
	struct areas_watch watch;
	bool follow_children;
	int (*execs)(void *context, uint32_t tgid, uint64_t start_ns, uint32_t *ret);
	void *context;
	struct process *by_pid, *by_tgid;
	struct process *scanning; /* one at a time */
	uint64_t due_ns;
	bool changed; /* some process's image or entry is */
	uint64_t rescans, lost, refused;
};

struct process *follow_find_pid(const struct follow *f, uint32_t pid);
struct process *follow_find_tgid(const struct follow *f, uint32_t tgid);
struct process *follow_new_process(struct follow *f, uint32_t pid); /* NULL without memory */
void follow_drop(struct follow *f, struct process *p);

/** follow_pump() has something to do then. */
void follow_due_at(struct follow *f, uint64_t at_ns);
/** The process is to be shown anew. */
void follow_touch(struct follow *f, struct process *p);

void follow_scan_want(struct follow *f, struct process *p, uint64_t at_ns);
void follow_scan_stop(struct follow *f, struct process *p);
/** Our count of execs is to be compared with the kernel's, soon. */
void follow_verify_want(struct follow *f, struct process *p, uint64_t now_ns);
void follow_verify(struct follow *f, struct process *p, uint64_t now_ns); /* it is due */
/** Reads for a few milliseconds. @some_due: a process may wait to be read. */
void follow_scans(struct follow *f, uint64_t now_ns, bool some_due);

#endif
