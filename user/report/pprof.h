/* pprof.h - profile.pb.gz → struct profile, as artifact/ writes it (docs/artifact-format.md).
 *
 * The file is hostile: sizes, depths and numbers are bounded, and what is wrong is said by name.
 * The cause of a wait stands in the file as the leaf of its stack and as a label; here it is the
 * sample's cause only, its leaf is taken off. Totals per thread are not in the file, they are 0.
 */
#ifndef TASKDIAG_REPORT_PPROF_H
#define TASKDIAG_REPORT_PPROF_H

#include "aggregate/profile.h"

/* read at most: bytes compressed, bytes inflated */
#define PPROF_FILE_MAX (64u << 20)
#define PPROF_BYTES_MAX (256u << 20)

/**
 * @slice_ns: length of a slice of time; 0: found from the times. *ret is the caller's. On failure
 * *ret_cause is a constant: -EBADMSG (damaged), -E2BIG (beyond a bound), -ENOMEM.
 */
int pprof_read(const void *gz, size_t size, uint64_t slice_ns, struct profile **ret,
	       const char **ret_cause);

/** What pprof_read() and alloc_pprof_read() begin with. *ret is the caller's. */
int pprof_inflate(const void *gz, size_t size, uint8_t **ret, size_t *ret_size,
		  const char **ret_cause);

/** The same as pprof_read() of inflated bytes. */
int pprof_parse(const void *data, size_t size, uint64_t slice_ns, struct profile **ret,
		const char **ret_cause);

#endif
