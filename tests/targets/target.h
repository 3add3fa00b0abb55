/* target.h - what the target programs share: arguments, memory that is really there, /proc's own
 * numbers.
 *
 * Targets are programs with known answers; the tests compare what taskdiag-bpf says with what a
 * target says of itself. A target that cannot do as asked says so on stderr and exits with 2,
 * never with a number that is not true. Sizes are MiB on the command line, kB (1,024 bytes) in
 * the output.
 */
#ifndef TARGET_H
#define TARGET_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* so this file is the first that a target includes */
#endif

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define TARGET_FAILED 2
#define MIB (1024UL * 1024)
#define TOUCH_STEP 4096UL /* the smallest page there is: a larger one is touched more than once */

static inline long target_number(const char *text, const char *what)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < 0)
		errx(TARGET_FAILED, "%s: not a number of %s; it must be 0 or more", text, what);
	return value;
}

static inline void target_sleep_ms(long ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

/* Memory that is not there yet; @flags: MAP_ANONYMOUS | … NULL when @bytes is 0. */
static inline char *target_map(size_t bytes, int flags, int fd)
{
	char *map;

	if (!bytes)
		return NULL;
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (map == MAP_FAILED)
		err(TARGET_FAILED, "mmap of %zu bytes", bytes);
	return map;
}

/* Writes one byte into every page. */
static inline void target_touch(char *map, size_t bytes)
{
	volatile char *page = map;

	for (size_t at = 0; at < bytes; at += TOUCH_STEP)
		page[at] = (char)(at >> 12 | 1);
}

static inline char *target_anon(size_t mib)
{
	char *map = target_map(mib * MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	target_touch(map, mib * MIB);
	return map;
}

static inline void target_unmap(char *map, size_t bytes)
{
	if (bytes && munmap(map, bytes) < 0)
		err(TARGET_FAILED, "munmap");
}

/*
 * A "Name:   123 kB" line of a status file, by read() into the stack: asking must not change the
 * answer. @pid: 0 for the calling thread (/proc/self is the leader, which has no memory once it
 * has ended).
 */
static inline long target_status_kb(pid_t pid, const char *name)
{
	char path[64] = "/proc/thread-self/status", text[8192], *line;
	size_t length = strlen(name);
	ssize_t got;
	int fd;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err(TARGET_FAILED, "%s", path);
	got = read(fd, text, sizeof(text) - 1);
	if (got < 0)
		err(TARGET_FAILED, "%s", path);
	close(fd);
	text[got] = '\0';
	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, length) && line[length] == ':')
			return atol(line + length + 1);
	}
	errx(TARGET_FAILED, "%s: no line %s", path, name);
}

/*
 * VmHWM is exact only while the memory is there: since Linux 6.2 the kernel sets it from counters
 * that lag by up to 32 pages for each CPU and kind; a look at the status file counts to the page
 * (6.16 and newer). So a target looks during its peak, and says the highest that it saw.
 */
static long target_hwm_kb;

static inline void target_note_hwm(void)
{
	long now_kb = target_status_kb(0, "VmHWM");

	if (now_kb > target_hwm_kb)
		target_hwm_kb = now_kb;
}

static inline void target_say_hwm(void)
{
	target_note_hwm();
	printf("VmHWM_kB %ld\n", target_hwm_kb);
	if (fflush(stdout))
		err(TARGET_FAILED, "stdout");
}

#endif
