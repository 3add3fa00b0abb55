/* cmd_cleanup.c - what the daemon removes by the clock, now; or what it would remove. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "lib/clock.h"
#include "rules/config.h"
#include "serve/retention.h"

static const enum option_id allowed[] = { OPT_CONFIG, OPT_STATE, OPT_DRY_RUN, OPT_HELP, OPT_COUNT };

struct told {
	bool dry;
	uint64_t bytes;
	int kept;
};

static void tell(void *context, const struct retention_removed *r)
{
	static const char *const causes[] = { "its time is over", "all have no room",
					      "it is too large" };
	struct told *told = context;

	if (r->err == -ENOTEMPTY) {
		printf("%s stays: there is a file in it that the daemon has not written\n", r->id);
		told->kept++;
	} else if (r->err) {
		printf("%s stays: %s\n", r->id, strerror(-r->err));
		told->kept++;
	} else {
		printf("%s %s: %s (%.1f MB)\n", r->id, told->dry ? "would go" : "removed",
		       causes[r->cause], (double)r->bytes / 1048576);
		told->bytes += r->bytes;
	}
}

static int clean_up(const struct options *o, const struct serve_config *config,
		    struct problem *problem)
{
	const char *state = o->value[OPT_STATE] ? o->value[OPT_STATE] : config->state;
	const struct retention rules = {
		.protection_s = config->protection_s,
		.total_bytes = config->total_bytes,
		.task_bytes = config->task_bytes,
	};
	struct told told = { .dry = o->value[OPT_DRY_RUN] != NULL };
	struct store *store = NULL;
	struct index *index = NULL;
	bool anew = false;
	int n = store_open(state, !told.dry, &store, problem);

	if (!n)
		n = told.dry ? index_open_reader(store, &index, problem)
			     : index_open_writer(store, &index, &anew, problem);
	if (n == -EAGAIN)
		n = problem_set(problem, -ENOENT,
				"cleanup: %.300s has no index: no daemon has "
				"run with it yet",
				state);
	if (!n && anew)
		n = retention_recover(store, index, clock_utc_ns() / NS_PER_MS);
	if (n >= 0)
		n = retention_round(store, index, &rules, clock_utc_ns() / NS_PER_MS, told.dry,
				    tell, &told);
	index_free(index);
	store_free(store);
	if (n < 0)
		return problem_set(problem, n, "cleanup of %.300s: %s", state, strerror(-n));
	printf("%d task%s %s, %.1f MB; %d kept that should have gone\n", n, n == 1 ? "" : "s",
	       told.dry ? "would go" : "removed", (double)told.bytes / 1048576, told.kept);
	return 0;
}

int cmd_cleanup(int argc, char **argv)
{
	struct serve_config config;
	struct problem problem = {};
	struct options o;
	int err = options_parse(argc, argv, allowed, false, &o, &problem), bad = 0;

	if (!err && o.value[OPT_HELP]) {
		help_print(stdout);
		options_free(&o);
		return 0;
	}
	if (!err && o.rest_count)
		err = problem_set(&problem, -EINVAL, "cleanup: takes no operands, such as %s",
				  o.rest[0]);
	if (!err)
		err = serve_config_read(o.value[OPT_CONFIG], "", &config, &problem);
	if (!err) {
		bad = clean_up(&o, &config, &problem);
		serve_config_release(&config);
	}
	options_free(&o);
	if (!err && !bad)
		return 0;
	return complain(&problem, err ? EXIT_USAGE : EXIT_REPORT);
}
