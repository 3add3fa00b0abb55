/* pass.c - blocks that go from thread to thread without a lock and are freed there at once: the
 * order of their stamps is all that tells a free from the next use of its address.
 *
 *	pass THREADS BLOCKS	half of the threads make blocks of 1,022 bytes, the others free them
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define SLOTS 8
#define THREADS_MAX 64

static void *slots[SLOTS];
static long blocks, freed, made_for;

static void *make(void *unused)
{
	for (long i = 0; i < blocks; i++) {
		void *p = malloc(1022), *nothing = NULL;

		for (unsigned k = (unsigned)i; !__atomic_compare_exchange_n(
			 &slots[k % SLOTS], &nothing, p, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
		     k++) {
			nothing = NULL;
			if (k % 64 == 0)
				sched_yield();
		}
	}
	return unused;
}

static void *use(void *unused)
{
	for (unsigned k = 0; __atomic_load_n(&freed, __ATOMIC_RELAXED) < made_for; k++) {
		void *p = __atomic_exchange_n(&slots[k % SLOTS], NULL, __ATOMIC_ACQUIRE);

		if (p) {
			free(p);
			__atomic_fetch_add(&freed, 1, __ATOMIC_RELAXED);
		} else if (k % 64 == 0) {
			sched_yield();
		}
	}
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t ids[THREADS_MAX];
	int threads = argc > 1 ? atoi(argv[1]) : 2;

	blocks = argc > 2 ? atol(argv[2]) : 100000;
	if (threads < 2 || threads > THREADS_MAX || threads % 2)
		return 2;
	made_for = blocks * threads / 2;
	for (int i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, i % 2 ? use : make, NULL))
			return 3;
	for (int i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	return 0;
}
