/* heap_survival_flat.c - as many allocations a second as there can be.
 *
 *	heap_survival_flat THREADS MALLOCS
 *
 * Truth: MALLOCS calls of malloc and as many of free, over all threads; nothing is live at the end
 *but 100 blocks of 1,022 bytes that keep() has made. Prints that.
 */
#include "heap_survival.h"

#include <pthread.h>

#define THREADS_MAX 64

static void *flat_out(void *pairs)
{
	churn((long)pairs);
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = argc > 1 ? target_number(argv[1], "threads") : 1;
	long mallocs = argc > 2 ? target_number(argv[2], "calls") : 1000000;
	pthread_t ids[THREADS_MAX];

	if (threads < 1 || threads > THREADS_MAX)
		errx(TARGET_FAILED, "1 to %d threads", THREADS_MAX);
	keep(100);
	for (long i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, flat_out, (void *)(mallocs / threads)))
			return TARGET_FAILED;
	for (long i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	say_kept("keep", 100);
	return 0;
}
