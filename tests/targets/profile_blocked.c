/* profile_blocked.c - threads that block for ever.
 *
 *	profile_blocked
 *
 * Truth: thread on-pipe waits in pipe_outer → pipe_inner → read, thread on-futex in futex_outer →
 * futex_inner → futex(2): both before `ready`, neither ever wakes. Thread late sleeps (late_outer →
 * late_sleep) in naps of 10 ms until SIGUSR1, prints `late_blocks`, and then waits for ever in
 * late_outer → late_block → read. main waits for signals; SIGTERM ends it with 0. It prints
 * `thread NAME TID` for each and `ready`.
 */
#include "profile_clock.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>

static int silent[2];
static volatile sig_atomic_t block_now;
static pid_t tid[3];

static NOINLINE void read_for_ever(void)
{
	char byte;

	while (read(silent[0], &byte, 1) < 0 && errno == EINTR)
		;
	KEEP_FRAME();
}

static NOINLINE void pipe_inner(void)
{
	read_for_ever();
	KEEP_FRAME();
}

static NOINLINE void pipe_outer(void)
{
	pipe_inner();
	KEEP_FRAME();
}

static NOINLINE void futex_inner(void)
{
	static uint32_t word;

	for (;;) {
		syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
		KEEP_FRAME();
	}
}

static NOINLINE void futex_outer(void)
{
	futex_inner();
	KEEP_FRAME();
}

static NOINLINE void late_sleep(void)
{
	sleep_ns(10000000);
	KEEP_FRAME();
}

static NOINLINE void late_block(void)
{
	printf("late_blocks\n");
	fflush(stdout);
	read_for_ever();
	KEEP_FRAME();
}

static NOINLINE void late_outer(void)
{
	while (!block_now)
		late_sleep();
	late_block();
	KEEP_FRAME();
}

static const struct {
	const char *name;
	void (*runs)(void);
} all[] = { { "on-pipe", pipe_outer }, { "on-futex", futex_outer }, { "late", late_outer } };

static NOINLINE void *run(void *context)
{
	int i = (int)(intptr_t)context;

	name_thread(all[i].name);
	__atomic_store_n(&tid[i], thread_id(), __ATOMIC_RELEASE);
	all[i].runs();
	return NULL;
}

static bool sleeps(pid_t thread)
{
	char path[64], text[512] = "", *state;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		err(TARGET_FAILED, "%s", path);
	close(fd);
	state = strrchr(text, ')');
	return state && state[2] == 'S';
}

int main(void)
{
	pthread_t thread;
	int number = 0;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (pipe2(silent, O_CLOEXEC) < 0)
		err(TARGET_FAILED, "pipe");
	for (int i = 0; i < 3; i++) {
		errno = pthread_create(&thread, NULL, run, (void *)(intptr_t)i);
		if (errno)
			err(TARGET_FAILED, "thread");
		while (!__atomic_load_n(&tid[i], __ATOMIC_ACQUIRE) || (i < 2 && !sleeps(tid[i])))
			target_sleep_ms(1);
		printf("thread %s %d\n", all[i].name, (int)tid[i]);
	}
	printf("ready\n");
	fflush(stdout);
	while (number != SIGTERM) {
		sigwait(&set, &number);
		block_now = 1;
	}
	return 0;
}
