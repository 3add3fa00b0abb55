/* findings_cache.c - what the cgroup used at its peak was mostly page cache, which the kernel takes
 * back when memory is short: it is no heap, and no leak. */
#include <math.h>

#include "report/facts.h"
#include "report/findings_private.h"

#define CGROUP "diagnostics.memory.cgroup."

int finding_cache(struct finding *ret, const struct run *r, unsigned part)
{
	double usage = run_number(r, CGROUP "usage_bytes"),
	       file = run_number(r, CGROUP "file_bytes"),
	       shmem = run_number(r, CGROUP "shmem_bytes"),
	       anon = run_number(r, CGROUP "anon_bytes"),
	       inactive = run_number(r, CGROUP "inactive_file_bytes"), cache;
	int err;

	(void)part;
	/* the kernel counts shared memory as file pages, but cannot take it back */
	cache = file - (isnan(shmem) ? 0 : shmem);
	if (!(usage >= finding_limit(LIMIT_CACHE_BYTES)) ||
	    !(cache >= finding_limit(LIMIT_CACHE_SHARE) * usage))
		return 0;
	ret->from_s = ret->to_s = run_number(r, CGROUP "look_time_s");
	ret->weight = 9 * fmin(1, cache / usage);
	ret->sure = anon < cache;
	err = finding_text(&ret->sentence,
			   "%s of the cgroup's %s at the peak was page cache (%s), not heap: the "
			   "task itself had %s",
			   fact_percent(cache / usage).s, fact_mb(usage).s, fact_mb(cache).s,
			   fact_mb(anon).s);
	if (!err)
		err = finding_text(&ret->evidence, "the ledger of the cgroup's peak");
	if (!err)
		err = finding_text(&ret->why,
				   "the kernel's own counters; it would take back %s of it first",
				   fact_mb(inactive).s);
	return err;
}
