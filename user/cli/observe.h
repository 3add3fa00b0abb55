/* observe.h - one observation from its start to its run directory, and what a person is told of it.
 */
#ifndef TASKDIAG_OBSERVE_H
#define TASKDIAG_OBSERVE_H

#include <jansson.h>

#include "cli/options.h"
#include "session/session.h"

/* What came of it. */
struct observed {
	char *path;	  /* of the run directory; NULL: none could be written */
	json_t *manifest; /* NULL: likewise */
	int status;	  /* wait(2) status of the command; -1: none */
};

/**
 * Runs it. Returns the status to leave with: the command's own, or EXIT_OBSERVER, 126, 127; what
 * went wrong has been said.
 */
int observe(const struct session_options *so, struct observed *ret, struct problem *problem);
/** Makes report.html, while the run directory is: a session_extra_fn. */
int observe_page(struct rundir *r, json_t *manifest, struct problem *problem);

void observed_release(struct observed *o);

/** The manifest (--json) or the summary (unless --quiet). */
void observed_say(const struct options *o, const struct observed *observed);

#endif
