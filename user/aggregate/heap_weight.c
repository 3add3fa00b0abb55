/* heap_weight.c - see heap_weight.h */
#include "aggregate/heap_weight.h"

#include <math.h>

#define VARIANCE_UNIT 1024.0
#define Z_975 1.959964

struct weight weight_of(uint64_t bytes, uint64_t made_bytes, uint64_t gap_bytes)
{
	double p, weight;

	if (!gap_bytes)
		return (struct weight){ .bytes = (int64_t)bytes, .count = WEIGHT_PIECE };
	p = -expm1(-((double)made_bytes + 1) / (double)gap_bytes);
	weight = (double)bytes / p;
	return (struct weight){
		.bytes = llround(weight),
		.count = llround(WEIGHT_PIECE / p),
		.excess = llround(weight - (double)bytes),
		.variance = llround(weight * (weight - (double)bytes) / VARIANCE_UNIT),
	};
}

struct weight weight_minus(struct weight w)
{
	return (struct weight){ -w.bytes, -w.count, -w.excess, -w.variance };
}

static int64_t wrap(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

void weight_add(struct weight *sum, struct weight w)
{
	sum->bytes = wrap(sum->bytes, w.bytes);
	sum->count = wrap(sum->count, w.count);
	sum->excess = wrap(sum->excess, w.excess);
	sum->variance = wrap(sum->variance, w.variance);
}

bool weight_overflows(const struct weight *sum, struct weight w)
{
	return __builtin_add_overflow(sum->bytes, w.bytes, &w.bytes) ||
	       __builtin_add_overflow(sum->count, w.count, &w.count) ||
	       __builtin_add_overflow(sum->excess, w.excess, &w.excess) ||
	       __builtin_add_overflow(sum->variance, w.variance, &w.variance);
}

/* Of a gamma distribution. Wilson and Hilferty: its cube root is nearly normal; less than 1 % off
 * from one sample on. */
static double gamma_quantile(double mean, double variance, double z)
{
	double spread, root;

	if (mean <= 0)
		return 0;
	spread = variance / (mean * mean) / 9;
	root = 1 - spread + z * sqrt(spread);
	return root > 0 ? mean * root * root * root : 0;
}

/* What was seen is certain; what was not has the mean and the variance that the samples say, and
 * for the upper bound those of one more sample: of a block that is small against the gap, the
 * largest that there can be. Where all are small this is Garwood's interval of a Poisson mean:
 * gamma distributions with the shapes k and k + 1. */
uint64_t weight_error_95(const struct weight *sum, uint64_t gap_bytes)
{
	double gap = (double)gap_bytes, excess = (double)sum->excess;
	double variance = (double)sum->variance * VARIANCE_UNIT;
	double above = gamma_quantile(excess + gap, variance + gap * gap, Z_975) - excess;
	double below = excess - gamma_quantile(excess, variance, -Z_975);

	if (!gap_bytes)
		return 0;
	return (uint64_t)llround(above > below ? above : below);
}
