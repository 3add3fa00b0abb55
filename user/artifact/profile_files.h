/* profile_files.h - writers of the profile, one per format, each from the same struct profile.
 *
 *	profile.folded		 Brendan Gregg's collapsed stacks: process;thread;frames…;[cause] µs
 *of wall profile.pb.gz		 pprof (github.com/google/pprof/proto/profile.proto): the whole
 *truth, with thread, cause and time as labels; report/ reads this one back profile.speedscope.json
 *speedscope's file format 1.x, one sampled profile per thread
 *	profile.pyisession	 pyinstrument session, for `pyinstrument --load`
 *
 * All four tell the same totals. Each returns 0 or -errno; errors of @out are found by ferror()
 *too.
 */
#ifndef TASKDIAG_PROFILE_FILES_H
#define TASKDIAG_PROFILE_FILES_H

#include <stdint.h>
#include <stdio.h>

#include "aggregate/profile.h"

struct profile_run {
	uint64_t start_utc_ns;
	uint64_t duration_ns;
	const char *command; /* hostile */
};

typedef int profile_write_fn(const struct profile *p, const struct profile_run *run, FILE *out);

profile_write_fn profile_write_folded;
profile_write_fn profile_write_pprof;
profile_write_fn profile_write_speedscope;
profile_write_fn profile_write_pyisession;

#endif
