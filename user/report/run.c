/* run.c - run directory → struct run (see run.h). */
#include "report/run.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/alloc_pprof.h"
#include "report/pprof.h"

/* Sets *ret_error to "WHERE: what was printed" and returns @err. */
static __attribute__((format(printf, 4, 5))) int fail(const struct run *r, int err,
						      char **ret_error, const char *format, ...)
{
	_cleanup_free_ char *cause = NULL, *line = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&cause, format, args) < 0)
		cause = NULL;
	va_end(args);
	if (!cause || asprintf(&line, "%.300s: %s", r->path ? r->path : "run", cause) < 0)
		line = NULL;
	*ret_error = line ? escape_terminal(line, false, 1000) : NULL;
	return err;
}

/* @f: the file @name of the run. */
static int read_open_file(const struct run *r, FILE *f, const char *name, size_t max, char **ret,
			  size_t *ret_size, char **ret_error)
{
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t n;

	if (fstat(fileno(f), &st) < 0)
		return fail(r, -errno, ret_error, "%s: %s", name, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(r, -EINVAL, ret_error,
			    "%s is not a regular file; name another run directory", name);
	if ((size_t)st.st_size > max)
		return fail(r, -EFBIG, ret_error,
			    "%s has %lld bytes, at most %zu are read; is this a run?", name,
			    (long long)st.st_size, max);
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return fail(r, -ENOMEM, ret_error, "%s: no memory", name);
	n = fread(text, 1, (size_t)st.st_size, f);
	if (ferror(f))
		return fail(r, -EIO, ret_error, "%s: cannot be read: %s", name, strerror(errno));
	text[n] = '\0';
	*ret_size = n;
	*ret = take_ptr(text);
	return 0;
}

/* -ENOENT leaves *ret_error NULL: the caller knows what absence means. */
static int read_file(const struct run *r, const char *name, size_t max, char **ret,
		     size_t *ret_size, char **ret_error)
{
	_cleanup_fclose_ FILE *f = NULL;
	int fd;

	/* NOFOLLOW: a name in a hostile directory must not lead out of it; NONBLOCK: nor a FIFO
	 * stop us */
	fd = openat(r->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 && errno == ELOOP)
		return fail(r, -ELOOP, ret_error,
			    "%s is a symbolic link; name the run directory itself", name);
	if (fd < 0)
		return fail(r, -errno, ret_error, "%s: %s", name, strerror(errno));
	f = fdopen(fd, "r");
	if (!f) {
		close(fd);
		return fail(r, -ENOMEM, ret_error, "%s: no memory", name);
	}
	return read_open_file(r, f, name, max, ret, ret_size, ret_error);
}

/* As read_file(); *ret has no NUL inside. */
static int read_text(const struct run *r, const char *name, size_t max, char **ret,
		     char **ret_error)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int err = read_file(r, name, max, &text, &size, ret_error);

	if (err)
		return err;
	if (strlen(text) != size)
		return fail(r, -EINVAL, ret_error, "%s: damaged (NUL byte); make the run again",
			    name);
	*ret = take_ptr(text);
	return 0;
}

static int check_format(const struct run *r, char **ret_error)
{
	json_t *format = json_object_get(r->manifest, "format");

	if (!json_is_object(r->manifest))
		return fail(r, -EINVAL, ret_error,
			    "manifest.json is not a JSON object; make the run again");
	if (!json_is_integer(format))
		return fail(r, -EINVAL, ret_error,
			    "manifest.json has no format number: not a run of taskdiag-bpf; "
			    "name another directory");
	if (json_integer_value(format) != RUN_FORMAT)
		return fail(r, -EPROTONOSUPPORT, ret_error,
			    "manifest.json: format %" JSON_INTEGER_FORMAT
			    " is not known (this version reads %d); "
			    "use the taskdiag-bpf version that made the run",
			    json_integer_value(format), RUN_FORMAT);
	return 0;
}

static int load_manifest(struct run *r, char **ret_error)
{
	_cleanup_free_ char *text = NULL;
	json_error_t error;
	int err;

	err = read_text(r, "manifest.json", RUN_MANIFEST_MAX, &text, ret_error);
	if (err == -ENOENT)
		return fail(r, err, ret_error,
			    "no manifest.json: not a run directory, or the run was not finished; "
			    "name a directory that taskdiag-bpf made");
	if (err)
		return err;
	r->manifest = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!r->manifest)
		return fail(r, -EINVAL, ret_error, "manifest.json line %d: %s; make the run again",
			    error.line, error.text);
	return 0;
}

static bool names_artifact(const struct run *r, const char *name)
{
	const char *listed;
	json_t *artifact;
	size_t i;

	json_array_foreach(json_object_get(r->manifest, "artifacts"), i, artifact)
	{
		listed = run_member_string(artifact, "name");
		if (listed && !strcmp(listed, name))
			return true;
	}
	return false;
}

/* A run whose memory diagnostic failed has no memory.csv: no rows. */
static int load_rows(struct run *r, char **ret_error)
{
	_cleanup_free_ char *text = NULL, *cause = NULL;
	int err;

	err = read_text(r, "memory.csv", RUN_CSV_MAX, &text, ret_error);
	if (err == -ENOENT && !names_artifact(r, "memory.csv"))
		return 0;
	if (err == -ENOENT)
		return fail(r, err, ret_error,
			    "memory.csv is missing though the manifest names it; copy the whole "
			    "directory again");
	if (err)
		return err;
	err = rows_parse(text, &r->rows, &r->n_rows, &cause);
	if (err)
		return fail(r, err, ret_error, "memory.csv %s; make the run again",
			    cause ? cause : "no memory");
	return 0;
}

/* -ENOENT without an error: neither there nor promised by the manifest. */
static int read_artifact(const struct run *r, const char *name, char **ret, size_t *ret_size,
			 char **ret_error)
{
	int err = read_file(r, name, PPROF_FILE_MAX, ret, ret_size, ret_error);

	if (err != -ENOENT || !names_artifact(r, name))
		return err;
	return fail(r, err, ret_error,
		    "%s is missing though the manifest names it; copy the whole directory again",
		    name);
}

/* No profile was asked for, or none could be made: no file. */
static int load_profile(struct run *r, char **ret_error)
{
	static const char name[] = "profile.pb.gz";
	double slice_ns = run_number(r, "diagnostics.profile.slice_ns");
	_cleanup_free_ char *bytes = NULL;
	const char *cause;
	size_t size;
	int err = read_artifact(r, name, &bytes, &size, ret_error);

	if (err)
		return err == -ENOENT && !*ret_error ? 0 : err;
	err = pprof_read(bytes, size, slice_ns >= 1 ? (uint64_t)slice_ns : 0, &r->profile, &cause);
	return err ? fail(r, err, ret_error, "%s %s; make the run again", name, cause) : 0;
}

static int load_allocations(const struct run *r, const char *name, struct allocations **ret,
			    char **ret_error)
{
	_cleanup_free_ char *bytes = NULL;
	const char *cause;
	size_t size;
	int err = read_artifact(r, name, &bytes, &size, ret_error);

	if (err)
		return err == -ENOENT && !*ret_error ? 0 : err;
	err = alloc_pprof_read(bytes, size, ret, &cause);
	return err ? fail(r, err, ret_error, "%s %s; make the run again", name, cause) : 0;
}

int run_load_allocations(struct run *r, char **ret_error)
{
	int err = 0;

	*ret_error = NULL;
	if (!r->allocations)
		err = load_allocations(r, "allocations.pb.gz", &r->allocations, ret_error);
	if (!err && !r->resident)
		err = load_allocations(r, "resident.pb.gz", &r->resident, ret_error);
	return err;
}

struct allocations *run_allocations(const struct run *r, bool resident)
{
	if (!resident || (r->allocations && allocations_facts(r->allocations)->resident))
		return r->allocations;
	return r->resident;
}

/* Takes over @dirfd. */
static int open_run(const char *path, int dirfd, json_t *manifest, struct run **ret,
		    char **ret_error)
{
	struct run *r = calloc(1, sizeof(*r));
	int err;

	if (!r) {
		close(dirfd);
		return -ENOMEM;
	}
	r->dirfd = dirfd;
	r->path = path ? strdup(path) : NULL;
	r->manifest = json_incref(manifest);
	err = manifest ? 0 : load_manifest(r, ret_error);
	if (!err)
		err = check_format(r, ret_error);
	if (!err)
		err = load_rows(r, ret_error);
	if (!err)
		err = load_profile(r, ret_error);
	if (err) {
		run_free(r);
		return err;
	}
	*ret = r;
	return 0;
}

int run_open(const char *path, struct run **ret, char **ret_error)
{
	struct run named = { .path = (char *)path };
	int fd;

	*ret_error = NULL;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return fail(&named, -ENOENT, ret_error,
			    "no such directory; name the directory of a run");
	if (fd < 0 && errno == ENOTDIR)
		return fail(&named, -ENOTDIR, ret_error,
			    "not a directory; name the directory of a run");
	if (fd < 0)
		return fail(&named, -errno, ret_error, "cannot be opened: %s", strerror(errno));
	return open_run(path, fd, NULL, ret, ret_error);
}

int run_open_at(int dirfd, json_t *manifest, struct run **ret, char **ret_error)
{
	int fd;

	*ret_error = NULL;
	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(&(struct run){ .dirfd = dirfd }, -errno, ret_error, "directory: %s",
			    strerror(errno));
	return open_run(NULL, fd, manifest, ret, ret_error);
}

void run_free(struct run *r)
{
	if (!r)
		return;
	free(r->path);
	if (r->dirfd >= 0)
		close(r->dirfd);
	json_decref(r->manifest);
	free(r->rows);
	profile_free(r->profile);
	allocations_free(r->allocations);
	allocations_free(r->resident);
	free(r);
}

json_t *run_get(const struct run *r, const char *path)
{
	json_t *value = r->manifest;
	const char *end;
	char key[64];

	for (; value && *path; path = *end ? end + 1 : end) {
		end = path + strcspn(path, ".");
		if (snprintf(key, sizeof(key), "%.*s", (int)(end - path), path) >= (int)sizeof(key))
			return NULL;
		value = json_object_get(value, key);
	}
	return value;
}

static double sane_number(const json_t *value)
{
	double v = json_is_number(value) ? json_number_value(value) : NAN;

	return fabs(v) <= RUN_NUMBER_MAX ? v : NAN;
}

const char *run_string(const struct run *r, const char *path)
{
	return json_string_value(run_get(r, path));
}

double run_number(const struct run *r, const char *path)
{
	return sane_number(run_get(r, path));
}

const char *run_member_string(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

double run_member_number(const json_t *object, const char *key)
{
	return sane_number(json_object_get(object, key));
}
