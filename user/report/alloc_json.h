/* alloc_json.h - what the JSON documents of allocations share. Names are made safe. Errors of @out
 * are found by ferror(). */
#ifndef TASKDIAG_REPORT_ALLOC_JSON_H
#define TASKDIAG_REPORT_ALLOC_JSON_H

#include <stdio.h>

#include "report/alloc_change.h"
#include "report/run.h"

/** "key":"value"; null when @value is NULL. */
void alloc_json_string(FILE *out, const char *key, const char *value);

/** {"function":…,"file":…,"line":…,"module":…} */
void alloc_json_frame(FILE *out, const struct function_info *f);

/** Members of an object: of which run, source and sum, and what it amounts to. */
void alloc_json_head(FILE *out, const struct run *r, const struct allocations *a,
		     enum alloc_kind kind);

/** @runs: before, after. -ENOMEM. */
int alloc_change_json(FILE *out, const struct run *const runs[2], const struct alloc_change *c,
		      bool full);

#endif
