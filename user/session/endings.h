/* endings.h - things whose end lasts a grace period of the kernel, ended all at once.
 *
 * One after another, 13 probes took 1 s on a busy machine: each waits until every CPU and task has
 * left what it was in. The waits of several threads are one.
 */
#ifndef TASKDIAG_ENDINGS_H
#define TASKDIAG_ENDINGS_H

#include <pthread.h>
#include <stddef.h>

#define ENDINGS_MAX 64 /* at a time; more of them wait for those before */

struct endings {
	size_t count;
	pthread_t threads[ENDINGS_MAX];
};

/** Begins fn(thing), in a thread of its own; within the call where there can be none. */
void endings_add(struct endings *e, void (*fn)(void *thing), void *thing);
/** All have ended. */
void endings_wait(struct endings *e);

#endif
