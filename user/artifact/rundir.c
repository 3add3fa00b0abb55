/* rundir.c - see rundir.h */
#include "artifact/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/escape.h"

#define PARTIAL ".taskdiag-partial"
#define MANIFEST "manifest.json"

struct rundir {
	char *path;
	char *name; /* last component */
	char *partial;
	int parent, fd;
	struct identity owner;
	json_t *artifacts;
	char artifact[64]; /* the one that is being written */
	int artifact_fd, artifact_err;
	bool made, committed;
};

/* Files only: a partial directory of ours has no directories in it. */
static void remove_flat(int parent, const char *name, int fd)
{
	struct dirent *entry;
	int copy = dup(fd);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);

	if (dir) {
		rewinddir(dir);
		while ((entry = readdir(dir)))
			if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
				unlinkat(fd, entry->d_name, 0);
		closedir(dir);
	} else if (copy >= 0) {
		close(copy);
	}
	unlinkat(parent, name, AT_REMOVEDIR);
}

static bool is_partial(const char *name)
{
	size_t length = strlen(name), tail = strlen(PARTIAL);

	return name[0] == '.' && length > tail + 1 && !strcmp(name + length - tail, PARTIAL);
}

/* Removes what killed observers of @owner have left in @parent. */
static void sweep(int parent, uid_t owner)
{
	int copy = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_close_ int fd = -1;
		struct stat st;

		if (!is_partial(entry->d_name))
			continue;
		fd = openat(parent, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && !fstat(fd, &st) && st.st_uid == owner &&
		    !flock(fd, LOCK_EX | LOCK_NB))
			remove_flat(parent, entry->d_name, fd);
	}
	if (dir)
		closedir(dir);
	else if (copy >= 0)
		close(copy);
}

static int split(struct rundir *r, const char *path, char **ret_parent)
{
	size_t length = strlen(path);
	const char *slash;

	while (length > 1 && path[length - 1] == '/')
		length--;
	r->path = strndup(path, length);
	if (!r->path)
		return -ENOMEM;
	slash = strrchr(r->path, '/');
	r->name = strdup(slash ? slash + 1 : r->path);
	*ret_parent = !slash		 ? strdup(".")
		      : slash == r->path ? strdup("/")
					 : strndup(r->path, slash - r->path);
	if (!r->name || !*ret_parent)
		return -ENOMEM;
	if (!r->name[0] || !strcmp(r->name, ".") || !strcmp(r->name, ".."))
		return -EINVAL;
	return asprintf(&r->partial, ".%s" PARTIAL, r->name) < 0 ? -ENOMEM : 0;
}

/* An empty directory may be taken over: rename(2) replaces it. */
static int check_free(struct rundir *r)
{
	struct stat st;
	struct dirent *entry;
	int fd, entries = 0;
	DIR *dir;

	if (fstatat(r->parent, r->name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	fd = openat(r->parent, r->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return -EEXIST;
	}
	while ((entry = readdir(dir)))
		entries++;
	closedir(dir);
	return entries > 2 ? -EEXIST : 0;
}

/* -EAGAIN: between mkdir and flock the sweep of another run has taken it for a stale one. */
static int make_partial(struct rundir *r)
{
	struct stat st;

	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	if (mkdirat(r->parent, r->partial, 0750))
		return errno == EEXIST ? -EBUSY : -errno;
	r->fd = openat(r->parent, r->partial, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r->fd < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	if (flock(r->fd, LOCK_EX) || fstat(r->fd, &st)) /* waits for a sweep to be through */
		return -errno;
	if (!st.st_nlink)
		return -EAGAIN;
	r->made = true;
	return fchmod(r->fd, 0750) ? -errno : 0;
}

static int make(struct rundir *r, const char *parent)
{
	int err;

	r->parent = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->parent < 0)
		return -errno;
	sweep(r->parent, r->owner.uid);
	err = check_free(r);
	if (err)
		return err;
	do
		err = make_partial(r);
	while (err == -EAGAIN);
	return err;
}

static int new_problem(const struct rundir *r, const char *path, int err, struct problem *problem)
{
	const char *user = r->owner.name[0] ? r->owner.name : "this user";

	if (err == -EEXIST)
		return problem_set(problem, err,
				   "output %.300s: exists and is not empty; choose another with -o",
				   path);
	if (err == -EBUSY)
		return problem_set(
		    problem, err,
		    "output %.300s: another run is writing it; choose another with -o", path);
	if (err == -EACCES)
		return problem_set(
		    problem, err,
		    "output %.300s: %s may not write there; choose another place with -o", path,
		    user);
	return problem_set(problem, err, "output %.300s: %s; choose another place with -o", path,
			   strerror(-err));
}

int rundir_new(const char *path, const struct identity *owner, struct rundir **ret,
	       struct problem *problem)
{
	_cleanup_free_ char *parent = NULL;
	struct rundir *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->parent = r->fd = r->artifact_fd = -1;
	r->owner = *owner;
	r->artifacts = json_array();
	err = r->artifacts ? split(r, path, &parent) : -ENOMEM;
	if (!err) {
		identity_files_begin(owner);
		err = make(r, parent);
		identity_files_end();
	}
	if (err) {
		new_problem(r, path, err, problem);
		rundir_free(r);
		return err;
	}
	*ret = r;
	return 0;
}

void rundir_free(struct rundir *r)
{
	if (!r)
		return;
	if (r->made && !r->committed && r->fd >= 0) {
		identity_files_begin(&r->owner);
		remove_flat(r->parent, r->partial, r->fd);
		identity_files_end();
	}
	if (r->fd >= 0)
		close(r->fd);
	if (r->artifact_fd >= 0)
		close(r->artifact_fd);
	if (r->parent >= 0)
		close(r->parent);
	json_decref(r->artifacts);
	free(r->path);
	free(r->name);
	free(r->partial);
	free(r);
}

const char *rundir_path(const struct rundir *r)
{
	return r->path;
}

int rundir_fd(const struct rundir *r)
{
	return r->fd;
}

static int write_problem(const struct rundir *r, const char *name, int err, struct problem *problem)
{
	return problem_set(problem, err, "write %.300s/%s: %s", r->path, name, strerror(-err));
}

static int open_artifact(struct rundir *r)
{
	char temporary[sizeof(r->artifact) + 8];
	int err = 0;

	snprintf(temporary, sizeof(temporary), ".%s.tmp", r->artifact);
	identity_files_begin(&r->owner);
	r->artifact_fd =
	    openat(r->fd, temporary, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (r->artifact_fd < 0 || fchmod(r->artifact_fd, 0640)) /* whatever the umask */
		err = -errno;
	identity_files_end();
	return err;
}

/* The stream's own write: it keeps the cause of the first failure, which stdio forgets. */
static ssize_t write_artifact(void *context, const char *data, size_t bytes)
{
	struct rundir *r = context;
	size_t done = 0;

	while (done < bytes && !r->artifact_err) {
		ssize_t n = write(r->artifact_fd, data + done, bytes - done);

		if (n < 0 && errno != EINTR)
			r->artifact_err = -errno;
		else if (n > 0)
			done += n;
	}
	return r->artifact_err ? 0 : (ssize_t)done;
}

FILE *rundir_begin(struct rundir *r, const char *name, struct problem *problem)
{
	const cookie_io_functions_t functions = { .write = write_artifact };
	FILE *file = NULL;
	int err;

	snprintf(r->artifact, sizeof(r->artifact), "%s", name);
	r->artifact_err = 0;
	err = open_artifact(r);
	if (!err)
		file = fopencookie(r, "w", functions);
	if (!file)
		write_problem(r, name, err ? err : -ENOMEM, problem);
	return file;
}

/* Of the file as it lies on disk. */
static int digest(int fd, char hex[SHA256_DIGEST_STRING_LENGTH], json_int_t *ret_bytes)
{
	unsigned char chunk[16384];
	SHA2_CTX context;
	ssize_t n;

	SHA256Init(&context);
	*ret_bytes = 0;
	while ((n = pread(fd, chunk, sizeof(chunk), *ret_bytes)) > 0) {
		SHA256Update(&context, chunk, n);
		*ret_bytes += n;
	}
	SHA256End(&context, hex);
	return n < 0 ? -errno : 0;
}

static int settle(struct rundir *r, FILE *file, char hex[SHA256_DIGEST_STRING_LENGTH],
		  json_int_t *ret_bytes)
{
	char temporary[sizeof(r->artifact) + 8];
	int err = ferror(file) ? -EIO : 0;

	if (fclose(file) && !err)
		err = -EIO;
	if (r->artifact_err)
		err = r->artifact_err;
	if (!err && fsync(r->artifact_fd))
		err = -errno;
	if (!err)
		err = digest(r->artifact_fd, hex, ret_bytes);
	close(r->artifact_fd);
	r->artifact_fd = -1;
	if (err)
		return err;
	snprintf(temporary, sizeof(temporary), ".%s.tmp", r->artifact);
	/* rename, not link: a reader sees the whole artifact or none */
	return renameat(r->fd, temporary, r->fd, r->artifact) ? -errno : 0;
}

int rundir_end(struct rundir *r, FILE *file, struct problem *problem)
{
	char hex[SHA256_DIGEST_STRING_LENGTH];
	json_int_t bytes = 0;
	int err;

	identity_files_begin(&r->owner);
	err = settle(r, file, hex, &bytes);
	identity_files_end();
	if (err)
		return write_problem(r, r->artifact, err, problem);
	if (strcmp(r->artifact, MANIFEST) &&
	    json_array_append_new(r->artifacts, json_pack("{s:s, s:I, s:s}", "name", r->artifact,
							  "bytes", bytes, "sha256", hex)))
		return -ENOMEM;
	return 0;
}

static int publish(struct rundir *r)
{
	if (fsync(r->fd) || renameat(r->parent, r->partial, r->parent, r->name))
		return -errno;
	r->committed = true;
	return fsync(r->parent) && errno != EINVAL ? -errno : 0;
}

json_t *rundir_artifacts(const struct rundir *r)
{
	return r->artifacts;
}

int rundir_commit(struct rundir *r, json_t *manifest, struct problem *problem)
{
	FILE *file;
	int err;

	if (json_object_set(manifest, "artifacts", r->artifacts))
		return -ENOMEM;
	file = rundir_begin(r, MANIFEST, problem);
	if (!file)
		return -EIO;
	json_dumpf(manifest, file,
		   JSON_INDENT(2) | JSON_REAL_PRECISION(15)); /* its errors stay with the stream */
	fputc('\n', file);
	err = rundir_end(r, file, problem);
	if (err)
		return err;
	identity_files_begin(&r->owner);
	err = publish(r);
	identity_files_end();
	if (err == -EEXIST || err == -ENOTEMPTY || err == -ENOTDIR)
		return problem_set(problem, err, "output %.300s: appeared while the run went on",
				   r->path);
	return err ? write_problem(r, "", err, problem) : 0;
}

json_t *json_text(const char *s)
{
	_cleanup_free_ char *text = escape_utf8(s);

	return text ? json_string(text) : NULL;
}
