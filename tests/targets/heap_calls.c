/* heap_calls.c - a process that is there before its observer, and then calls every function of its
 * allocator.
 *
 *	heap_calls [--rounds N] [--exec PROGRAM | --leader-ends]
 *
 * It holds a block already, prints `begins` and waits for SIGUSR2. Truth: what each function holds
 * at the peak, to the byte, in lines `holds FUNCTION bytes`; before and after it there are decoys,
 * calls that fail, a mapping of which a half is given back, and a free of the first block. N times
 * round before that (default 1,000) a block is made by one thread and freed by another. Prints
 * `ready` at the peak, then waits for another SIGUSR2 and frees all.
 * --leader-ends: all of it is done by a thread, after the main thread has ended, which it does at
 *the first signal. --exec: after the first signal PROGRAM takes its place, executed by a thread
 *that is not the main one.
 */
#include "profile_clock.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>

#define MAPPED (5 * MIB)

static long rounds = 1000, leader_ends;
static char *program, **program_arguments;
static void *first, *volatile handed;
static sigset_t signals;

static void wait_for_signal(void)
{
	int signal;

	sigwait(&signals, &signal);
}

static void need(const void *p)
{
	if (!p || p == MAP_FAILED)
		err(TARGET_FAILED, "memory");
}

static void say(const char *who, size_t bytes)
{
	printf("holds %s %zu\n", who, bytes);
}

static NOINLINE void *by_malloc(size_t bytes)
{
	void *p = malloc(bytes);

	need(p);
	KEEP_FRAME();
	return p;
}

static NOINLINE void *by_calloc(size_t count, size_t bytes)
{
	void *p = calloc(count, bytes);

	need(p);
	KEEP_FRAME();
	return p;
}

static NOINLINE void *by_realloc(void *old, size_t bytes)
{
	void *p = realloc(old, bytes);

	need(p);
	KEEP_FRAME();
	return p;
}

static NOINLINE void *by_reallocarray(void *old, size_t count, size_t bytes)
{
	void *p = reallocarray(old, count, bytes);

	need(p);
	KEEP_FRAME();
	return p;
}

static NOINLINE void *by_memalign(size_t bytes)
{
	void *p = memalign(64, bytes);

	need(p);
	KEEP_FRAME();
	return p;
}

static NOINLINE void *by_aligned_alloc(size_t bytes)
{
	void *p = aligned_alloc(4096, bytes);

	need(p);
	KEEP_FRAME();
	return p;
}

static NOINLINE void *by_posix_memalign(size_t bytes)
{
	void *p = NULL;

	if (posix_memalign(&p, 128, bytes))
		p = NULL;
	need(p);
	KEEP_FRAME();
	return p;
}

static NOINLINE void *by_valloc(size_t bytes)
{
	void *p = valloc(bytes);

	need(p);
	KEEP_FRAME();
	return p;
}

static NOINLINE void *by_mmap(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need(p);
	KEEP_FRAME();
	return p;
}

static NOINLINE void *by_mremap(void *old, size_t from, size_t to)
{
	void *p = mremap(old, from, to, MREMAP_MAYMOVE);

	need(p);
	KEEP_FRAME();
	return p;
}

/* Blocks that fail to grow stay; so does what is told of them. */
static NOINLINE void *keeps(size_t bytes)
{
	void *p = malloc(bytes);
	volatile size_t impossible = PTRDIFF_MAX;

	need(p);
	if (realloc(p, impossible) ||
	    mmap(p, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		errx(TARGET_FAILED, "the impossible went well");
	return p;
}

static void *free_it(void *unused)
{
	free(handed);
	return unused;
}

static NOINLINE void decoys(void)
{
	pthread_t thread;

	for (long i = 0; i < rounds; i++) {
		handed = malloc(1000 + i % 50);
		if (i % 100) {
			free_it(NULL);
		} else if (pthread_create(&thread, NULL, free_it, NULL) ||
			   pthread_join(thread, NULL)) {
			errx(TARGET_FAILED, "thread");
		}
	}
	free(malloc(3000000));
	free(NULL);
}

static void hold_and_release(void)
{
	char *m, *map, *moved;
	void *held[9];

	decoys();
	free(first);
	held[0] = by_malloc(1000001);
	held[1] = by_calloc(3, 300007);
	held[2] = by_realloc(by_realloc(NULL, 1000), 700001);
	held[3] = by_reallocarray(NULL, 10, 50021);
	held[4] = by_memalign(400009);
	held[5] = by_aligned_alloc(40 * 4096);
	held[6] = by_posix_memalign(300007);
	held[7] = by_valloc(250007);
	held[8] = keeps(123457);
	map = by_mmap(MAPPED);
	munmap(map + MIB, MIB);
	m = by_mmap(MIB);
	moved = by_mremap(m, MIB, 3 * MIB);
	say("by_malloc", 1000001);
	say("by_calloc", 900021);
	say("by_realloc", 700001);
	say("by_reallocarray", 500210);
	say("by_memalign", 400009);
	say("by_aligned_alloc", 163840);
	say("by_posix_memalign", 300007);
	say("by_valloc", 250007);
	say("keeps", 123457);
	say("by_mmap", MAPPED - MIB);
	say("by_mremap", 3 * MIB);
	puts("ready");
	fflush(stdout);
	for (int i = 0; i < 9; i++)
		free(held[i]);
	munmap(map, MAPPED);
	munmap(moved, 3 * MIB);
	decoys();
	wait_for_signal();
}

static void *run(void *main_thread)
{
	if (main_thread)
		pthread_join(*(pthread_t *)main_thread, NULL);
	if (program) {
		wait_for_signal();
		execv(program, program_arguments);
		err(TARGET_FAILED, "%s", program);
	}
	if (!main_thread) {
		puts("begins");
		fflush(stdout);
		wait_for_signal();
	}
	hold_and_release();
	exit(0);
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "rounds", required_argument, NULL, 'r' },
						 { "exec", required_argument, NULL, 'e' },
						 { "leader-ends", no_argument, NULL, 'l' },
						 {} };
	static char buffer[65536];
	static pthread_t self;
	pthread_t thread;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 'r')
			rounds = target_number(optarg, "rounds");
		else if (c == 'e')
			program = optarg;
		else if (c == 'l')
			leader_ends = 1;
		else
			return TARGET_FAILED;
	}
	program_arguments = (char *[]){ program, NULL };
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer)); /* no block of stdio's own */
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR2);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	first = malloc(9999999);
	need(first);
	self = pthread_self();
	if (program || leader_ends) {
		puts("begins");
		fflush(stdout);
	}
	if (!leader_ends && !program)
		run(NULL);
	if (pthread_create(&thread, NULL, run, leader_ends ? &self : NULL))
		errx(TARGET_FAILED, "thread");
	if (leader_ends) {
		wait_for_signal();
		pthread_exit(NULL);
	}
	pthread_join(thread, NULL);
}
