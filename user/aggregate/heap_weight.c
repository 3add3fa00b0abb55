/* heap_weight.c - see heap_weight.h */
#include "aggregate/heap_weight.h"

#include <math.h>

#define VARIANCE_UNIT 1024.0
#define Z_975 1.959964

struct weight weight_sampled(uint64_t bytes, uint64_t made_bytes, uint64_t gap_bytes)
{
	double p = -expm1(-((double)made_bytes + 1) / (double)gap_bytes);
	double weight = (double)bytes / p;

	return (struct weight){
		.bytes = llround(weight),
		.count = llround(WEIGHT_PIECE / p),
		.variance = llround(weight * (weight - (double)bytes) / VARIANCE_UNIT),
	};
}

/* What was seen is certain; what was not has the variance that the samples say, and that of two
 * more samples of blocks that are small against the gap, the largest that one can add. Two, as for
 * k equal small samples k ± z √(k + 2) covers Poisson means from 3 on in 93 % to 98.5 % of all
 * cases, 95.6 % on average: exact bounds (Garwood) made symmetric cover 98.4 % where there are 3 to
 * 10 samples. Less than 93 % it is below 3, where often no sample is there to be told of at all. */
uint64_t weight_error_95(const struct weight *sum, uint64_t gap_bytes)
{
	double gap = (double)gap_bytes, variance = (double)sum->variance * VARIANCE_UNIT;

	return (uint64_t)llround(Z_975 * sqrt((variance > 0 ? variance : 0) + 2 * gap * gap));
}
