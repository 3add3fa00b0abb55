/* pss.c - see pss.h */
#include "collect/pss.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"

#define COST_PER_BYTE_NS 0.012 /* 12 ms per GB */
#define COST_PER_PROCESS_NS 50000.0
#define COST_MAX_NS \
	(200 * NS_PER_MS) /* the process cannot map memory meanwhile: never longer than this */
#define BUDGET 1000	  /* 0.1 %: rest for so many times the cost */

bool pss_affordable(const struct pss_budget *b, uint64_t now_ns, uint64_t rss_bytes,
		    uint32_t processes)
{
	double cost_ns = rss_bytes * COST_PER_BYTE_NS + processes * COST_PER_PROCESS_NS;

	return cost_ns <= COST_MAX_NS && now_ns >= b->next_ns;
}

/* smaps_rollup: one header line, then "Pss:   1234 kB" among others; under 1.5 KB. */
static int pss_of(uint32_t pid, uint64_t *ret_bytes)
{
	char path[64], text[2048];
	_cleanup_close_ int fd = -1;
	const char *line;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/smaps_rollup", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = 0;
	line = strstr(text, "\nPss:");
	if (!line)
		return -ENODATA;
	*ret_bytes = strtoull(line + 5, NULL, 10) * 1024;
	return 0;
}

int pss_measure(struct pss_budget *b, const struct processes *t, uint64_t *ret_bytes)
{
	uint64_t begin = clock_monotonic_ns(), sum = 0, bytes;
	int err = 0, measured = 0;

	for (struct process *p = processes_first(t); p; p = p->hh.next) {
		int failed =
		    p->end == END_RUNNING && p->rss_bytes ? pss_of(p->pid, &bytes) : -ESRCH;

		if (!failed) {
			sum += bytes;
			measured++;
		} else if (failed != -ESRCH && failed != -ENOENT &&
			   failed != -ENODATA) /* those have ended just now */
			err = failed;
	}
	b->next_ns = clock_boot_ns() + (clock_monotonic_ns() - begin) * BUDGET;
	*ret_bytes = sum;
	return err || measured ? err : -ESRCH;
}
