/* pythons.h - the layouts of interpreters as walks read them: one for each file at each place.
 *
 *   file (inspect_python) + bias ──► python/layout.c ──► map python_layouts, by number
 *
 * A number out of use rests at the end of a queue before it is another's.
 */
#ifndef TASKDIAG_PYTHONS_H
#define TASKDIAG_PYTHONS_H

#include <stdint.h>

#include "bpf/python.h"
#include "inspect/inspect.h"

struct pythons;

/** @map: python_layouts, borrowed; -1: memory that no BPF program sees (tests). 0, -ENOMEM. */
int pythons_new(int map, struct pythons **ret);
void pythons_free(struct pythons *p); /* NULL is fine */

/** Number of the layout, in use once more; 0: it cannot be read, see pythons_problem(), or there is
 * no room (counted). */
uint32_t pythons_take(struct pythons *p, uint32_t file, const struct inspect_python *facts,
		      uint64_t bias);
void pythons_give(struct pythons *p, uint32_t number); /* 0 is fine */

/** There is an interpreter of which nothing is known: becomes pythons_problem(). */
void pythons_unknown(struct pythons *p, const char *cause);

const struct python_layout *pythons_at(const struct pythons *p, uint32_t number); /* NULL: none */

/** Why the last interpreter that could not be read could not; NULL: all could. */
const char *pythons_problem(const struct pythons *p);
uint64_t pythons_refused(const struct pythons *p); /* for want of room */
/** What walks have counted, in all layouts of the run: enum python_count. Those of walks from
 * outside included. */
void pythons_counts(const struct pythons *p, uint64_t ret[PYTHON_COUNTS]);
/** Adds to what walks from outside have counted. */
void pythons_count(struct pythons *p, uint32_t which);

#endif
