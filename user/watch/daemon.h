/* daemon.h - taskdiag-bpf serve: the collector, the web process beside it, and what happens by the
 * clock.
 *
 *   signals, web's questions, probes, timers ──► one loop      web process ──► HTTP
 */
#ifndef TASKDIAG_WATCH_DAEMON_H
#define TASKDIAG_WATCH_DAEMON_H

#include "watch/watch.h"

struct daemon_options {
	const char *config;	 /* path; NULL: the default place */
	const char *environment; /* TASK_DIAGNOSTICS; NULL: not set */
	session_extra_fn page;	 /* report.html */
	bool verbose;
};

/** Runs until SIGTERM or SIGINT: 0. -errno with a problem when it cannot begin. */
int daemon_run(const struct daemon_options *options, struct problem *problem);

#endif
