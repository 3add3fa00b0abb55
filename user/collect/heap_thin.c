/* heap_thin.c - see heap_private.h: when telling every allocation costs too much, samples are told
 * from then on. What was told before stays exact, and so do all frees. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "collect/heap_private.h"
#include "lib/cleanup.h"
#include "lib/clock.h"

#define PROCESSES_READ 256 /* of each its CPU time, once a second */

/* CPU time of the process, all threads, with those that have ended. */
static uint64_t cpu_ns(uint32_t pid)
{
	_cleanup_fclose_ FILE *stat = NULL;
	unsigned long user = 0, system = 0;
	char path[32], line[1024], *name;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	stat = fopen(path, "re");
	if (!stat || !fgets(line, sizeof(line), stat))
		return 0;
	name = strrchr(line, ')'); /* hostile */
	if (!name || sscanf(name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			    &system) != 2)
		return 0;
	return (user + system) * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

static uint64_t task_cpu_ns(const struct live_heap *h)
{
	unsigned left = PROCESSES_READ;
	uint64_t sum = 0;

	for (const struct live_space *s = h->spaces; s && left; s = s->next)
		if (!s->at_ns && left--)
			sum += cpu_ns(s->pid);
	return sum;
}

static void thin_out(struct live_heap *h, uint64_t now_ns)
{
	h->thin_ns = now_ns;
	h->thin_share = h->cost.share;
	h->gap_bytes = THIN_GAP_BYTES;
	h->thin_unknown_frees = heap_count(h->heap).unknown_frees;
	for (struct live_space *s = h->spaces; s; s = s->next)
		regions_thin(s->source, THIN_GAP_BYTES);
}

void live_heap_weigh(struct live_heap *h)
{
	struct heap_cost_now now = { .time_ns = clock_boot_ns() };
	struct source_counts c;

	if (h->thin_ns || h->o->sample_bytes || h->o->heap_overhead >= 1 ||
	    now.time_ns < h->cost.last.time_ns + NS_PER_S)
		return;
	c = live_counts(h);
	now.events = c.offered;
	now.traps = c.traps;
	now.cpu_ns = task_cpu_ns(h);
	if (heap_cost_exceeds(&h->cost, &now, h->o->heap_overhead))
		thin_out(h, now.time_ns);
}

bool live_heap_thinned(const struct live_heap *h, uint64_t *ret_ns)
{
	*ret_ns = h->thin_ns;
	return h->thin_ns != 0;
}
