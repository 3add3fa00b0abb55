/* endings.c - see endings.h */
#include "session/endings.h"

#include <signal.h>
#include <stdlib.h>

struct ending {
	void (*fn)(void *thing);
	void *thing;
};

static void *run(void *of)
{
	struct ending ending = *(struct ending *)of;

	free(of);
	ending.fn(ending.thing);
	return NULL;
}

/* No signal is taken by it: they are the main thread's. */
static int start(pthread_t *ret, struct ending *ending)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(ret, NULL, run, ending);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

void endings_add(struct endings *e, void (*fn)(void *thing), void *thing)
{
	struct ending *ending;

	if (e->count == ENDINGS_MAX)
		endings_wait(e);
	ending = malloc(sizeof(*ending));
	if (ending) {
		*ending = (struct ending){ fn, thing };
		if (!start(&e->threads[e->count], ending)) {
			e->count++;
			return;
		}
		free(ending);
	}
	fn(thing);
}

void endings_wait(struct endings *e)
{
	while (e->count)
		pthread_join(e->threads[--e->count], NULL);
}
