/* verdict_output.c - see verdict_output.h */
#include "cli/verdict_output.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "lib/cleanup.h"
#include "lib/identity.h"

#define KNOWN_FORMATS "text, markdown, junit, github, gitlab, json"

static const struct verdict_format *format_of(const struct options *o)
{
	return o->value[OPT_FORMAT] ? verdict_format_find(o->value[OPT_FORMAT]) : verdict_formats;
}

/* "junit=FILE" → the format and FILE; NULL: it is not known. */
static const struct verdict_format *report_of(const char *text, const char **ret_path)
{
	const char *equals = strchr(text, '=');
	_cleanup_free_ char *name = equals ? strndup(text, (size_t)(equals - text)) : NULL;

	*ret_path = equals ? equals + 1 : "";
	return name ? verdict_format_find(name) : NULL;
}

int verdict_output_check(const struct options *o, struct problem *problem)
{
	const char *path;

	if (!format_of(o))
		return problem_set(problem, -EINVAL,
				   "--format %.64s: not known; there is: " KNOWN_FORMATS,
				   o->value[OPT_FORMAT]);
	for (size_t i = 0; i < o->given_count; i++)
		if (o->given[i].id == OPT_REPORT &&
		    (!report_of(o->given[i].value, &path) || !*path))
			return problem_set(problem, -EINVAL,
					   "--report %.200s: not FORMAT=FILE, FORMAT one "
					   "of: " KNOWN_FORMATS,
					   o->given[i].value);
	return 0;
}

/* A regular file of a sane size, without a NUL in it. */
static int read_budget(const char *path, char **ret, struct problem *problem)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *text = calloc(1, BUDGET_TEXT_MAX + 2);
	size_t n;

	if (!file || !text)
		return problem_set(problem, -EINVAL, "--budget %.300s: %s", path, strerror(errno));
	n = fread(text, 1, BUDGET_TEXT_MAX + 1, file);
	if (ferror(file))
		return problem_set(problem, -EINVAL, "--budget %.300s: %s", path, strerror(errno));
	if (n > BUDGET_TEXT_MAX)
		return problem_set(problem, -EINVAL, "--budget %.300s: larger than 1 MiB", path);
	if (memchr(text, 0, n))
		return problem_set(problem, -EINVAL,
				   "--budget %.300s: not a text: it has a NUL byte", path);
	*ret = take_ptr(text);
	return 0;
}

int verdict_budget(const struct options *o, const char *verb, struct budget **ret,
		   struct problem *problem)
{
	const char *path = o->value[OPT_BUDGET];
	_cleanup_free_ char *text = NULL, *error = NULL;
	int err;

	if (!path)
		return problem_set(problem, -EINVAL,
				   "%s: needs --budget FILE, such as one with: [task] and "
				   "peak-rss = 512M",
				   verb);
	err = read_budget(path, &text, problem);
	if (!err && budget_parse(text, path, ret, &error))
		err = problem_set(problem, -EINVAL, "%s", error ? error : strerror(ENOMEM));
	return err;
}

/* To a temporary name beside @path, then renamed; a file of the user behind sudo. */
static int write_file(const struct verdict_format *format, const struct verdicts *v,
		      const char *path)
{
	_cleanup_free_ char *temporary = NULL;
	FILE *file;
	int fd, err;

	if (!strcmp(path, "-"))
		return format->write(v, stdout);
	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(temporary, O_CLOEXEC);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		return -errno;
	err = format->write(v, file);
	if (!err && fchmod(fd, 0644))
		err = -errno;
	if (fclose(file) && !err)
		err = -errno;
	if (!err && rename(temporary, path))
		err = -errno;
	if (err)
		unlink(temporary);
	return err;
}

static bool is_github(const struct options *o)
{
	const char *path;
	bool is = format_of(o)->write == verdict_github;

	for (size_t i = 0; i < o->given_count; i++)
		if (o->given[i].id == OPT_REPORT)
			is |= report_of(o->given[i].value, &path)->write == verdict_github;
	return is;
}

static int add_summary(const struct options *o, const struct verdicts *v, struct problem *problem)
{
	const char *path = getenv("GITHUB_STEP_SUMMARY");
	FILE *file;
	int err;

	if (!path || !*path || !is_github(o))
		return 0;
	file = fopen(path, "ae");
	err = file ? verdict_markdown(v, file) : -errno;
	if (file && fclose(file) && !err)
		err = -errno;
	return err ? problem_set(problem, -EIO, "GITHUB_STEP_SUMMARY %.300s: %s", path,
				 strerror(-err))
		   : 0;
}

/* A job has no locale more often than not, and its log is UTF-8 all the same. */
static void write_utf8(void)
{
	if (!strcmp(nl_langinfo(CODESET), "ANSI_X3.4-1968"))
		setlocale(LC_CTYPE, "C.UTF-8");
}

int verdict_output(const struct options *o, const struct verdicts *v, FILE *out,
		   struct problem *problem)
{
	struct identity user;
	struct problem ignored = {};
	bool known = !identity_invoking(&user, &ignored);
	int err, result = 0;

	write_utf8();
	err = format_of(o)->write(v, out);
	if (err || fflush(out))
		result = problem_set(problem, -EIO, "write the verdicts: %s",
				     strerror(err ? -err : errno));
	if (known)
		identity_files_begin(&user);
	for (size_t i = 0; i < o->given_count; i++) {
		const struct verdict_format *format;
		const char *path;

		if (o->given[i].id != OPT_REPORT)
			continue;
		format = report_of(o->given[i].value, &path);
		err = write_file(format, v, path);
		if (err)
			result = problem_set(problem, -EIO, "--report %.300s: %s",
					     o->given[i].value, strerror(-err));
	}
	if (add_summary(o, v, problem))
		result = -EIO;
	if (known)
		identity_files_end();
	return result;
}

int verdict_exit(const struct verdicts *v)
{
	static const int statuses[VERDICT_STATES] = {
		[VERDICT_OVER] = EXIT_OVER,
		[VERDICT_UNMEASURABLE] = EXIT_UNMEASURABLE,
	};

	return statuses[verdicts_worst(v)];
}
