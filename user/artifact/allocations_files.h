/* allocations_files.h - writers of the allocations, one per format, each from the same struct
 * allocations.
 *
 *	allocations.folded		collapsed stacks: process;thread;frames… bytes at the peak
 *	allocations.pb.gz		pprof: the whole truth; report/ reads this one back
 *	allocations.speedscope.json	a profile of the peak, and one of what is left at the end
 *	memray.bin			memray's capture file, aggregated: `memray tree`,
 *`flamegraph`… massif.out			massif's file: `ms_print`, massif-visualizer
 *
 * All tell the same bytes at the peak: the sum over all entries. The remainder that
 *facts.peak_bytes has beyond it is told by the pprof comments and by massif.out. Each returns 0 or
 *-errno; errors of
 * @out are found by ferror() too.
 *
 * allocations.pb.gz, what its reader may rely on:
 *
 *   sample types, in this order: alloc_objects/count alloc_space/bytes inuse_objects/count
 *	inuse_space/bytes leaked_objects/count leaked_space/bytes temporary_objects/count
 *	temporary_space/bytes error_95/bytes; inuse is at the peak, and is the default
 *   period: gap_bytes in space/bytes; 1 when nothing is sampled
 *   labels: process (text), pid (number), thread (text), tid (number), as in profile.pb.gz;
 *	allocator (text): allocator_name()
 *   time and duration: of the run
 *   comments: "taskdiag-bpf VERSION", then each of these once, in this order, as KEY=VALUE:
 *	source=heap|resident  exact=true|false  gap_bytes=N (0: none)  peak_bytes=N
 *	peak_s=S.NNNNNNNNN (from the start of the run)  peak_rss_bytes=N  pid=N  python=true|false
 *	command=TEXT (safe, cut to PROFILE_NAME_BYTES; left out when there is none)
 *   The remainder is peak_bytes less the sum of inuse_space. A sampled sum may be above peak_bytes.
 */
#ifndef TASKDIAG_ALLOCATIONS_FILES_H
#define TASKDIAG_ALLOCATIONS_FILES_H

#include <stdio.h>

#include "aggregate/allocations.h"

struct allocations_options {
	unsigned memray_format; /* 11, 12 or 13; 0: MEMRAY_FORMAT */
};

#define MEMRAY_FORMAT 13 /* unless told otherwise */

/** "memray 1.11 to 1.18": who reads this format; NULL: we cannot write it. */
const char *memray_readers(unsigned format);

typedef int allocations_write_fn(const struct allocations *a,
				 const struct allocations_options *options, FILE *out);

allocations_write_fn allocations_write_folded;
allocations_write_fn allocations_write_pprof;
allocations_write_fn allocations_write_speedscope;
allocations_write_fn allocations_write_memray; /* -EINVAL: such a format there is not */
allocations_write_fn allocations_write_massif;

#endif
