/* perf_map.h - the map of a JIT (/tmp/perf-PID.map): lines "start size name", hexadecimal.
 *
 * Read from its end, so that the last line that covers an address is the first one found: memory is
 * that of the addresses asked for, whatever the size of the map.
 */
#ifndef TASKDIAG_PERF_MAP_H
#define TASKDIAG_PERF_MAP_H

#include <stddef.h>
#include <stdint.h>

#define PERF_MAP_BYTES_MAX (64u << 20)
#define PERF_MAP_LINE_MAX 8192 /* longer lines are skipped */
#define PERF_MAP_NAME_MAX 2048 /* longer names are cut */

/* The line that covers an address. */
typedef int (*perf_map_fn)(void *context, size_t address_index, uint64_t start, const char *name);

struct perf_map_stats {
	uint64_t lines;	  /* read; not all of them when every address has been found */
	uint64_t skipped; /* malformed, or too long */
};

/** Calls @fn once for every one of @count sorted addresses that a line covers, in no order. 0;
 * -EINVAL not a regular file; -EFBIG larger than PERF_MAP_BYTES_MAX; -ENOMEM; or what @fn has
 * returned. */
int perf_map_find(int fd, const uint64_t *addresses, size_t count, perf_map_fn fn, void *context,
		  struct perf_map_stats *ret);

#endif
