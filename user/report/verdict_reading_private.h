/* verdict_reading_private.h - between the files that read measures from a run. */
#ifndef TASKDIAG_REPORT_VERDICT_READING_PRIVATE_H
#define TASKDIAG_REPORT_VERDICT_READING_PRIVATE_H

#include "report/verdict_reading.h"

/* Each takes one measure; @function: NULL for the task. 0, -ENOMEM. */
typedef int reading_fn(const struct run *r, const char *function, struct reading *ret);

reading_fn reading_heap_peak, reading_heap_leaked; /* verdict_reading_heap.c */
reading_fn reading_wall, reading_cpu;		   /* verdict_reading_profile.c */

int reading_exact(struct reading *ret, double value);
int reading_between(struct reading *ret, double value, double low, double high);
int reading_absent(struct reading *ret, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** The first note stays. */
int reading_note(struct reading *ret, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Whether the diagnostic has numbers; else the reading says why not. */
bool reading_has(const struct run *r, const char *diagnostic, struct reading *ret);
/** The first of a diagnostic's limits[]; NULL: none. */
const char *reading_limit(const struct run *r, const char *diagnostic);

/** Per stack of @p: whether functions may be missing in it; NULL without memory. */
bool *reading_stacks_unclear(const struct profile *p);

/** Half a 95 % interval of @n random hits, never less than the rule of three. */
double reading_chance(double n);

#endif
