/* heap_weights.c - see heap_weights.h */
#include "collect/heap_weights.h"

#include <math.h>

#define FIRST_GAP 1024.0
#define GAPS_AN_OCTAVE 12

static uint64_t gap_at(int i)
{
	return (uint64_t)(FIRST_GAP * exp2((double)i / GAPS_AN_OCTAVE));
}

double heap_weights_weight(uint64_t bytes, uint64_t gap)
{
	return bytes / -expm1(-((double)bytes + 1) / (double)gap);
}

/* SplitMix64 (Steele, Lea, Flood 2014), to [0, 1). */
static double draw(struct heap_weights *w)
{
	uint64_t z = w->drawn += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

uint64_t heap_weights_gap(struct heap_weights *w, uint64_t bytes, uint64_t weight)
{
	int low = 0, high = HEAP_WEIGHTS_GAPS - 1;
	double below, above;

	if (!bytes || weight <= bytes)
		return 0;
	if (heap_weights_weight(bytes, gap_at(low)) >= weight)
		return gap_at(low);
	while (high - low > 1) {
		int middle = (low + high) / 2;

		if (heap_weights_weight(bytes, gap_at(middle)) <= weight)
			low = middle;
		else
			high = middle;
	}
	below = heap_weights_weight(bytes, gap_at(low));
	above = heap_weights_weight(bytes, gap_at(high));
	return draw(w) * (above - below) < weight - below ? gap_at(high) : gap_at(low);
}
