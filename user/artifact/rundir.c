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
	r->parent = r->fd = -1;
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

FILE *rundir_begin(struct rundir *r, const char *name, struct problem *problem)
{
	char temporary[sizeof(r->artifact) + 8];
	FILE *file = NULL;
	int fd, err;

	snprintf(r->artifact, sizeof(r->artifact), "%s", name);
	snprintf(temporary, sizeof(temporary), ".%s.tmp", r->artifact);
	identity_files_begin(&r->owner);
	fd = openat(r->fd, temporary, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
	err = -errno;
	if (fd >= 0 && fchmod(fd, 0640)) /* whatever the umask */
		err = -errno;
	identity_files_end();
	if (fd >= 0)
		file = fdopen(fd, "w+");
	if (!file)
		write_problem(r, name, err, problem);
	return file;
}

/* Of the file as it lies on disk. */
static int digest(FILE *file, char hex[SHA256_DIGEST_STRING_LENGTH], json_int_t *ret_bytes)
{
	unsigned char chunk[16384];
	SHA2_CTX context;
	size_t n;

	SHA256Init(&context);
	*ret_bytes = 0;
	rewind(file);
	while ((n = fread(chunk, 1, sizeof(chunk), file))) {
		SHA256Update(&context, chunk, n);
		*ret_bytes += n;
	}
	SHA256End(&context, hex);
	return ferror(file) ? -EIO : 0;
}

static int settle(struct rundir *r, FILE *file, char hex[SHA256_DIGEST_STRING_LENGTH],
		  json_int_t *ret_bytes)
{
	char temporary[sizeof(r->artifact) + 8];
	int err;

	errno = 0;
	if (fflush(file) || ferror(file) || fsync(fileno(file)))
		return errno ? -errno : -EIO;
	err = digest(file, hex, ret_bytes);
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
	fclose(file);
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
