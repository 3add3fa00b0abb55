/* sideband.h - what perf tells of all processes: executable mappings, exec, fork, exit; in the
 * order of time over all CPUs.
 *
 *   one ring a CPU ──► records ──(older than 1 ms: nothing earlier can follow)──► told, sorted
 *
 * On exec the order is SIDEBAND_EXEC, mappings of the program and of ld.so, and only then the
 * tracepoint sched_process_exec.
 */
#ifndef TASKDIAG_SIDEBAND_H
#define TASKDIAG_SIDEBAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/problem.h"
#include "unwind/maps.h"

enum sideband_type {
	SIDEBAND_NONE, /* a record of no interest */
	SIDEBAND_MAP,
	SIDEBAND_EXEC,
	SIDEBAND_FORK, /* of a process, not of a thread */
	SIDEBAND_EXIT, /* of a thread */
	SIDEBAND_LOST,
};

struct sideband_event {
	enum sideband_type type;
	uint32_t pid, tid; /* as we see them */
	uint32_t parent;   /* SIDEBAND_FORK: pid of the process that forked */
	uint64_t time_ns;  /* CLOCK_MONOTONIC */
	uint64_t lost;	   /* SIDEBAND_LOST: records */
	struct region region;
};

/* At the end of every record: sample_id with PERF_SAMPLE_TID | PERF_SAMPLE_TIME. */
struct sideband_id {
	uint32_t pid, tid;
	uint64_t time_ns;
};

/** One record (8-byte aligned, @size bytes). 0; -EBADMSG: no such record. */
int sideband_decode(const void *record, size_t size, struct sideband_event *ret);

struct sideband;
typedef void (*sideband_fn)(void *context, const struct sideband_event *event);

/** Opens it on every CPU that is online. 0 or -errno with a problem. */
int sideband_new(struct sideband **ret, struct problem *problem);
void sideband_free(struct sideband *s); /* NULL is fine */

/** Tells the events that are due. 1: more wait to become due; 0; -ENOMEM (told as lost). */
int sideband_drain(struct sideband *s, sideband_fn tell, void *context);
/** All events up to that time have been told. */
uint64_t sideband_horizon(const struct sideband *s);

/** Adds what becomes readable with new records to @epoll. 0 or -errno. */
int sideband_watch(const struct sideband *s, int epoll);

#endif
