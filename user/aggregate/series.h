/* series.h - a bounded time series of a task's memory: ticks in, points out.
 *
 *   add ──► points ──(limit reached)──► older half merged in pairs: min, mean, peak with its time
 *
 * Peaks are never merged away: a merged point keeps the highest value and when it was.
 */
#ifndef TASKDIAG_SERIES_H
#define TASKDIAG_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIES_LIMIT 8192
#define NOT_MEASURED UINT64_MAX

struct series_point {
	uint64_t time_ns; /* CLOCK_BOOTTIME of the (last) tick */
	uint32_t ticks;	  /* held by this point; 1 unless merged */
	uint32_t processes, threads;
	uint64_t gap_ns;    /* no ticks were taken for so long before this point; 0: none */
	bool gap_suspend;   /* because the host slept */
	uint64_t rss_bytes; /* at time_ns; of a merged point the mean */
	uint64_t min_bytes, min_ns;
	uint64_t peak_bytes, peak_ns; /* highest since the point before */
	uint64_t last_bytes;	      /* at time_ns, also of a merged point */
	uint64_t anon_bytes, file_bytes, shmem_bytes, swap_bytes;
	uint64_t pss_bytes; /* or NOT_MEASURED */
	uint64_t minor_faults, major_faults;
};

struct series;

/** Returns NULL with errno set. @limit: points kept, at least 16; @extras: numbers that come with
 * each of them, the caller knows what they are; of a merged point those of its last tick are kept.
 */
struct series *series_new(size_t limit, size_t extras);
void series_free(struct series *s); /* NULL is fine */

/**
 * Adds one tick (@point->ticks is 1, min and last are set here). Times must not go back.
 * @extras: of them, as many as were announced; may be NULL when there are none.
 * Returns 0; -EINVAL when @point is older than the last one (nothing is changed); -ENOMEM.
 */
int series_add(struct series *s, const struct series_point *point, const uint64_t *extras);

size_t series_length(const struct series *s);
/** @index below series_length(); valid until the next series_add(). */
const struct series_point *series_at(const struct series *s, size_t index);

/** NULL when there are none. */
const uint64_t *series_extras_at(const struct series *s, size_t index);

/** Highest point so far; ret_ may be NULL. Returns -ENODATA before the first point. */
int series_peak(const struct series *s, uint64_t *ret_bytes, uint64_t *ret_time_ns);

/** Does a peak between the ticks exceed both ends of its interval? Then it deserves a row of its
 * own. */
int series_has_peak_row(const struct series *s, size_t index);

#endif
