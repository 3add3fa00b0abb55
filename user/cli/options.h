/* options.h - the one table of options and verbs: parsing, --help, the man page and the completion
 * read it. */
#ifndef TASKDIAG_OPTIONS_H
#define TASKDIAG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "lib/problem.h"

enum option_id {
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
	OPT_MEMRAY_FORMAT,
	OPT_NO_CHILDREN,
	OPT_USER,
	OPT_RING_SIZE,
	OPT_JSON,
	OPT_QUIET,
	OPT_VERBOSE,
	OPT_COLOR,
	OPT_FULL,
	OPT_LINES,
	OPT_DEBUGINFOD,
	OPT_ALLOCATIONS,
	OPT_LEAKS,
	OPT_TEMPORARY,
	OPT_RESIDENT,
	OPT_BUDGET,
	OPT_RUNS,
	OPT_FAIL_ON,
	OPT_FORMAT,
	OPT_REPORT,
	OPT_CONFIG,
	OPT_STATE,
	OPT_DRY_RUN,
	OPT_HELP,
	OPT_VERSION,
	OPT_COUNT,
};

struct option_row {
	char letter;	      /* 0: none */
	const char *name;     /* long, without dashes */
	const char *argument; /* NULL: takes none */
	const char *help;     /* one line */
};

struct verb_row {
	const char *name;
	const char *argument; /* NULL: none */
	const char *help;
	int (*run)(int argc, char **argv); /* argv[0] is the verb; returns the exit status */
};

struct exit_row {
	const char *status;
	const char *meaning;
};

struct example_row {
	const char *what;
	const char *command;
};

extern const struct option_row option_rows[OPT_COUNT];
extern const struct exit_row exit_rows[];	/* ends with NULL */
extern const struct example_row example_rows[]; /* ends with NULL */

struct option_given {
	enum option_id id;
	const char *value;
};

/* What was given on a command line. The last of an option that may stand once counts; --pid, and
 * all that have an argument, are kept in order. */
struct options {
	const char *value[OPT_COUNT]; /* NULL: not given; "" for an option without argument */
	struct option_given *given;
	size_t given_count;
	const char **pids;
	size_t pid_count;
	char **rest; /* what is no option: operands, or the command */
	int rest_count;
};

/**
 * @command: options end at the first operand; else they may stand between operands. "--" ends them.
 * @allowed: the ids that may be given, ending with OPT_COUNT. -EINVAL with a problem that names the
 * argument.
 */
int options_parse(int argc, char **argv, const enum option_id *allowed, bool command,
		  struct options *ret, struct problem *problem);
void options_free(struct options *o);

/** --color: whether to, on @stream. -EINVAL for an unknown word. NO_COLOR and what is no terminal
 * count for "auto". */
int options_colour(const struct options *o, FILE *stream, bool *ret, struct problem *problem);

#endif
