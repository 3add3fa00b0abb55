/* run_options.h - from what was given on a command line to what a session is asked for. */
#ifndef TASKDIAG_RUN_OPTIONS_H
#define TASKDIAG_RUN_OPTIONS_H

#include "cli/options.h"
#include "session/session.h"

/**
 * @list: names of diagnostics, split in place; it has to live as long as @so. -EINVAL with a
 * problem that names the option.
 */
int run_options_take(const struct options *o, struct session_options *so, char *list,
		     struct problem *problem);

#endif
