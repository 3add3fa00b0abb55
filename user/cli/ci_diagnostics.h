/* ci_diagnostics.h - the diagnostics that a budget needs, and those of them that are refused here.
 * Private to cli/. */
#ifndef TASKDIAG_CI_DIAGNOSTICS_H
#define TASKDIAG_CI_DIAGNOSTICS_H

#include "report/budget.h"
#include "session/session.h"

#define CI_SAID_MAX 8

struct ci_diagnostics {
	char *list;		 /* for run_options_take(), which splits it */
	char *refused[4];	 /* why, in the order of the table; NULL: it is not */
	char missing[512];	 /* what is missing, by name; empty: nothing */
	char *said[CI_SAID_MAX]; /* sentences for a person */
	size_t n_said;
};

/** What @budget needs and what @asked names (may be NULL). -ENOMEM. */
int ci_diagnostics_choose(struct ci_diagnostics *ret, const struct budget *budget,
			  const char *asked, struct problem *problem);
/** Tries what is allowed here, as doctor does: takes what is refused out of @so->diagnostics. */
void ci_diagnostics_refuse(struct ci_diagnostics *d, struct session_options *so);
/** Why this diagnostic is refused; NULL: it is not. */
const char *ci_diagnostic_refused(const struct ci_diagnostics *d, const char *name);
void ci_diagnostics_done(struct ci_diagnostics *d);

#endif
