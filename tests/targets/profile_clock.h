/* profile_clock.h - what the targets of the profile share: clocks, CPU time that is really burnt,
 * and the kernel's own account of where a thread's wall time went.
 *
 * A thread's wall time = CPU + run queue + blocked. A target that waits for one cause only between
 * two looks knows how long it was blocked for that cause: what is left of its wall time. Numbers in
 * the output are nanoseconds.
 */
#ifndef PROFILE_CLOCK_H
#define PROFILE_CLOCK_H

#include "target.h"

#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define NOINLINE __attribute__((noinline, noclone))
/* A call before it is no tail call: the frame of the caller stays. */
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")

static inline int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static inline int64_t wall_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static inline int64_t cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static inline pid_t thread_id(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static inline void name_thread(const char *name)
{
	prctl(PR_SET_NAME, name);
}

/* About 20 us of user mode; inlined, so that it counts for the function that it is in. */
static inline __attribute__((always_inline)) void spin_a_little(void)
{
	for (int i = 0; i < 20000; i++)
		__asm__ volatile("" ::: "memory");
}

static inline __attribute__((always_inline)) void burn_cpu_ns(int64_t ns)
{
	int64_t end = cpu_ns() + ns;

	while (cpu_ns() < end)
		spin_a_little();
}

static inline void sleep_ns(int64_t ns)
{
	struct timespec left = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		;
}

/* Where the time of the calling thread went until now. */
struct account {
	int64_t wall, cpu, run_queue;
};

static inline int64_t account_blocked(const struct account *a)
{
	return a->wall - a->cpu - a->run_queue;
}

/* /proc/thread-self/schedstat: time on the CPU, time in the run queue, slices. */
static inline struct account account_now(void)
{
	struct account now = { .wall = wall_ns() };
	char text[128] = "";
	long long ran, waited;
	int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 ||
	    sscanf(text, "%lld %lld", &ran, &waited) != 2)
		err(TARGET_FAILED, "/proc/thread-self/schedstat");
	close(fd);
	now.run_queue = waited;
	now.cpu = cpu_ns(); /* the first field of schedstat lags by up to a tick */
	return now;
}

static inline void account_add(struct account *sum, const struct account *from,
			       const struct account *to)
{
	sum->wall += to->wall - from->wall;
	sum->cpu += to->cpu - from->cpu;
	sum->run_queue += to->run_queue - from->run_queue;
}

/* The value of `--NAME VALUE`, the only kind of option that these targets have. */
static inline long option_number(int argc, char **argv, const char *name, long otherwise)
{
	for (int i = 1; i + 1 < argc; i++) {
		if (!strncmp(argv[i], "--", 2) && !strcmp(argv[i] + 2, name))
			return target_number(argv[i + 1], name);
	}
	return otherwise;
}

static inline bool option_set(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "--", 2) && !strcmp(argv[i] + 2, name))
			return true;
	}
	return false;
}

#endif
