/* profile.h - the profile: marks, stacks and threads in; profile.folded, .pb.gz, .speedscope.json,
 * .pyisession out.
 *
 *   records ──► profile.c (threads, samples) ──► profile_names.c (frames → names) ──►
 *   profile_build.c (struct profile) ──► artifact/profile_*.c, profile_manifest.c
 *
 * Shared by these files only.
 */
#ifndef TASKDIAG_COLLECT_PROFILE_H
#define TASKDIAG_COLLECT_PROFILE_H

#include <uthash.h>

#include "aggregate/profile.h"
#include "aggregate/samples.h"
#include "bpf/profile.h"
#include "bpf/unwind.h"
#include "collect/collector.h"

#define PROCS_MAX 65536	  /* told apart; all further ones are one */
#define THREADS_MAX 16384 /* likewise */
#define THREADS_LISTED 200

/* Frames that are no frames, at the root of a raw stack: what its walk came to, and whose raw
 * addresses follow. */
#define FRAME_OUTCOME (3ULL << 62)
#define FRAME_PROCESS (2ULL << 62)
#define FRAME_KIND (3ULL << 62) /* one of these; FRAME_PYTHON; 0: native */

struct profile_proc {
	uint64_t start_ns;
	uint32_t tgid, pid; /* pid as the observer sees it */
	uint32_t index;
	char name[NAME_BYTES];
	uint32_t exec_pages; /* at the last tick */
	bool raw;	     /* some of its frames belong to no file */
	int perf_map;	     /* pinned when the first of them came; -1: none so far */
	uint64_t map_ns;     /* looked for it then */
	UT_hash_handle hh;
};

/* Sums of one kind of time, in ns by the kernel and in marks by us. */
enum time_kind { TIME_CPU, TIME_RUN_QUEUE, TIME_BLOCKED, TIME_KINDS };

struct profile_thr {
	uint64_t key;  /* tgid and tid */
	uint32_t proc; /* index */
	uint32_t tid;  /* as the observer sees it */
	uint32_t index;
	uint64_t begin_ns, end_ns; /* end 0: alive */
	uint64_t exact_ns[TIME_KINDS];
	uint64_t recorded[TIME_KINDS]; /* marks */
	uint64_t marks, lost_marks;    /* as the kernel counts them */
	uint64_t merged;	       /* threads in this one, beyond the first */
	uint64_t outside_ns;	       /* read from outside at that time last */
	uint64_t switches;
	uint64_t outside_stack; /* and found there */
	bool untold;		/* its end was: what is known of it is from before */
	char name[NAME_BYTES];
	UT_hash_handle hh;
};

struct profile_collector {
	const struct observation *o;
	struct samples *samples;
	struct profile_proc **procs;
	struct profile_thr **thrs;
	size_t proc_count, thr_count;
	struct profile_proc *proc_table;
	struct profile_thr *thr_table; /* of those alive */
	uint64_t walks[UNWIND_OUTCOMES];
	uint64_t walk_count, stackless;		  /* records with and without a stack */
	uint64_t heuristic_stacks, python_stacks; /* with such frames */
	struct python_codes *codes;
	uint64_t failed; /* records that memory had no room for */
	uint64_t outside_reads;
	struct profile *profile; /* NULL until it is built */
	char *problems[8];	 /* sentences: what could not be read or named, and why */
	size_t problem_count, problems_more;
};

/** For the manifest, when the profile is built. (python_manifest.c) */
json_t *python_manifest(const struct profile_collector *c);
void python_limits(const struct profile_collector *c, json_t *limits);

void *profile_collector_new(const struct observation *o);
void profile_collector_record(void *self, const struct event_header *h);
void profile_collector_sample(void *self, const struct sample_header *h);
int profile_collector_write(void *self, struct rundir *r, struct problem *problem);
void profile_collector_free(void *self);

#define PROFILE_COLLECTOR                                                                 \
	{                                                                                 \
		.name = "profile", .alias = "pyinstrument", .new = profile_collector_new, \
		.record = profile_collector_record, .sample = profile_collector_sample,   \
		.write = profile_collector_write, .manifest = profile_manifest,           \
		.free = profile_collector_free,                                           \
	}

enum time_kind profile_time_kind(uint32_t cause);
/** Name of a cause, as in a stack: "[lock]"; of a syscall by its number. */
void profile_cause_name(uint32_t cause, uint64_t detail, char *ret, size_t size);
/** Keeps a sentence for the manifest. */
void profile_problem(struct profile_collector *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Names of all frames of all stacks (profile_names.c). */
struct frame_names;
struct symbolize_name;
/** 0, -ENOMEM. */
int frame_names_new(struct profile_collector *c, struct frame_names **ret);
void frame_names_free(struct frame_names *n);
/** Names of a frame, innermost inlined function first; *ret_count at least 1. @proc: index of the
 * process for raw frames. Borrowed. */
const struct symbolize_name *frame_names_of(const struct frame_names *n, uint64_t frame,
					    uint32_t proc, size_t *ret_count);

/** Everything named and put together (profile_build.c). 0 or -ENOMEM. */
int profile_build(struct profile_collector *c, struct profile **ret);

/** diagnostics.profile (profile_manifest.c). */
json_t *profile_manifest(void *self, json_t *limits);

#endif
