/* stream.h - records from the ring: validated, counted, applied to the table of processes, passed
 * to the collectors. */
#ifndef TASKDIAG_STREAM_H
#define TASKDIAG_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "collect/collector.h"

#define STREAM_COLLECTORS 8

struct stream {
	struct observation *o;
	const struct collector *collectors[STREAM_COLLECTORS]; /* ends with NULL */
	void *selves[STREAM_COLLECTORS];
	uint64_t recorded;
	uint64_t malformed;	  /* wrong size or type */
	uint64_t late;		  /* of a process that had ended */
	uint64_t exits_forgotten; /* processes found gone whose exit was never told */
	uint64_t root_exec_ns;	  /* first exec of a process that the user named; 0: none yet */
};

/** record_fn of probes.h; @context is a struct stream. */
void stream_record(void *context, const void *record, size_t bytes);
/** The same for the samples of a tick. */
void stream_sample(void *context, const void *record, size_t bytes);
/** Processes that the last @ticks ticks have not seen have ended without telling. Two while the run
 * goes on: the record may be on its way. One when all is drained. */
void stream_forget(struct stream *s, uint64_t ticks);

#endif
