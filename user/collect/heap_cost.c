/* heap_cost.c - see heap_cost.h */
#include "collect/heap_cost.h"

#include "lib/clock.h"

#define WINDOW_NS NS_PER_S
#define START_NS (2 * NS_PER_S)
#define WINDOWS 2

static uint64_t since(uint64_t now, uint64_t last)
{
	return now > last ? now - last : 0; /* processes end, and their time with them */
}

/* Of whatever is more: the CPU time that is known, or the wall time of one thread, as processes
 * that have ended since are not in it. */
static double share_of(const struct heap_cost_now *last, const struct heap_cost_now *now)
{
	double cost = (double)since(now->events, last->events) * HEAP_COST_EVENT_NS +
		      (double)since(now->traps, last->traps) * HEAP_COST_TRAP_NS;
	double time = (double)since(now->time_ns, last->time_ns);
	double cpu = (double)since(now->cpu_ns, last->cpu_ns);

	if (cpu > time)
		time = cpu;
	return cost < time ? cost / (time - cost) : 1;
}

bool heap_cost_exceeds(struct heap_cost *c, const struct heap_cost_now *now, double limit)
{
	if (!c->begin_ns) {
		c->begin_ns = now->time_ns;
		c->last = *now;
	}
	if (now->time_ns < c->last.time_ns + WINDOW_NS)
		return false;
	c->share = share_of(&c->last, now);
	c->last = *now;
	c->above = c->share > limit ? c->above + 1 : 0;
	return limit < 1 && c->above >= WINDOWS && now->time_ns >= c->begin_ns + START_NS;
}
