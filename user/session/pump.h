/* pump.h - the loop of a run: ring, ticks, signals, ends of processes. Private to session/. */
#ifndef TASKDIAG_PUMP_H
#define TASKDIAG_PUMP_H

#include <signal.h>

#include "lib/problem.h"

struct session;

/** Before the command is forked; *ret_before is what it should have. */
int pump_block_signals(sigset_t *ret_before, struct problem *problem);
void pump_release_signals(void); /* back to their default actions */
/** Takes all that is known by now. */
void pump_drain(struct session *s);
int pump_open(struct session *s, struct problem *problem);
/** Returns when the task has ended, the duration is over or the user has stopped it; the last tick
 * is then taken. */
int pump_run(struct session *s, struct problem *problem);

#endif
