/* snapshot.h - what a run has so far, while it goes on: a run directory of its own beside the
 * run's, OUTPUT.snapshot-1 and so on.
 *
 *   --snapshot-every, SIGUSR1 ──► fork: a copy of all that is known ──► written by the child
 *
 * The child names stacks and writes; the observer goes on at once. Private to session/.
 */
#ifndef TASKDIAG_SNAPSHOT_H
#define TASKDIAG_SNAPSHOT_H

#include <stdbool.h>
#include <sys/types.h>

struct session;

/** Begins one, unless the one before is still being written (counted). */
void snapshot_begin(struct session *s);
/** Of SIGCHLD: reaps it. */
void snapshot_reap(struct session *s);
/** Waits for it. */
void snapshot_wait(struct session *s);

#endif
