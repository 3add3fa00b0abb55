/* cmd_run.c - no verb: observe a pid or a command, then say what came of it. */
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/observe.h"
#include "cli/run_options.h"
#include "lib/cleanup.h"
#include "lib/clock.h"

static const enum option_id allowed[] = {
	OPT_PID,
	OPT_CGROUP,
	OPT_CONTAINER,
	OPT_MEMORY_LIMIT,
	OPT_DIAGNOSTICS,
	OPT_OUTPUT,
	OPT_INTERVAL,
	OPT_DURATION,
	OPT_FREQUENCY,
	OPT_CPU_ONLY,
	OPT_MAX_OVERHEAD,
	OPT_NATIVE_INTERNALS,
	OPT_SNAPSHOT_EVERY,
	OPT_SAMPLE_BYTES,
	OPT_EXACT,
	OPT_PYTHON_ALLOCATORS,
	OPT_RESIDENT,
	OPT_MEMRAY_FORMAT,
	OPT_NO_CHILDREN,
	OPT_USER,
	OPT_RING_SIZE,
	OPT_JSON,
	OPT_QUIET,
	OPT_VERBOSE,
	OPT_COLOR,
	OPT_HELP,
	OPT_VERSION,
	OPT_COUNT,
};

static int run(const struct options *o, const struct session_options *so, struct problem *problem)
{
	struct observed observed;
	int status = observe(so, &observed, problem);

	if (observed.path)
		observed_say(o, &observed);
	observed_release(&observed);
	return status;
}

int cmd_run(int argc, char **argv)
{
	struct session_options so = { .process_start_ns = clock_boot_ns() };
	struct problem problem = {};
	struct options o;
	_cleanup_free_ char *list = NULL;
	int err = options_parse(argc, argv, allowed, true, &o, &problem), status = 0;

	if (!err && o.value[OPT_HELP])
		help_print(stdout);
	else if (!err && o.value[OPT_VERSION])
		puts("taskdiag-bpf " TASKDIAG_VERSION);
	else {
		list =
		    strdup(!err && o.value[OPT_DIAGNOSTICS] ? o.value[OPT_DIAGNOSTICS] : "memory");
		if (!err)
			err = list ? run_options_take(&o, &so, list, &problem) : -ENOMEM;
		status = err ? complain(&problem, EXIT_USAGE) : run(&o, &so, &problem);
	}
	options_free(&o);
	return status;
}
