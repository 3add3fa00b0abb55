/* alloc_pprof.h - allocations.pb.gz, resident.pb.gz → struct allocations, as artifact/ writes them
 * (docs/artifact-format.md). The file is hostile: see pprof.h. */
#ifndef TASKDIAG_REPORT_ALLOC_PPROF_H
#define TASKDIAG_REPORT_ALLOC_PPROF_H

#include "aggregate/allocations.h"
#include "report/pprof.h"

/**
 * Of the facts the source, whether it is exact, the gap, the peaks and the time; the rest is 0 and
 * NULL. *ret is the caller's. On failure *ret_cause is a constant: -EBADMSG
 * (damaged), -E2BIG (beyond a bound), -ENOMEM.
 */
int alloc_pprof_read(const void *gz, size_t size, struct allocations **ret, const char **ret_cause);

/** The same of inflated bytes. */
int alloc_pprof_parse(const void *data, size_t size, struct allocations **ret,
		      const char **ret_cause);

#endif
