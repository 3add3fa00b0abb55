/* usage_stacks.h - who held the resident pages at the last look before the highest usage of the
 * cgroup, or at the highest RSS: by process, and of each the stacks that held most. */
#ifndef TASKDIAG_USAGE_STACKS_H
#define TASKDIAG_USAGE_STACKS_H

#include <jansson.h>

#include "aggregate/allocations.h"

enum usage_moment { USAGE_LOOK, USAGE_RSS_PEAK };

/** diagnostics.allocations.held, see docs/artifact-format.md. NULL: no memory. */
json_t *usage_stacks_json(const struct allocations *a, enum usage_moment moment);

#endif
