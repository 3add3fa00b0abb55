/* worker_process.h - starts and ends the process that worker.h is about; the client's side. */
#ifndef TASKDIAG_WORKER_PROCESS_H
#define TASKDIAG_WORKER_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#define WORKER_CAUSE_BYTES 160
#define WORKERS_LINGERING 16

/* Zero it and set socket to -1 before use. */
struct worker_process {
	int socket; /* -1: none runs */
	int pidfd;
	pid_t pid;
	pid_t lingering[WORKERS_LINGERING]; /* killed, but the kernel does not let go of them yet */
	uint64_t started, cpu_ns;	    /* of those that have ended */
};

/** @argv: see inspect_new(). 0 or -errno; that @argv cannot be executed is seen as its end. */
int worker_process_start(struct worker_process *w, char *const argv[]);

/** Closes the socket; a worker that does not end by that at once is killed. Waits 200 ms at most.
 * @cause: how it ended; may be NULL. Nothing happens when none runs. */
void worker_process_end(struct worker_process *w, char cause[WORKER_CAUSE_BYTES]);

/** The same without a chance for it to end by itself. */
void worker_process_kill(struct worker_process *w);

/** The same, for good: waits until none of those that were killed is left, 5 s at most. */
void worker_process_free(struct worker_process *w);

#endif
