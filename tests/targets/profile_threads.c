/* profile_threads.c - eight threads that only burn CPU, in known shares.
 *
 *	profile_threads [--ms UNIT]
 *
 * Truth: thread burn-I (I = 0 … 7) burns (I + 1) × UNIT ms of CPU in function burn_I, and ends.
 *Prints `thread NAME TID CPU` for each.
 */
#include "profile_clock.h"

#include <pthread.h>

#define THREADS 8

static int64_t unit_ns;
static struct thread {
	pthread_t thread;
	pid_t tid;
	int64_t cpu;
} all[THREADS];

#define BURN(n)                                   \
	static NOINLINE void burn_##n(void)       \
	{                                         \
		burn_cpu_ns(((n) + 1) * unit_ns); \
		KEEP_FRAME();                     \
	}

BURN(0)
BURN(1)
BURN(2)
BURN(3)
BURN(4)
BURN(5)
BURN(6)
BURN(7)

static void (*const burn[THREADS])(void) = { burn_0, burn_1, burn_2, burn_3,
					     burn_4, burn_5, burn_6, burn_7 };

static NOINLINE void *run(void *context)
{
	int i = (int)(intptr_t)context;
	char name[16];

	snprintf(name, sizeof(name), "burn-%d", i);
	name_thread(name);
	all[i].tid = thread_id();
	burn[i]();
	all[i].cpu = cpu_ns();
	return NULL;
}

int main(int argc, char **argv)
{
	unit_ns = option_number(argc, argv, "ms", 50) * 1000000LL;
	for (int i = 0; i < THREADS; i++) {
		errno = pthread_create(&all[i].thread, NULL, run, (void *)(intptr_t)i);
		if (errno)
			err(TARGET_FAILED, "thread");
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(all[i].thread, NULL);
	for (int i = 0; i < THREADS; i++)
		printf("thread burn-%d %d %lld\n", i, (int)all[i].tid, (long long)all[i].cpu);
	return 0;
}
