/* scope.h - the cgroup of a run: that of --cgroup or --container, whose processes are the task; or
 * the one that --memory-limit makes for a started command. */
#ifndef TASKDIAG_SCOPE_H
#define TASKDIAG_SCOPE_H

#include "lib/problem.h"

struct session;

/** By the options, before anything is started. Nothing to do without them. 0 or -errno. */
int scope_open(struct session *s, struct problem *problem);
/** The held command enters the cgroup that was made for it. */
int scope_enter(struct session *s, struct problem *problem);
/** Ends the run when its cgroup is gone. */
void scope_check(struct session *s);
/** Threads of processes that were moved, in or out. */
void scope_threads(struct session *s);
void scope_free(struct session *s);

#endif
