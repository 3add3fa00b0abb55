/* alloc_payload.h - allocations as the page knows them: JSON, compressed, base64. */
#ifndef TASKDIAG_REPORT_ALLOC_PAYLOAD_H
#define TASKDIAG_REPORT_ALLOC_PAYLOAD_H

#include <stdio.h>

#include "aggregate/allocations.h"
#include "report/run.h"

/**
 * Columns, each a list of numbers (allocmodel.js reads them): the tree of payload_tree.h with each
 * line on its own, then
 *	same		of every line: 1 when it is of the function of the line before
 *	definitions	of every line: where its function begins; 0: unknown
 *	samples.node …	node (as the difference to the one before), thread, allocator, bytes and
 *			pieces of each kind, error
 *	points		[seconds, live bytes] of massif.out's snapshots; of the main source only
 * @a: r->allocations or r->resident. Returns 0 or -ENOMEM; errors of @out are found by ferror().
 */
int alloc_payload_write(const struct run *r, const struct allocations *a, FILE *out);

/** The JSON itself, for tests. */
int alloc_payload_json(const struct run *r, const struct allocations *a, FILE *out);

#endif
