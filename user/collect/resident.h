/* resident.h - who first touched the pages that were resident when RSS was highest.
 *
 *   EV_PAGES ──► location (stack, thread, kind) ──► aggregate/pages.h ──► entries of allocations
 *   pagemap ──► "[before attach]" at the start, phantoms and unowned pages at the end
 *
 * Names the first toucher of a page, not who asked for the memory: both are right, and not the
 * same.
 */
#ifndef TASKDIAG_RESIDENT_H
#define TASKDIAG_RESIDENT_H

#include <jansson.h>

#include "aggregate/allocations.h"
#include "collect/collector.h"

struct resident;
struct stack_build;

struct resident *resident_new(const struct observation *o); /* NULL with errno set */
void resident_free(struct resident *r);			    /* NULL is fine */

/** EV_PAGES, EV_PROCESS, EV_EXEC, EV_IMAGE_END; SAMPLE_PROCESS and SAMPLE_TASK. */
void resident_record(struct resident *r, const struct event_header *h);
void resident_sample(struct resident *r, const struct sample_header *h);

/** How coarse the sampling should be by now: 2^shift pages a sample. */
unsigned resident_shift(const struct resident *r);

/** Nothing more will come: looks at the processes that are still there. */
void resident_end(struct resident *r, uint64_t peak_bytes, uint64_t peak_ns);

/** Peak of what is told, in bytes; *ret_ns: CLOCK_BOOTTIME. */
uint64_t resident_peak(const struct resident *r, uint64_t *ret_ns);

/** What is held now is to be kept, too. */
void resident_mark(struct resident *r);

/** Mean distance of samples, in bytes. */
uint64_t resident_gap_bytes(const struct resident *r);

/** Adds what each location held to @a. 0, -ENOMEM. */
int resident_entries(struct resident *r, struct stack_build *b, struct allocations *a);

/** Adds sentences on what is missing. */
void resident_limits(const struct resident *r, json_t *limits);

/** Adds its keys to diagnostics.allocations. */
int resident_manifest(const struct resident *r, json_t *o);

#endif
