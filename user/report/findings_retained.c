/* findings_retained.c - most of the heap was freed, RSS stayed: not a leak, but fragmentation or
 * what the allocator keeps. */
#include <math.h>

#include "report/facts.h"
#include "report/findings_private.h"

/* Of the run: its end without the clean-up of programs, in which RSS is old news. */
#define FROM 0.8
#define TO 0.95

static bool stays(const struct run *r, const struct levels *heap, const struct levels *rss,
		  double *live, double *resident)
{
	double duration_s = fact_duration(r), peak_bytes, peak_s, heap_peak = 0;

	if (duration_s < finding_limit(LIMIT_RUN_S) || heap->n < finding_limit(LIMIT_POINTS) ||
	    rss->n < finding_limit(LIMIT_POINTS) || fact_peak(r, &peak_bytes, &peak_s))
		return false;
	for (size_t i = 0; i < heap->n; i++)
		heap_peak = fmax(heap_peak, heap->bytes[i]);
	*live = levels_median(heap, FROM * duration_s, TO * duration_s);
	if (isnan(*live)) /* it did not change */
		*live = levels_floor(heap, FROM * duration_s, TO * duration_s);
	*resident = levels_median(rss, FROM * duration_s, TO * duration_s);
	return *live <= finding_limit(LIMIT_RETAINED_HEAP) * heap_peak &&
	       *resident >= finding_limit(LIMIT_RETAINED_RSS) * peak_bytes &&
	       *resident - *live >= finding_limit(LIMIT_RETAINED_BYTES) &&
	       /* memory that never was heap cannot have been kept by its allocator */
	       heap_peak >= (*resident - *live) / 2;
}

int finding_retained(struct finding *ret, const struct run *r, unsigned part)
{
	double duration_s = fact_duration(r), live, resident;
	struct levels heap, rss;
	bool is;
	int err = levels_of_heap(&heap, r);

	(void)part;
	if (err)
		return err;
	err = levels_of_rss(&rss, r);
	is = !err && stays(r, &heap, &rss, &live, &resident);
	levels_done(&heap);
	levels_done(&rss);
	if (!is)
		return err;
	ret->from_s = FROM * duration_s;
	ret->to_s = TO * duration_s;
	ret->weight = 9 * (1 - live / resident);
	err =
	    finding_text(&ret->sentence,
			 "RSS stayed at %s though only %s of the heap were still live: not a leak, "
			 "but fragmentation or the allocator's cache",
			 fact_mb(resident).s, fact_mb(live).s);
	if (!err)
		err = finding_text(&ret->evidence, "RSS and the live heap from %s to %s",
				   fact_seconds(ret->from_s).s, fact_seconds(ret->to_s).s);
	return err ? err
		   : finding_text(&ret->why, "certain would be a run with malloc_trim() or another "
					     "allocator in which RSS falls");
}
