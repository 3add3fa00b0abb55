/* known.c - threads whose heap is known to the byte. Every size is 13 more than a multiple of 1,009
 * (the tag of tests/preload/replay.h).
 *
 *	known THREADS [BLOCKS]
 *
 * Each thread makes its blocks in all ways there are; when all are made (the peak) each frees those
 * of its neighbour, but for every tenth, which is leaked.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 400
#define TAG(k) (1009UL * (k) + 13)

static void **blocks[THREADS_MAX];
static long threads, count;
static pthread_barrier_t made, freed;
static uint64_t peak[THREADS_MAX], left[THREADS_MAX], allocations[THREADS_MAX];

static size_t size_of(long i)
{
	return TAG(1 + (unsigned long)i % 7);
}

/* One block of size_of(i): the ways take turns. */
static void *make(long i, uint64_t *allocated)
{
	size_t n = size_of(i);
	void *p = NULL;

	++*allocated;
	switch (i % 10) {
	case 0:
		return calloc(n, 1);
	case 1:
		return posix_memalign(&p, 64, n) ? NULL : p;
	case 2:
		return aligned_alloc(32, n);
	case 3:
		return memalign(256, n);
	case 4:
		++*allocated;
		return realloc(malloc(TAG(8)), n); /* shrinks */
	case 5:
		++*allocated;
		return realloc(malloc(TAG(1)), n); /* grows, perhaps moves */
	case 6:
		return realloc(NULL, n);
	case 7:
		return reallocarray(NULL, 1, n);
	case 8: /* a realloc that fails changes nothing */
		p = malloc(n);
		return realloc(p, PTRDIFF_MAX - 64) ? NULL : p;
	default:
		return i % 20 == 9 ? valloc(n) : malloc(n);
	}
}

static void *work(void *arg)
{
	long me = (long)arg, other = (me + 1) % threads;

	for (long i = 0; i < count; i++) {
		blocks[me][i] = make(i, &allocations[me]);
		if (!blocks[me][i])
			abort();
		peak[me] += size_of(i);
	}
	pthread_barrier_wait(&made);
	for (long i = 0; i < count; i++) {
		if (i % 10 == 3)
			left[me] += size_of(i);
		else if (i % 10 == 4)
			free(realloc(blocks[other][i], 0)); /* is a free, or makes a small one */
		else
			free(blocks[other][i]);
	}
	pthread_barrier_wait(&freed);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t ids[THREADS_MAX];
	uint64_t sums[3] = { 0 };
	char line[200];
	int n;

	threads = argc > 1 ? atol(argv[1]) : 1;
	count = argc > 2 ? atol(argv[2]) : 2000;
	if (threads < 1 || threads > THREADS_MAX)
		return 2;
	pthread_barrier_init(&made, NULL, (unsigned)threads);
	pthread_barrier_init(&freed, NULL, (unsigned)threads);
	for (long i = 0; i < threads; i++)
		blocks[i] = malloc((size_t)count * sizeof(void *));
	for (long i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, work, (void *)i))
			return 3;
	for (long i = 0; i < threads; i++) {
		pthread_join(ids[i], NULL);
		sums[0] += allocations[i];
		sums[1] += left[i];
		sums[2] += peak[i];
	}
	n = snprintf(line, sizeof(line), "tagged_allocs=%lu tagged_live=%lu tagged_peak=%lu\n",
		     sums[0], sums[1], sums[2]);
	return write(1, line, (size_t)n) != n;
}
