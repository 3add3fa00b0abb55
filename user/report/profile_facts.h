/* profile_facts.h - what every report says about a profile, in the same words. As in facts.h:
 * strings are new, raw, NULL without memory. The run has a profile. */
#ifndef TASKDIAG_REPORT_PROFILE_FACTS_H
#define TASKDIAG_REPORT_PROFILE_FACTS_H

#include <stdbool.h>

#include "report/run.h"

/** Wall seconds of @marks. */
double fact_wall(const struct profile *p, uint64_t marks);

/** Marks of every cause, by its number; NULL without memory. */
uint64_t *fact_cause_marks(const struct profile *p);

/** Whether the name of a thread ends in its tid, "worker-4711". */
bool fact_names_tid(const struct profile_thread *t);

/** "48.00 s of thread time: 61.2 % cpu, 20.1 % [lock], 3.0 % in 2 other causes". */
char *fact_profile_time(const struct run *r);

/** "99 Hz, 4,752 marks; 99.9 % of stacks complete (truncated 3); sampled/exact: CPU 1.002". */
char *fact_profile_sampling(const struct run *r);

/** The one line for a run without profile: what is missing, the next step. */
char *fact_profile_absent(const struct run *r);

#endif
