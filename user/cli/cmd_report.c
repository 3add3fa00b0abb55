/* cmd_report.c - the verbs that read a run directory: summary, plot, html, tree, top, flamegraph.
 * They differ in their output only. What they show of allocations: cmd_allocations.c. */
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/pager.h"
#include "cli/report_output.h"
#include "inspect/inspect.h"
#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/alloc_lines.h"
#include "report/profile_facts.h"
#include "report/source_lines.h"

static const enum option_id of_run[] = { OPT_OUTPUT, OPT_JSON, OPT_COLOR, OPT_HELP, OPT_COUNT };
static const enum option_id of_profile[] = { OPT_OUTPUT, OPT_COLOR,	 OPT_FULL,
					     OPT_LINES,	 OPT_DEBUGINFOD, OPT_ALLOCATIONS,
					     OPT_LEAKS,	 OPT_TEMPORARY,	 OPT_RESIDENT,
					     OPT_JSON,	 OPT_HELP,	 OPT_COUNT };
static const enum option_id of_picture[] = { OPT_OUTPUT,      OPT_LINES, OPT_DEBUGINFOD,
					     OPT_ALLOCATIONS, OPT_LEAKS, OPT_TEMPORARY,
					     OPT_RESIDENT,    OPT_HELP,	 OPT_COUNT };

int report_style_for(const struct options *o, FILE *stream, struct report_style *ret,
		     struct problem *problem)
{
	struct winsize size = {};

	*ret = (struct report_style){ .utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8") };
	if (!ioctl(fileno(stream), TIOCGWINSZ, &size))
		ret->columns = size.ws_col;
	return options_colour(o, stream, &ret->colour, problem);
}

/* To a temporary name beside @path, then renamed: a reader sees the old file, the new one, never a
 * part. */
int report_to_file(const struct run *run, report_write_fn *write, const struct report_style *style,
		   const char *path, struct problem *problem)
{
	_cleanup_free_ char *temporary = NULL;
	FILE *file;
	int fd, err;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(temporary, O_CLOEXEC);
	file = fd < 0 ? NULL : fdopen(fd, "w+");
	if (!file)
		return problem_set(problem, -errno,
				   "write %.300s: %s; choose another place with -o", path,
				   strerror(errno));
	err = write(run, style, file);
	if (!err && (fchmod(fd, 0644) || fsync(fd)))
		err = -errno;
	if (fclose(file) && !err)
		err = -errno;
	if (!err && rename(temporary, path))
		err = -errno;
	if (err)
		unlink(temporary);
	return err ? problem_set(problem, err, "write %.300s: %s", path, strerror(-err)) : 0;
}

int report_open(int argc, char **argv, const enum option_id *allowed, struct options *o,
		struct run **ret, struct problem *problem)
{
	_cleanup_free_ char *error = NULL;
	int err = options_parse(argc, argv, allowed, false, o, problem);

	if (err || o->value[OPT_HELP])
		return err;
	if (o->rest_count != 1)
		return problem_set(problem, -EINVAL,
				   "%s: needs one run directory; see: taskdiag-bpf --help",
				   argv[0]);
	err = run_open(o->rest[0], ret, &error);
	if (err)
		problem_set(problem, -EIO, "%s", error ? error : strerror(-err));
	return err ? -EIO : 0;
}

static bool wants_lines(const struct options *o)
{
	return o->value[OPT_LINES] || o->value[OPT_DEBUGINFOD];
}

static void note_lines(void *context, const char *path, const char *cause)
{
	_cleanup_free_ char *safe_path = escape_terminal(path, false, 200);
	_cleanup_free_ char *safe_cause = escape_terminal(cause, false, 300);

	(void)context;
	fprintf(stderr, "taskdiag-bpf: lines of %s: %s\n", safe_path ? safe_path : "?",
		safe_cause ? safe_cause : "?");
}

/* @p gets the lines of its frames: another profile, or other allocations. */
static int add_lines_of(const struct options *o, struct inspect *inspect, struct profile **p)
{
	struct profile *with = NULL;
	int err = source_lines_add(*p, inspect, o->value[OPT_DEBUGINFOD], note_lines, NULL, &with);

	if (err)
		return err;
	profile_free(*p);
	*p = with;
	return 0;
}

static int add_lines_of_allocations(const struct options *o, struct inspect *inspect,
				    struct allocations **a)
{
	struct allocations *with = NULL;
	int err = alloc_lines_add(*a, inspect, o->value[OPT_DEBUGINFOD], note_lines, NULL, &with);

	if (err)
		return err;
	allocations_free(*a);
	*a = with;
	return 0;
}

/* Of what is going to be shown. */
static int add_lines(const struct options *o, struct run *run, bool allocations,
		     struct problem *problem)
{
	struct allocations **shown = run_allocations(run, o->value[OPT_RESIDENT]) == run->resident
					 ? &run->resident
					 : &run->allocations;
	struct inspect *inspect = NULL;
	int err;

	if (!wants_lines(o) || !(allocations ? (void *)*shown : (void *)run->profile))
		return 0;
	err = inspect_new(inspect_self, &inspect);
	if (!err)
		err = allocations ? add_lines_of_allocations(o, inspect, shown)
				  : add_lines_of(o, inspect, &run->profile);
	inspect_free(inspect);
	return err ? problem_set(problem, err, "read source lines: %s", strerror(-err)) : 0;
}

typedef int (*show_fn)(const struct options *o, struct run *run, struct problem *problem);

/* Of a verb that shows a profile, or allocations: these when they are asked for, or all there is.
 */
static int show_either(const char *of_allocations, const struct options *o, struct run *run,
		       show_fn show, struct problem *problem)
{
	bool allocations;
	int err = 0;

	if (allocations_asked(o) || !run->profile)
		err = allocations_load(run, problem);
	allocations = allocations_asked(o) || (!run->profile && run->allocations);
	if (!err)
		err = add_lines(o, run, allocations, problem);
	if (err)
		return err;
	return allocations ? allocations_show(of_allocations, o, run, problem)
			   : show(o, run, problem);
}

/* @of_allocations: a name of report_kinds; NULL: the verb does not show them. */
static int with_run(int argc, char **argv, const enum option_id *allowed, show_fn show,
		    const char *of_allocations)
{
	struct problem problem = {};
	struct options o;
	struct run *run = NULL;
	int err = report_open(argc, argv, allowed, &o, &run, &problem);

	if (!err && run && of_allocations)
		err = show_either(of_allocations, &o, run, show, &problem);
	else if (!err && run)
		err = show(&o, run, &problem);
	else if (!err)
		help_print(stdout);
	run_free(run);
	options_free(&o);
	return err ? complain(&problem, err == -EINVAL ? EXIT_USAGE : EXIT_REPORT) : 0;
}

static int show_summary(const struct options *o, struct run *run, struct problem *problem)
{
	struct report_style style;
	int err = report_style_for(o, stdout, &style, problem);

	if (!err)
		err = allocations_load(run, problem);
	if (err)
		return err;
	if (o->value[OPT_JSON])
		return json_dumpf(run->manifest, stdout, JSON_INDENT(2)) || puts("") < 0
			   ? problem_set(problem, -EIO, "write the summary: %s", strerror(EIO))
			   : 0;
	if (o->value[OPT_OUTPUT])
		return report_to_file(run, report_summary, &style, o->value[OPT_OUTPUT], problem);
	err = report_summary(run, &style, stdout);
	return err ? problem_set(problem, err, "write the summary: %s", strerror(-err)) : 0;
}

static int show_html(const struct options *o, struct run *run, struct problem *problem)
{
	const struct report_kind *html = report_find("html");
	const char *path = o->value[OPT_OUTPUT] ? o->value[OPT_OUTPUT] : html->default_file;
	int err = report_to_file(run, html->write, &(struct report_style){}, path, problem);

	if (!err)
		printf("%s\n", path);
	return err;
}

/* "x.svg" → "x.png"; "x" → "x.png" */
static char *png_name(const char *svg)
{
	size_t length = strlen(svg);
	char *name;

	if (length > 4 && !strcmp(svg + length - 4, ".svg"))
		length -= 4;
	return asprintf(&name, "%.*s.png", (int)length, svg) < 0 ? NULL : name;
}

static int show_plot(const struct options *o, struct run *run, struct problem *problem)
{
	const struct report_kind *plot = report_find("plot");
	const char *svg = o->value[OPT_OUTPUT] ? o->value[OPT_OUTPUT] : plot->default_file;
	_cleanup_free_ char *png = png_name(svg);
	struct problem without = {};
	int err = report_to_file(run, plot->write, &(struct report_style){}, svg, problem);

	if (err || !png)
		return err ? err : -ENOMEM;
	printf("%s\n", svg);
	err =
	    report_to_file(run, report_find("png")->write, &(struct report_style){}, png, &without);
	if (!err)
		printf("%s\n", png);
	else if (err == -ENOENT)
		fprintf(stderr,
			"taskdiag-bpf: %s: not made: gnuplot is not installed; apt install "
			"gnuplot-nox\n",
			png);
	else
		return problem_set(problem, err, "%s", without.text);
	return 0;
}

static int need_profile(const struct run *run, struct problem *problem)
{
	_cleanup_free_ char *absent = NULL;

	if (run->profile)
		return 0;
	absent = fact_profile_absent(run);
	return problem_set(problem, -ENODATA, "%s", absent ? absent : strerror(ENODATA));
}

/* To a screen, or with -o to a file. */
static int show_text(const char *kind, const struct options *o, const struct run *run,
		     struct problem *problem)
{
	report_write_fn *write = report_find(kind)->write;
	struct report_style style;
	FILE *out;
	int err = need_profile(run, problem);

	if (!err)
		err = report_style_for(o, stdout, &style, problem);
	if (err)
		return err;
	style.full = o->value[OPT_FULL];
	style.lines = wants_lines(o);
	if (o->value[OPT_OUTPUT])
		return report_to_file(run, write, &style, o->value[OPT_OUTPUT], problem);
	out = pager_begin();
	err = write(run, &style, out);
	err = pager_end(out, err);
	return err ? problem_set(problem, err, "write the %s: %s", kind, strerror(-err)) : 0;
}

static int show_tree(const struct options *o, struct run *run, struct problem *problem)
{
	return show_text("tree", o, run, problem);
}

static int show_top(const struct options *o, struct run *run, struct problem *problem)
{
	return show_text("top", o, run, problem);
}

static int show_flamegraph(const struct options *o, struct run *run, struct problem *problem)
{
	const struct report_kind *kind = report_find("flamegraph");
	const char *path = o->value[OPT_OUTPUT] ? o->value[OPT_OUTPUT] : kind->default_file;
	struct report_style style = { .utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8"),
				      .lines = wants_lines(o) };
	int err = need_profile(run, problem);

	if (!err)
		err = report_to_file(run, kind->write, &style, path, problem);
	if (!err)
		printf("%s\n", path);
	return err;
}

int cmd_summary(int argc, char **argv)
{
	return with_run(argc, argv, of_run, show_summary, NULL);
}

int cmd_plot(int argc, char **argv)
{
	return with_run(argc, argv, of_run, show_plot, NULL);
}

int cmd_html(int argc, char **argv)
{
	return with_run(argc, argv, of_run, show_html, NULL);
}

int cmd_tree(int argc, char **argv)
{
	return with_run(argc, argv, of_profile, show_tree, "tree --allocations");
}

int cmd_top(int argc, char **argv)
{
	return with_run(argc, argv, of_profile, show_top, "top --allocations");
}

int cmd_flamegraph(int argc, char **argv)
{
	return with_run(argc, argv, of_picture, show_flamegraph, "flamegraph --allocations");
}
