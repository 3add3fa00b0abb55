/* profile_shortwaits.c - thousands of waits a second, each much shorter than a period.
 *
 *	profile_shortwaits [--waits N]
 *
 * Truth: thread `waiter` waits N times for a pipe (wait_on_pipe) and then N times for a lock
 * (wait_on_futex); each wait ends 20 to 90 us after it began, when thread `waker`, which only
 *spins, ends it. Prints how long the waiter was blocked by each, from clocks and the kernel's own
 *run queue time:
 *
 *	thread NAME TID wall CPU run-queue		of its life
 *	wait waiter CAUSE blocked count			cause: pipe, lock
 */
#include "profile_clock.h"

#include <linux/futex.h>
#include <pthread.h>

static long waits;
static int bell[2];
static uint32_t word; /* the futex */
static long begun, ended,
    pipe_waits; /* atomic: waits until now; below pipe_waits they are the pipe's */
static struct account spent[2], life;
static pid_t waiter_tid;

static NOINLINE void wait_on_pipe(void)
{
	char byte;

	for (long i = 0; i < waits; i++) {
		__atomic_store_n(&begun, begun + 1, __ATOMIC_RELEASE);
		if (read(bell[0], &byte, 1) != 1)
			err(TARGET_FAILED, "read of a pipe");
		__atomic_store_n(&ended, ended + 1, __ATOMIC_RELEASE);
	}
}

static NOINLINE void wait_on_futex(void)
{
	for (long i = 0; i < waits; i++) {
		uint32_t old = __atomic_load_n(&word, __ATOMIC_ACQUIRE);

		__atomic_store_n(&begun, begun + 1, __ATOMIC_RELEASE);
		while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) == old)
			syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
		__atomic_store_n(&ended, ended + 1, __ATOMIC_RELEASE);
	}
}

static void *waiter(void *unused)
{
	struct account at[3];

	(void)unused;
	name_thread("waiter");
	waiter_tid = thread_id();
	at[0] = account_now();
	wait_on_pipe();
	at[1] = account_now();
	wait_on_futex();
	at[2] = account_now();
	account_add(&spent[0], &at[0], &at[1]);
	account_add(&spent[1], &at[1], &at[2]);
	account_add(&life, &at[0], &at[2]);
	return NULL;
}

static NOINLINE void spin_ns(int64_t ns)
{
	int64_t end = wall_ns() + ns;

	while (wall_ns() < end)
		;
}

static void *waker(void *unused)
{
	unsigned int seed = 1;

	(void)unused;
	name_thread("waker");
	for (long i = 0; i < 2 * waits; i++) {
		while (__atomic_load_n(&begun, __ATOMIC_ACQUIRE) == i)
			;
		spin_ns(20000 + rand_r(&seed) % 70000);
		if (i < pipe_waits) {
			if (write(bell[1], "", 1) != 1)
				err(TARGET_FAILED, "write to a pipe");
		} else {
			__atomic_add_fetch(&word, 1, __ATOMIC_RELEASE);
			syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		}
		while (__atomic_load_n(&ended, __ATOMIC_ACQUIRE) == i)
			;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[2];

	waits = pipe_waits = option_number(argc, argv, "waits", 10000);
	if (pipe2(bell, O_CLOEXEC) < 0)
		err(TARGET_FAILED, "pipe");
	errno = pthread_create(&thread[0], NULL, waiter, NULL);
	if (!errno)
		errno = pthread_create(&thread[1], NULL, waker, NULL);
	if (errno)
		err(TARGET_FAILED, "thread");
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	printf("thread waiter %d %lld %lld %lld\n", (int)waiter_tid, (long long)life.wall,
	       (long long)life.cpu, (long long)life.run_queue);
	printf("wait waiter pipe %lld %ld\n", (long long)account_blocked(&spent[0]), waits);
	printf("wait waiter lock %lld %ld\n", (long long)account_blocked(&spent[1]), waits);
	return 0;
}
