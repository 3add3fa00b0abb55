/* profile_payload.h - the profile as the page knows it: JSON, compressed, base64. */
#ifndef TASKDIAG_REPORT_PROFILE_PAYLOAD_H
#define TASKDIAG_REPORT_PROFILE_PAYLOAD_H

#include <stdio.h>

#include "report/run.h"

/**
 * Columns, each a list of numbers (profile.js reads them):
 *	names, files, modules, lines, kinds	of every function
 *	back, functions		the tree of calls: distance back to the parent, function
 *	samples.node …		node (as the difference to the one before), thread, cause, slice,
 *				marks
 * Node 0 is the root. Returns 0 or -ENOMEM; errors of @out are found by ferror().
 */
int profile_payload_write(const struct run *r, FILE *out);

/** The JSON itself, for tests. */
int profile_payload_json(const struct run *r, FILE *out);

#endif
