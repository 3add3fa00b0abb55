/* profile.h - the profile: marks, stacks and threads in; profile.folded, .pb.gz, .speedscope.json,
 * .pyisession out.
 *
 *   records ──► profile.c (threads, marks) ──► profile_build.c (struct profile, with
 *   stack_build.h) ──► artifact/profile_*.c, profile_manifest.c
 *
 * Shared by these files only.
 */
#ifndef TASKDIAG_COLLECT_PROFILE_H
#define TASKDIAG_COLLECT_PROFILE_H

#include <uthash.h>

#include "aggregate/profile.h"
#include "aggregate/samples.h"
#include "bpf/profile.h"
#include "collect/stacks.h"

#define THREADS_MAX 16384 /* likewise */
#define THREADS_LISTED 200

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
	struct task_stacks *stacks; /* borrowed */
	struct samples *samples;
	struct profile_thr **thrs;
	size_t thr_count;
	struct profile_thr *thr_table; /* of those alive */
	uint64_t walks[UNWIND_OUTCOMES];
	uint64_t walk_count, stackless; /* records with and without a stack */
	uint64_t failed;		/* records that memory had no room for */
	uint64_t outside_reads;
	struct profile *profile; /* NULL until it is built */
};

/** For the manifest, when the profile is built. (python_manifest.c) */
json_t *python_manifest(const struct profile_collector *c);
void python_limits(const struct profile_collector *c, json_t *limits);

void *profile_collector_new(const struct observation *o);
void profile_collector_record(void *self, const struct event_header *h);
void profile_collector_sample(void *self, const struct sample_header *h);
int profile_collector_write(void *self, struct rundir *r, struct problem *problem);
void profile_collector_free(void *self);

#define PROFILE_COLLECTOR                                                             \
	{                                                                             \
		.name = "profile", .alias = "pyinstrument", .stacks = true,           \
		.new = profile_collector_new, .record = profile_collector_record,     \
		.sample = profile_collector_sample, .write = profile_collector_write, \
		.manifest = profile_manifest, .free = profile_collector_free,         \
	}

enum time_kind profile_time_kind(uint32_t cause);
/** Name of a cause, as in a stack: "[lock]"; of a syscall by its number. */
void profile_cause_name(uint32_t cause, uint64_t detail, char *ret, size_t size);
/** Everything named and put together (profile_build.c). 0 or -ENOMEM. */
int profile_build(struct profile_collector *c, struct profile **ret);

/** diagnostics.profile (profile_manifest.c). */
json_t *profile_manifest(void *self, json_t *limits);

#endif
