/* cmd_serve.c - the daemon: every task of this host. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/observe.h"
#include "watch/daemon.h"

static const enum option_id allowed[] = { OPT_CONFIG, OPT_VERBOSE, OPT_HELP, OPT_COUNT };

int cmd_serve(int argc, char **argv)
{
	struct daemon_options daemon = { .environment = getenv("TASK_DIAGNOSTICS"),
					 .page = observe_page };
	struct problem problem = {};
	struct options o;
	int err = options_parse(argc, argv, allowed, false, &o, &problem);

	if (!err && o.value[OPT_HELP]) {
		help_print(stdout);
		options_free(&o);
		return 0;
	}
	if (!err && o.rest_count)
		err = problem_set(&problem, -EINVAL, "serve: takes no operands, such as %s",
				  o.rest[0]);
	daemon.config = o.value[OPT_CONFIG];
	daemon.verbose = o.value[OPT_VERBOSE] != NULL;
	if (!err)
		err = daemon_run(&daemon, &problem);
	options_free(&o);
	if (!err)
		return 0;
	problem_set(&problem, err, "serve: %s", strerror(-err));
	return complain(&problem, err == -EINVAL ? EXIT_USAGE : EXIT_OBSERVER);
}
