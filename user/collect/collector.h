/* collector.h - one diagnostic: records and samples in, artifacts and its part of the manifest out.
 *
 *   session ──records──► record()      ──tick──► tick()      ──end──► totals(), write(), manifest()
 *
 * A diagnostic is a row in collectors[] (collectors.c). Only the session calls it, from one thread.
 */
#ifndef TASKDIAG_COLLECTOR_H
#define TASKDIAG_COLLECTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "aggregate/processes.h"
#include "artifact/rundir.h"
#include "bpf/events.h"

struct cgroup;
struct inspect;
struct task_stacks;
struct unwinder;

/* What the session knows of the run; all times CLOCK_BOOTTIME. Owned by the session, read by
 * collectors. */
struct observation {
	struct processes *processes;
	uint64_t start_ns; /* time 0 of every artifact */
	uint64_t start_utc_ns;
	uint64_t end_ns; /* 0 while it runs */
	bool snapshot; /* it runs on: this is a copy, what is shared with the task is not touched */
	uint64_t interval_ns;
	uint64_t tick; /* number of the current tick, from 1 */
	uint64_t tick_ns;
	uint64_t gap_ns;	   /* no ticks for so long before this one; 0: none */
	bool gap_suspend;	   /* the host slept */
	bool event_driven;	   /* rss_stat is attached */
	uint64_t probe_missed;	   /* events without their probe; known at the end */
	uint64_t resolution_bytes; /* RSS that a thread may gain unseen; 0: none */
	uint64_t epoch;		   /* number of the task's peak */
	uint64_t period_ns;	   /* of the profile's marks; 0: no profile */
	uint32_t frequency_hz;	   /* as it was asked for */
	double steal_s; /* CPU time that the host of a virtual machine took in the run; known at the
			   end */
	uint64_t outside_ns;   /* waits are read from outside since then; 0: never were */
	uint64_t lost_marks;   /* in records that could not be sent; known at the end */
	bool native_internals; /* frames of the Python interpreter itself are shown */
	bool waits;	       /* the profile tells waits too */
	bool wakes;	       /* and walks them in the thread that waited */
	struct cgroup *cgroup; /* that is observed, or was made for the command; NULL: none */
	/** Hands out what each file has of the cgroup's page cache; a key of NULL: those that found
	 * no room. NULL: nobody counts it. */
	void (*cached_files)(void *context,
			     void (*fn)(void *to, const struct cached_file *key, int64_t pages),
			     void *to);
	void *cached_context;
	struct task_stacks *stacks; /* NULL: nothing walks stacks; so are the next two */
	struct unwinder *unwinder;
	struct inspect *inspect;
	bool heap;	      /* a started command carries the malloc shim */
	double heap_overhead; /* of its time that telling every allocation may take; 1: any */
	bool heap_calls;      /* malloc & co. of running processes have uprobes */
	uint64_t heap_lost;   /* records of blocks that could not be sent; known at the end */
	uint64_t calls_lost, calls_nested; /* bpf/events.h; known at the end */
	bool python_allocators;		   /* its CPython asks malloc for every object */
	bool heap_oracle;		   /* of which every allocation traps: a test */
	uint64_t sample_bytes;		   /* mean distance of its samples; 0: every allocation */
	unsigned memray_format;		   /* of memray.bin; 0: none is installed, the newest */
	const char *command;		   /* for mprof.dat; hostile */
};

/* For the live line and for whoever asks while the run goes on. */
struct memory_now {
	uint64_t rss_bytes, peak_bytes;
	uint32_t processes, threads;
	bool usage_highest; /* the observed cgroup has never used more than at this tick */
	uint64_t
	    sampled_since_ns; /* allocations are sampled since then; 0: they are not, or always */
};

struct collector {
	const char *name;
	const char *alias; /* the seed's name for it, or NULL */
	bool stacks;	   /* it needs observation.stacks */
	/** NULL with errno set. */
	void *(*new)(const struct observation *o);
	void (*record)(void *self, const struct event_header *h);
	void (*sample)(void *self, const struct sample_header *h); /* those of one tick, in a row */
	int (*tick)(void *self);				   /* after them */
	void (*now)(const void *self, struct memory_now *ret);	   /* may be NULL */
	/** Whether the observed cgroup uses so much more than at any tick that it deserves one. May
	 * be NULL. */
	bool (*rises)(void *self);
	/** What is held now is to be kept: the observed cgroup has never used more. May be NULL. */
	void (*usage_peak)(void *self);
	/** After them: how coarse pages should be sampled, in powers of two. May be NULL. */
	unsigned (*shift)(void *self);
	/** True: what the task itself tells is noted; the ring is to be drained, then take()
	 * called. Both NULL where nothing is told so. */
	bool (*mark)(void *self);
	void (*take)(void *self);
	/** The last word of the kernel: peak as it kept it. Called once, after the last drain. */
	void (*totals)(void *self, uint64_t peak_bytes, uint64_t peak_ns, uint64_t epoch);
	/** Writes artifacts. 0 or -errno with a problem. May be called again for another run
	 * directory. */
	int (*write)(void *self, struct rundir *r, struct problem *problem);
	/** Its object under manifest.diagnostics; NULL: no memory. @limits: sentences, borrowed. */
	json_t *(*manifest)(void *self, json_t *limits);
	void (*free)(void *self);
};

extern const struct collector collectors[]; /* ends with a NULL name */

/** By name or alias; NULL if there is none. */
const struct collector *collector_find(const char *name);

#endif
