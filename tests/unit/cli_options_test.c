/* cli_options_test.c - the command line; oracle: cli/options.h, and the table against itself. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/options.h"
#include "collect/collector.h"

#define ARGS_MAX 16

static const enum option_id all[] = {
	OPT_PID,
	OPT_CGROUP,
	OPT_CONTAINER,
	OPT_MEMORY_LIMIT,
	OPT_DIAGNOSTICS,
	OPT_OUTPUT,
	OPT_INTERVAL,
	OPT_DURATION,
	OPT_NO_CHILDREN,
	OPT_USER,
	OPT_RING_SIZE,
	OPT_JSON,
	OPT_QUIET,
	OPT_VERBOSE,
	OPT_COLOR,
	OPT_HELP,
	OPT_VERSION,
	OPT_FULL,
	OPT_LINES,
	OPT_NATIVE_INTERNALS,
	OPT_DEBUGINFOD,
	OPT_FREQUENCY,
	OPT_CPU_ONLY,
	OPT_MAX_OVERHEAD,
	OPT_ALLOCATIONS,
	OPT_LEAKS,
	OPT_TEMPORARY,
	OPT_RESIDENT,
	OPT_SNAPSHOT_EVERY,
	OPT_SAMPLE_BYTES,
	OPT_EXACT,
	OPT_PYTHON_ALLOCATORS,
	OPT_MEMRAY_FORMAT,
	OPT_BUDGET,
	OPT_RUNS,
	OPT_FAIL_ON,
	OPT_FORMAT,
	OPT_REPORT,
	OPT_CONFIG,
	OPT_STATE,
	OPT_DRY_RUN,
	OPT_COUNT,
};

/* A command line, parsed; its words are copied, as the kernel's are writable. */
struct parsed {
	char *argv[ARGS_MAX + 1];
	int argc, err;
	struct options o;
	struct problem problem;
};

static void parse_as(struct parsed *p, const enum option_id *allowed, bool command,
		     const char *const *words)
{
	*p = (struct parsed){};
	p->argv[p->argc++] = strdup("taskdiag-bpf");
	for (; *words; words++) {
		assert_true(p->argc < ARGS_MAX);
		p->argv[p->argc++] = strdup(*words);
	}
	p->err = options_parse(p->argc, p->argv, allowed, command, &p->o, &p->problem);
}

static void parse(struct parsed *p, const enum option_id *allowed, const char *const *words)
{
	parse_as(p, allowed, true, words);
}

static void done(struct parsed *p)
{
	options_free(&p->o);
	for (int i = 0; i < p->argc; i++)
		free(p->argv[i]);
}

#define PARSE(p, ...) parse(p, all, (const char *const[]){ __VA_ARGS__, NULL })
#define PARSE_VERB(p, ...) parse_as(p, all, false, (const char *const[]){ __VA_ARGS__, NULL })

static void every_option_may_be_given(void **state)
{
	struct parsed p;

	(void)state;
	for (int id = 0; id < OPT_COUNT; id++) {
		const struct option_row *row = &option_rows[id];
		char word[64];
		const char *forms[3][3] = {};

		snprintf(word, sizeof(word), "--%s", row->name);
		forms[0][0] = word;
		forms[0][1] = row->argument ? "value" : NULL;
		char joined[80], letter[3] = { '-', row->letter, 0 };

		snprintf(joined, sizeof(joined), "%s%s", word, row->argument ? "=value" : "");
		forms[1][0] = joined;
		forms[2][0] = row->letter ? letter : word;
		forms[2][1] = forms[0][1];
		for (int i = 0; i < 3; i++) {
			parse(&p, all, forms[i]);
			if (p.err || !p.o.value[id])
				fail_msg("%s: %s", forms[i][0], p.problem.text);
			assert_string_equal(p.o.value[id], row->argument ? "value" : "");
			for (int other = 0; other < OPT_COUNT; other++)
				if (other != id)
					assert_null(p.o.value[other]);
			assert_int_equal(p.o.rest_count, 0);
			done(&p);
		}
	}
}

static void nothing_given_is_nothing(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, all, (const char *const[]){ NULL });
	assert_int_equal(p.err, 0);
	for (int id = 0; id < OPT_COUNT; id++)
		assert_null(p.o.value[id]);
	assert_int_equal(p.o.pid_count, 0);
	assert_int_equal(p.o.rest_count, 0);
	assert_string_equal(p.problem.text, "");
	done(&p);
}

static void pids_are_kept_in_order(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, "-p", "12", "--pid", "7", "--pid=", "-p12");
	assert_int_equal(p.err, 0);
	assert_int_equal(p.o.pid_count, 4);
	assert_string_equal(p.o.pids[0], "12");
	assert_string_equal(p.o.pids[1], "7");
	assert_string_equal(p.o.pids[2], "");
	assert_string_equal(p.o.pids[3], "12");
	done(&p);
}

static void of_others_the_last_counts(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, "-o", "a", "--output=b", "-qv", "-oc");
	assert_int_equal(p.err, 0);
	assert_string_equal(p.o.value[OPT_OUTPUT], "c");
	assert_non_null(p.o.value[OPT_QUIET]);
	assert_non_null(p.o.value[OPT_VERBOSE]);
	done(&p);
}

/* what follows the command is the command's */
static void options_end_at_the_first_operand(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, "-q", "html", "-v", "--", "-o");
	assert_int_equal(p.err, 0);
	assert_null(p.o.value[OPT_VERBOSE]);
	assert_int_equal(p.o.rest_count, 4);
	assert_string_equal(p.o.rest[0], "html");
	assert_string_equal(p.o.rest[1], "-v");
	assert_string_equal(p.o.rest[2], "--");
	done(&p);

	PARSE(&p, "-q", "--", "make", "--quiet", "-p", "--bogus");
	assert_int_equal(p.err, 0);
	assert_int_equal(p.o.rest_count, 4);
	assert_string_equal(p.o.rest[0], "make");
	assert_string_equal(p.o.rest[-1], "--"); /* how a command is told from a typing error */
	assert_string_equal(p.o.rest[3], "--bogus");
	assert_int_equal(p.o.pid_count, 0);
	done(&p);

	PARSE(&p, "--", "--", "-q"); /* only the first ends them */
	assert_int_equal(p.o.rest_count, 2);
	assert_string_equal(p.o.rest[0], "--");
	assert_null(p.o.value[OPT_QUIET]);
	done(&p);

	PARSE(&p, "-o", "--", "x"); /* this one is an argument */
	assert_int_equal(p.err, 0);
	assert_string_equal(p.o.value[OPT_OUTPUT], "--");
	assert_int_equal(p.o.rest_count, 1);
	done(&p);

	PARSE(&p, "-", "-q"); /* a single dash is an operand */
	assert_int_equal(p.o.rest_count, 2);
	done(&p);
}

/* of a verb, which runs nothing: `html run -o page.html` */
static void a_verb_takes_options_behind_its_operands(void **state)
{
	struct parsed p;

	(void)state;
	PARSE_VERB(&p, "run", "-o", "page.html", "other", "--quiet");
	assert_int_equal(p.err, 0);
	assert_string_equal(p.o.value[OPT_OUTPUT], "page.html");
	assert_non_null(p.o.value[OPT_QUIET]);
	assert_int_equal(p.o.rest_count, 2);
	assert_string_equal(p.o.rest[0], "run");
	assert_string_equal(p.o.rest[1], "other");
	done(&p);

	PARSE_VERB(&p, "run", "-q", "--", "-o", "--json"); /* names that begin with a dash */
	assert_int_equal(p.err, 0);
	assert_non_null(p.o.value[OPT_QUIET]);
	assert_null(p.o.value[OPT_OUTPUT]);
	assert_int_equal(p.o.rest_count, 3);
	assert_string_equal(p.o.rest[0], "run");
	assert_string_equal(p.o.rest[1], "-o");
	assert_string_equal(p.o.rest[2], "--json");
	done(&p);

	PARSE_VERB(&p, "run", "--bogus", "other");
	assert_int_equal(p.err, -EINVAL);
	assert_memory_equal(p.problem.text, "--bogus:", 8);
	done(&p);

	PARSE_VERB(&p, "run", "other", "-o");
	assert_int_equal(p.err, -EINVAL);
	assert_memory_equal(p.problem.text, "-o:", 3);
	done(&p);
}

/* @why: words of the cause */
static void assert_refused_why(const enum option_id *allowed, const char *named, const char *why,
			       const char *const *words)
{
	struct parsed p;

	parse(&p, allowed, words);
	if (p.err != -EINVAL)
		fail_msg("%s: %d instead of -EINVAL", named, p.err);
	/* the line names the argument first */
	if (strncmp(p.problem.text, named, strlen(named)) || p.problem.text[strlen(named)] != ':')
		fail_msg("\"%s\" does not begin with \"%s:\"", p.problem.text, named);
	assert_null(strchr(p.problem.text, '\n'));
	assert_non_null(strstr(p.problem.text, why));
	done(&p);
}

static void assert_refused(const enum option_id *allowed, const char *named,
			   const char *const *words)
{
	assert_refused_why(allowed, named, "no such option", words);
}

#define MISSING(named, ...)                                 \
	assert_refused_why(all, named, "needs an argument", \
			   (const char *const[]){ __VA_ARGS__, NULL })
#define REFUSED(named, ...) assert_refused(all, named, (const char *const[]){ __VA_ARGS__, NULL })

static void an_unknown_option_is_named(void **state)
{
	(void)state;
	REFUSED("--bogus", "--bogus");
	REFUSED("--bogus=1", "--bogus=1");
	REFUSED("--bogus", "-q", "--bogus", "-v");
	REFUSED("-x", "-x");
	REFUSED("-x", "-qx");
	REFUSED("-x", "-qxv");
	REFUSED("-x", "-xq", "--help");
	REFUSED("--pids", "--pids", "1");
	REFUSED("--ver", "--ver"); /* verbose or version */
	REFUSED("-:", "-:");
	REFUSED("-?", "-?");
	REFUSED("-+", "-+");
}

static void a_missing_argument_is_named(void **state)
{
	(void)state;
	MISSING("-p", "-p");
	MISSING("--pid", "--pid");
	MISSING("--interval", "-q", "--interval");
	MISSING("-o", "--pid", "1", "-o");
	for (int id = 0; id < OPT_COUNT; id++) {
		char word[64];

		if (!option_rows[id].argument)
			continue;
		snprintf(word, sizeof(word), "--%s", option_rows[id].name);
		MISSING(word, word);
	}
}

static void an_argument_that_is_not_taken_is_refused(void **state)
{
	(void)state;
	assert_refused_why(all, "--json=yes", "", (const char *const[]){ "--json=yes", NULL });
	assert_refused_why(all, "--help=", "", (const char *const[]){ "--help=", NULL });
}

static void what_a_verb_does_not_allow_is_refused(void **state)
{
	static const enum option_id few[] = { OPT_OUTPUT, OPT_HELP, OPT_COUNT };
	static const enum option_id none[] = { OPT_COUNT };
	struct parsed p;

	(void)state;
	assert_refused(few, "-p", (const char *const[]){ "-p", "1", NULL });
	assert_refused(few, "--pid", (const char *const[]){ "--pid", "1", NULL });
	assert_refused(few, "-q", (const char *const[]){ "-hq", NULL });
	assert_refused(none, "-h", (const char *const[]){ "-h", NULL });
	parse(&p, few, (const char *const[]){ "-ho", "x", NULL });
	assert_int_equal(p.err, 0);
	assert_string_equal(p.o.value[OPT_OUTPUT], "x");
	assert_non_null(p.o.value[OPT_HELP]);
	done(&p);
}

static void a_hostile_option_is_cut(void **state)
{
	char word[2000];

	(void)state;
	memset(word, 'x', sizeof(word) - 1);
	memcpy(word, "--", 2);
	word[sizeof(word) - 1] = 0;
	struct parsed p;

	PARSE(&p, word);
	assert_int_equal(p.err, -EINVAL);
	assert_non_null(strstr(p.problem.text, "--help")); /* the next step is still there */
	done(&p);
	PARSE(&p, "--%s%n%s");
	assert_int_equal(p.err, -EINVAL);
	assert_non_null(strstr(p.problem.text, "--%s%n%s"));
	done(&p);
}

static void what_has_an_argument_is_kept_in_order(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, "--report", "junit=a", "-qqqqvv", "--fail-on=peak+1%", "--report=json=b");
	assert_int_equal(p.err, 0);
	assert_int_equal(p.o.given_count, 3);
	assert_int_equal(p.o.given[0].id, OPT_REPORT);
	assert_string_equal(p.o.given[0].value, "junit=a");
	assert_int_equal(p.o.given[1].id, OPT_FAIL_ON);
	assert_string_equal(p.o.given[2].value, "json=b");
	done(&p);
}

/* getopt(3) keeps its state: one call must not see the other's */
static void parsing_twice_is_the_same(void **state)
{
	struct parsed p;

	(void)state;
	for (int i = 0; i < 3; i++) {
		PARSE(&p, "-qxv");
		assert_int_equal(p.err, -EINVAL);
		done(&p);
		PARSE(&p, "-v", "-o", "a", "rest");
		assert_int_equal(p.err, 0);
		assert_null(p.o.value[OPT_QUIET]);
		assert_int_equal(p.o.rest_count, 1);
		done(&p);
	}
}

static void every_row_can_be_shown(void **state)
{
	(void)state;
	for (int id = 0; id < OPT_COUNT; id++) {
		const struct option_row *row = &option_rows[id];

		assert_non_null(row->name);
		assert_non_null(row->help);
		assert_true(strlen(row->name) > 1 && strlen(row->help) > 10);
		assert_null(strpbrk(row->help, "\n\t"));
		assert_int_equal(strspn(row->name, "abcdefghijklmnopqrstuvwxyz-"),
				 strlen(row->name));
		if (row->argument)
			assert_int_equal(strspn(row->argument, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_="),
					 strlen(row->argument));
	}
}

static void letters_and_names_are_unique(void **state)
{
	(void)state;
	for (int a = 0; a < OPT_COUNT; a++) {
		char letter = option_rows[a].letter;

		assert_true(!letter || (letter >= 'a' && letter <= 'z') ||
			    (letter >= 'A' && letter <= 'Z'));
		for (int b = a + 1; b < OPT_COUNT; b++) {
			if (letter && letter == option_rows[b].letter)
				fail_msg("-%c is --%s and --%s", letter, option_rows[a].name,
					 option_rows[b].name);
			assert_string_not_equal(option_rows[a].name, option_rows[b].name);
		}
	}
}

static void every_exit_status_is_told_once(void **state)
{
	static const char *const statuses[] = { "0", "1", "2", "3", "4", "125", "126", "127" };
	size_t n = 0;

	(void)state;
	for (; exit_rows[n].status; n++) {
		assert_true(n < 8);
		assert_string_equal(exit_rows[n].status, statuses[n]);
		assert_true(strlen(exit_rows[n].meaning) > 3);
	}
	assert_int_equal(n, 8);
}

static void every_example_is_a_command_of_ours(void **state)
{
	size_t n = 0;

	(void)state;
	for (; example_rows[n].what; n++)
		assert_non_null(strstr(example_rows[n].command, "taskdiag-bpf"));
	assert_in_range(n, 1, 10);
}

/* the help names what the run takes */
static void diagnostics_are_the_collectors(void **state)
{
	(void)state;
	for (const struct collector *c = collectors; c->name; c++) {
		assert_ptr_equal(collector_find(c->name), c);
		assert_non_null(strstr(option_rows[OPT_DIAGNOSTICS].help, c->name));
	}
}

static bool colour_of(const char *word, FILE *stream)
{
	struct options o = {};
	struct problem problem = {};
	bool colour = false;

	o.value[OPT_COLOR] = word;
	assert_int_equal(options_colour(&o, stream, &colour, &problem), 0);
	assert_string_equal(problem.text, "");
	return colour;
}

static void colour_words(void **state)
{
	static const char *const words[] = { "", "ALWAYS", "always ", "yes", "aut", "autoo", "1" };
	FILE *file = tmpfile();
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	FILE *terminal;

	(void)state;
	assert_non_null(file);
	assert_true(master >= 0 && !grantpt(master) && !unlockpt(master));
	terminal = fopen(ptsname(master), "r+");
	assert_non_null(terminal);

	unsetenv("NO_COLOR");
	assert_true(colour_of("always", file));
	assert_false(colour_of("never", terminal));
	assert_true(colour_of("auto", terminal));
	assert_true(colour_of(NULL, terminal));
	assert_false(colour_of("auto", file));
	assert_false(colour_of(NULL, file));
	setenv("NO_COLOR", "", 1); /* no-color.org: "not an empty string" */
	assert_true(colour_of(NULL, terminal));
	setenv("NO_COLOR", "0", 1); /* "regardless of its value" */
	assert_false(colour_of(NULL, terminal));
	assert_false(colour_of("auto", terminal));
	assert_true(colour_of("always", file)); /* what was asked for goes before */
	unsetenv("NO_COLOR");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct options o = {};
		struct problem problem = {};
		bool colour;

		o.value[OPT_COLOR] = words[i];
		if (options_colour(&o, terminal, &colour, &problem) != -EINVAL)
			fail_msg("--color \"%s\" was taken", words[i]);
		assert_non_null(strstr(problem.text, words[i]));
		assert_non_null(strstr(problem.text, "never"));
	}
	fclose(terminal);
	fclose(file);
	close(master);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_option_may_be_given),
		cmocka_unit_test(nothing_given_is_nothing),
		cmocka_unit_test(pids_are_kept_in_order),
		cmocka_unit_test(of_others_the_last_counts),
		cmocka_unit_test(options_end_at_the_first_operand),
		cmocka_unit_test(a_verb_takes_options_behind_its_operands),
		cmocka_unit_test(an_unknown_option_is_named),
		cmocka_unit_test(a_missing_argument_is_named),
		cmocka_unit_test(an_argument_that_is_not_taken_is_refused),
		cmocka_unit_test(what_a_verb_does_not_allow_is_refused),
		cmocka_unit_test(a_hostile_option_is_cut),
		cmocka_unit_test(parsing_twice_is_the_same),
		cmocka_unit_test(every_row_can_be_shown),
		cmocka_unit_test(letters_and_names_are_unique),
		cmocka_unit_test(every_exit_status_is_told_once),
		cmocka_unit_test(what_has_an_argument_is_kept_in_order),
		cmocka_unit_test(every_example_is_a_command_of_ours),
		cmocka_unit_test(diagnostics_are_the_collectors),
		cmocka_unit_test(colour_words),
	};

	return cmocka_run_group_tests_name("cli/options", tests, NULL, NULL);
}
