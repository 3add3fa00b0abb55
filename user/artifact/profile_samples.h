/* profile_samples.h - the samples of a profile, as many as a format's readers can bear: past the
 * limit neighbouring slices of time become one, in pairs, then in fours and so on. No mark is lost;
 * only when it was becomes less exact.
 */
#ifndef TASKDIAG_PROFILE_SAMPLES_H
#define TASKDIAG_PROFILE_SAMPLES_H

#include "aggregate/intern.h"
#include "aggregate/profile.h"

struct profile_samples {
	const struct profile *profile;
	struct intern merged;
	unsigned shift; /* 2^shift slices are one; 0: as in the profile */
};

/** More than @limit remain only when there are more stacks than that. 0 or -ENOMEM;
 * profile_samples_clear() in both cases. */
int profile_samples_init(struct profile_samples *s, const struct profile *p, size_t limit);
void profile_samples_clear(struct profile_samples *s);

uint32_t profile_samples_count(const struct profile_samples *s);
/** Its slice is the first one of those that were merged. */
const struct profile_sample *profile_samples_at(const struct profile_samples *s, uint32_t i);
uint64_t profile_samples_slice_ns(const struct profile_samples *s);

#endif
