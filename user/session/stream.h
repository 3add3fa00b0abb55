/* stream.h - records from the ring: validated, counted, applied to the table of processes, passed
 * to the collectors. */
#ifndef TASKDIAG_STREAM_H
#define TASKDIAG_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "collect/collector.h"

#define STREAM_COLLECTORS 8
#define OOMS_KEPT 64 /* OOM kills that are told one by one */

struct oom_kill {
	struct oom_event event;
	uint32_t pid; /* as the observer sees it */
	char name[NAME_BYTES];
};

struct heap_calls;

struct stream {
	struct observation *o;
	/* Who else hears of processes: see heap_calls.h. All NULL: nobody. */
	void (*calls_record)(struct heap_calls *calls, const struct event_header *h);
	void (*calls_sample)(struct heap_calls *calls, const struct sample_header *h);
	struct heap_calls *calls;
	const struct collector *collectors[STREAM_COLLECTORS]; /* ends with NULL */
	void *selves[STREAM_COLLECTORS];
	uint64_t recorded;
	uint64_t malformed;	  /* wrong size or type */
	uint64_t late;		  /* of a process that had ended */
	uint64_t exits_forgotten; /* processes found gone whose exit was never told */
	bool moved; /* processes were moved into the cgroup of the task, or out of it; set back by
		       who looks at their threads */
	struct oom_kill ooms[OOMS_KEPT];
	uint64_t oom_count;
	bool oom_now;		/* set back by who looks at the cgroup because of it */
	uint64_t last_end_ns;	/* of the process, or its memory, that ended last; 0: none has */
	uint64_t cgroup_end_ns; /* it was removed then; 0: it was not */
	uint64_t root_exec_ns;	/* first exec of a process that the user named; 0: none yet */
};

/** record_fn of probes.h; @context is a struct stream. */
void stream_record(void *context, const void *record, size_t bytes);
/** The same for the samples of a tick. */
void stream_sample(void *context, const void *record, size_t bytes);
/** Processes that the last @ticks ticks have not seen have ended without telling. Two while the run
 * goes on: the record may be on its way. One when all is drained. */
void stream_forget(struct stream *s, uint64_t ticks);

#endif
