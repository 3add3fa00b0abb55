/* source_lines.h - file:line and inlined functions for the frames of a profile, when it is looked
 * at.
 *
 *   frames ──by mapping──► the file on this host, if its build-id is the run's ──► symbolize/
 *          ──► the same profile with a line at every frame, and a frame for every inlined function
 *
 * A run directory holds functions only: lines need debug files, which are large and may be
 * elsewhere.
 */
#ifndef TASKDIAG_REPORT_SOURCE_LINES_H
#define TASKDIAG_REPORT_SOURCE_LINES_H

#include "aggregate/profile.h"
#include "inspect/inspect.h"

/** Called for a file of which not all lines are known. @path and @cause are hostile. */
typedef void (*source_lines_fn)(void *context, const char *path, const char *cause);

/**
 * @p stays the caller's; *ret is a new profile with the same marks. A frame that has a source file
 * already, or whose file is not here any more, stays as it is. @debuginfod: ask the servers of
 * DEBUGINFOD_URLS for what is missing. 0, -ENOMEM.
 */
int source_lines_add(const struct profile *p, struct inspect *inspect, bool debuginfod,
		     source_lines_fn note, void *context, struct profile **ret);

#endif
