/* live_curve.h - how what is live grew: at most 1,024 points, for the timelines of allocations.
 *
 *   every change, or tick ──► one point a step ──(full)──► every two become one, the step doubles
 *
 * Nothing that was highest between two points is lost: each keeps it.
 */
#ifndef TASKDIAG_LIVE_CURVE_H
#define TASKDIAG_LIVE_CURVE_H

#include "aggregate/allocations.h"

#define CURVE_POINTS 1024

struct live_curve {
	struct allocation_point points[CURVE_POINTS]; /* times: of the clock they were told with */
	size_t count;
	uint64_t step_ns, highest_bytes, rss_bytes;
};

/** Zero is an empty one. @highest_bytes: since it was told before. Times that go back are taken for
 * the latest. */
void live_curve_see(struct live_curve *c, uint64_t time_ns, uint64_t live_bytes,
		    uint64_t highest_bytes);
/** Hands them over; times from @start_ns on. 0, -ENOMEM. */
int live_curve_add(const struct live_curve *c, uint64_t start_ns, struct allocations *a);

#endif
