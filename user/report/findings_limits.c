/* findings_limits.c - from where on something stands out, and why from there. */
#include "report/findings_private.h"

#define MB 1048576.0

const struct limit_row finding_limits[LIMITS] = {
	[LIMIT_RUN_S] = { "run_s", 5, "a shorter run is a start: everything grows then" },
	[LIMIT_POINTS] = { "points", 20, "fewer points have no trend" },
	[LIMIT_GROWTH_BYTES] = { "growth_bytes", 4 * MB,
				 "less is what allocators and caches warm up by" },
	[LIMIT_GROWTH_RATIO] = { "growth_ratio", 0.05, "less of the level is noise" },
	[LIMIT_GROWTH_PART] = { "growth_part", 0.15,
				"each third of the time has such a part of the growth: it is no "
				"step" },
	[LIMIT_HOLDER] = { "holder", 0.5,
			   "one function has most of it, else there is none to name" },
	[LIMIT_WANTED_S] = { "wanted_s", 2, "shares of less time are those of a start" },
	[LIMIT_LOST_MARKS] = { "lost_marks", 100, "so many marks of a share are off by 10 %" },
	[LIMIT_LOST_CPU] = { "lost_cpu", 0.25,
			     "a quarter; below it other work on the machine explains it" },
	[LIMIT_LOST_MEMORY] = { "lost_memory", 0.1,
				"with memory and quota enough there is none at all" },
	[LIMIT_BURST_RATIO] = { "burst_ratio", 1.5, "over the level before and after" },
	[LIMIT_BURST_LENGTH] = { "burst_length", 0.1, "of the run; a longer one is a phase of it" },
	[LIMIT_BURST_BYTES] = { "burst_bytes", 32 * MB, "less does not decide how much is needed" },
	[LIMIT_CACHE_SHARE] = { "cache_share", 0.5, "most of the usage, so that it misleads" },
	[LIMIT_CACHE_BYTES] = { "cache_bytes", 64 * MB, "less does not bring a limit near" },
	[LIMIT_RETAINED_HEAP] = { "retained_heap", 0.5,
				  "of its peak was live at most: most was freed" },
	[LIMIT_RETAINED_RSS] = { "retained_rss", 0.8, "of its peak stayed resident at least" },
	[LIMIT_RETAINED_BYTES] = { "retained_bytes", 32 * MB,
				   "beyond the live heap; less are arenas and libraries" },
};

double finding_limit(enum limit l)
{
	return finding_limits[l].value;
}
