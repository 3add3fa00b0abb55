/* live_curve.c - see live_curve.h */
#include "collect/live_curve.h"

#include "lib/clock.h"

#define STEP_FIRST_NS (NS_PER_MS)

static uint64_t higher(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void halve(struct live_curve *c)
{
	for (size_t i = 0; i < CURVE_POINTS / 2; i++) {
		struct allocation_point *second = &c->points[2 * i + 1];

		second->highest_bytes =
		    higher(second->highest_bytes, c->points[2 * i].highest_bytes);
		c->points[i] = *second;
	}
	c->count = CURVE_POINTS / 2;
	c->step_ns *= 2;
}

void live_curve_see(struct live_curve *c, uint64_t time_ns, uint64_t live_bytes,
		    uint64_t highest_bytes)
{
	uint64_t last_ns = c->count ? c->points[c->count - 1].time_ns : 0;

	c->highest_bytes = higher(c->highest_bytes, higher(highest_bytes, live_bytes));
	if (c->count && (time_ns < last_ns || time_ns - last_ns < c->step_ns))
		return;
	if (!c->count)
		c->step_ns = STEP_FIRST_NS;
	if (c->count == CURVE_POINTS)
		halve(c);
	c->points[c->count++] = (struct allocation_point){ .time_ns = time_ns,
							   .live_bytes = live_bytes,
							   .highest_bytes = c->highest_bytes,
							   .rss_bytes = c->rss_bytes };
	c->highest_bytes = live_bytes;
}

int live_curve_add(const struct live_curve *c, uint64_t start_ns, struct allocations *a)
{
	int err = 0;

	for (size_t i = 0; !err && i < c->count; i++) {
		struct allocation_point p = c->points[i];

		p.time_ns = p.time_ns > start_ns ? p.time_ns - start_ns : 0;
		err = allocations_point(a, &p);
	}
	return err;
}
