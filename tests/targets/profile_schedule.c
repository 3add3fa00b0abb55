/* profile_schedule.c - four threads that run and wait by a schedule.
 *
 *	profile_schedule [--rounds N]
 *
 * Truth: in every round thread sched-I burns CPU (do_burn), sleeps (do_sleep), waits for a lock
 *that its partner holds (do_lock), for a byte that its partner writes (do_pipe) and for the disk
 * (do_disk; a file in the working directory), each for the milliseconds of its row of `schedule`.
 * What it really was is printed at the end, from clocks and the kernel's own run queue time:
 *
 *	thread NAME TID wall CPU run-queue		of its life
 *	wait NAME CAUSE blocked count			cause: sleep, lock, pipe, disk
 */
#include "profile_clock.h"

#include <pthread.h>

#define THREADS 4
#define DISK_BYTES 65536
#define MS 1000000LL

enum step { BURN, SLEEP, LOCK, PIPE, DISK, STEPS };

static const char *const cause[STEPS] = { "cpu", "sleep", "lock", "pipe", "disk" };

/* milliseconds of a round: together 100, and 0.75 CPU, so that two CPUs are never full */
static const int schedule[THREADS][STEPS] = {
	{ 40, 20, 10, 20, 10 },
	{ 5, 60, 15, 10, 10 },
	{ 20, 10, 50, 10, 10 },
	{ 10, 10, 10, 60, 10 },
};

struct worker {
	int number, file;
	int request[2], answer[2]; /* pipes to the partner and back */
	pthread_mutex_t lock;
	pthread_t thread, partner;
	pid_t tid;
	long count[STEPS];
	struct account spent[STEPS], life;
	void *block;
};

static long rounds;

static void put(int fd, char byte)
{
	if (write(fd, &byte, 1) != 1)
		err(TARGET_FAILED, "write to a pipe");
}

static char get(int fd)
{
	char byte;

	return read(fd, &byte, 1) == 1 ? byte : 0;
}

static NOINLINE void do_burn(struct worker *w)
{
	burn_cpu_ns(schedule[w->number][BURN] * MS);
	w->count[BURN]++;
}

static NOINLINE void do_sleep(struct worker *w)
{
	sleep_ns(schedule[w->number][SLEEP] * MS);
	w->count[SLEEP]++;
}

static NOINLINE void do_lock(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	pthread_mutex_unlock(&w->lock);
	w->count[LOCK]++;
}

static NOINLINE void do_pipe(struct worker *w)
{
	get(w->answer[0]);
	w->count[PIPE]++;
}

static NOINLINE void do_disk(struct worker *w)
{
	int64_t end = wall_ns() + schedule[w->number][DISK] * MS;

	while (w->file >= 0 && wall_ns() < end) {
		if (pwrite(w->file, w->block, DISK_BYTES, 0) != DISK_BYTES)
			err(TARGET_FAILED, "write with O_DIRECT");
		w->count[DISK]++;
	}
}

/* Holds the lock, or keeps the worker waiting for a byte. */
static void *partner(void *context)
{
	struct worker *w = context;
	char name[16], what;

	snprintf(name, sizeof(name), "partner-%d", w->number);
	name_thread(name);
	while ((what = get(w->request[0]))) {
		if (what == 'l') {
			pthread_mutex_lock(&w->lock);
			put(w->answer[1], 'h');
			sleep_ns(schedule[w->number][LOCK] * MS);
			pthread_mutex_unlock(&w->lock);
		} else {
			sleep_ns(schedule[w->number][PIPE] * MS);
			put(w->answer[1], 'x');
		}
	}
	return NULL;
}

static void timed(struct worker *w, enum step step, void (*does)(struct worker *))
{
	struct account before = account_now(), after;

	does(w);
	after = account_now();
	account_add(&w->spent[step], &before, &after);
}

static NOINLINE void *worker(void *context)
{
	struct worker *w = context;
	struct account born = account_now(), dead;
	char name[16];

	snprintf(name, sizeof(name), "sched-%d", w->number);
	name_thread(name);
	w->tid = thread_id();
	for (long i = 0; i < rounds; i++) {
		timed(w, BURN, do_burn);
		timed(w, SLEEP, do_sleep);
		put(w->request[1], 'l');
		timed(w, PIPE, do_pipe); /* until the partner holds the lock */
		timed(w, LOCK, do_lock);
		put(w->request[1], 'p');
		timed(w, PIPE, do_pipe);
		timed(w, DISK, do_disk);
	}
	close(w->request[1]);
	dead = account_now();
	account_add(&w->life, &born, &dead);
	return NULL;
}

/* All blocks are written once before: to write them again changes nothing but data. */
static void open_file(struct worker *w, int dir)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), ".profile_schedule.%d.%d", (int)getpid(), w->number);
	w->file = -1;
	if (posix_memalign(&w->block, 4096, DISK_BYTES))
		errx(TARGET_FAILED, "no memory");
	memset(w->block, 'x', DISK_BYTES);
	fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		err(TARGET_FAILED, "%s", name);
	if (write(fd, w->block, DISK_BYTES) != DISK_BYTES || fsync(fd) < 0)
		err(TARGET_FAILED, "%s", name);
	close(fd);
	w->file = openat(dir, name, O_RDWR | O_DIRECT | O_CLOEXEC); /* -1: not on this filesystem */
	unlinkat(dir, name, 0);
}

static void print(const struct worker *w)
{
	printf("thread sched-%d %d %lld %lld %lld\n", w->number, (int)w->tid,
	       (long long)w->life.wall, (long long)w->life.cpu, (long long)w->life.run_queue);
	for (int i = SLEEP; i < STEPS; i++)
		printf("wait sched-%d %s %lld %ld\n", w->number, cause[i],
		       (long long)account_blocked(&w->spent[i]), w->count[i]);
}

int main(int argc, char **argv)
{
	static struct worker all[THREADS];

	rounds = option_number(argc, argv, "rounds", 20);
	for (int i = 0; i < THREADS; i++) {
		all[i].number = i;
		pthread_mutex_init(&all[i].lock, NULL);
		if (pipe2(all[i].request, O_CLOEXEC) < 0 || pipe2(all[i].answer, O_CLOEXEC) < 0)
			err(TARGET_FAILED, "pipe");
		open_file(&all[i], AT_FDCWD);
	}
	for (int i = 0; i < THREADS; i++) {
		errno = pthread_create(&all[i].partner, NULL, partner, &all[i]);
		if (!errno)
			errno = pthread_create(&all[i].thread, NULL, worker, &all[i]);
		if (errno)
			err(TARGET_FAILED, "thread");
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(all[i].thread, NULL);
		pthread_join(all[i].partner, NULL);
	}
	for (int i = 0; i < THREADS; i++)
		print(&all[i]);
	return 0;
}
