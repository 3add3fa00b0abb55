/* regions_clock.c - may stamps be of the TSC, and what time was it then? */
#include "collect/regions_private.h"

#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"

#define PAIR_STEP_NS (100 * NS_PER_MS)
#define RATE_SHIFT 32

static bool line_has_flag(const char *line, const char *flag)
{
	size_t n = strlen(flag);

	for (const char *at = line; (at = strstr(at, flag)); at += n)
		if (at > line && (at[-1] == ' ' || at[-1] == '\t') &&
		    (at[n] == ' ' || at[n] == '\n' || !at[n]))
			return true;
	return false;
}

static bool cpu_has_steady_tsc(const char *cpuinfo)
{
	_cleanup_fclose_ FILE *f = fopen(cpuinfo, "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	while (f && getline(&line, &room, f) > 0)
		if (!strncmp(line, "flags", 5))
			return line_has_flag(line, "constant_tsc") &&
			       line_has_flag(line, "nonstop_tsc");
	return false;
}

bool tsc_trusted(const char *cpuinfo, const char *clocksource)
{
	_cleanup_fclose_ FILE *f = fopen(clocksource, "re");
	char line[64];

	if (!f || !fgets(line, sizeof(line), f))
		return false;
	line[strcspn(line, "\n")] = 0;
	return (!strcmp(line, "tsc") || !strcmp(line, "kvm-clock")) && cpu_has_steady_tsc(cpuinfo);
}

/* A division for each pair, none for each event. */
static void note_rate(struct clock_pairs *p)
{
	struct clock_pair *a = &p->pairs[p->count - 2], *b = a + 1;
	unsigned __int128 ns = b->boot_ns - a->boot_ns, rate;

	rate = (ns << RATE_SHIFT) / (b->stamp - a->stamp);
	a->rate = rate > UINT64_MAX ? UINT64_MAX : (uint64_t)rate;
}

void clock_pairs_add(struct clock_pairs *p, uint64_t stamp, uint64_t boot_ns)
{
	struct clock_pair *last = &p->pairs[p->count ? p->count - 1 : 0];

	if (p->count && (stamp <= last->stamp || boot_ns <= last->boot_ns)) {
		if (stamp == last->stamp) /* a counter that nobody moved */
			last->boot_ns = boot_ns;
		if (p->count > 1)
			note_rate(p);
		return;
	}
	/* two that are close together tell little about the slope */
	if (p->count > 1 && boot_ns - p->pairs[p->count - 2].boot_ns < PAIR_STEP_NS)
		p->count--;
	if (p->count == CLOCK_PAIRS)
		memmove(p->pairs, p->pairs + 1, --p->count * sizeof(p->pairs[0]));
	p->pairs[p->count++] = (struct clock_pair){ .stamp = stamp, .boot_ns = boot_ns };
	if (p->count > 1)
		note_rate(p);
}

/* The first of two neighbours that have @stamp between them, or are next to it. Events are younger
 * than most pairs. */
static uint32_t pair_before(const struct clock_pairs *p, uint64_t stamp)
{
	uint32_t i = p->count - 2;

	while (i && p->pairs[i].stamp > stamp)
		i--;
	return i;
}

uint64_t clock_pairs_line(const struct clock_pairs *p, uint64_t stamp)
{
	const struct clock_pair *a;
	__int128 ns;

	if (p->count < 2)
		return p->count ? p->pairs[0].boot_ns : 0;
	a = &p->pairs[pair_before(p, stamp)];
	ns = a->boot_ns + (((__int128)stamp - a->stamp) * (__int128)a->rate >> RATE_SHIFT);
	return ns < 0 ? 0 : ns > INT64_MAX ? INT64_MAX : (uint64_t)ns;
}

uint64_t clock_pairs_nearest(const struct clock_pairs *p, uint64_t stamp)
{
	const struct clock_pair *a, *b;

	if (p->count < 2)
		return p->count ? p->pairs[0].boot_ns : 0;
	a = &p->pairs[pair_before(p, stamp)];
	b = a + 1;
	if (stamp <= a->stamp)
		return a->boot_ns;
	return stamp >= b->stamp || b->stamp - stamp < stamp - a->stamp ? b->boot_ns : a->boot_ns;
}
