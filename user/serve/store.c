/* store.c - see store.h */
#include "serve/store.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "serve/store_private.h"

#define MANIFEST_MAX (64u << 20)
#define BLOCK_BYTES 512 /* of st_blocks */

static bool is_name(const char *s, size_t max, const char *also, bool first_dot)
{
	size_t n = 0;

	if (!isalnum((unsigned char)s[0]) && !(first_dot && s[0] == '.'))
		return false;
	for (; s[n]; n++)
		if (n == max || (!isalnum((unsigned char)s[n]) && !strchr(also, s[n])))
			return false;
	return true;
}

bool task_id_is_valid(const char *id)
{
	return is_name(id, TASK_ID_MAX, "_-", false);
}

bool artifact_name_is_valid(const char *name)
{
	return is_name(name, ARTIFACT_NAME_MAX, "_-.", false);
}

int store_openat(int dir, const char *path, int flags)
{
	const struct open_how how = {
		.flags = flags | O_CLOEXEC | O_NOFOLLOW,
		.resolve =
		    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	int fd;

	do
		fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
	while (fd < 0 && (errno == EAGAIN || errno == EINTR)); /* a rename went on meanwhile */
	return fd < 0 ? -errno : fd;
}

void store_name(const char *id, bool partial, char ret[STORE_NAME_MAX])
{
	snprintf(ret, STORE_NAME_MAX, "%.*s%s", TASK_ID_MAX, id, partial ? STORE_PARTIAL : "");
}

static int open_in(struct store *s, bool writer, struct problem *problem)
{
	if (writer && mkdirat(s->fd, "runs", 0750) && errno != EEXIST)
		return problem_set(problem, -errno, "state %.300s/runs: %s", s->path,
				   strerror(errno));
	s->runs = store_openat(s->fd, "runs", O_RDONLY | O_DIRECTORY);
	if (s->runs < 0)
		return problem_set(problem, s->runs, "state %.300s/runs: %s", s->path,
				   strerror(-s->runs));
	if (writer)
		store_sweep(s);
	return 0;
}

static int make_path(const char *path)
{
	_cleanup_free_ char *part = strdup(path);

	if (!part)
		return -ENOMEM;
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(part, 0755) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(path, 0750) && errno != EEXIST ? -errno : 0;
}

static struct store *store_alloc(const char *path)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->fd = s->runs = -1;
	s->path = strdup(path);
	if (!s->path) {
		free(s);
		return NULL;
	}
	return s;
}

int store_open(const char *path, bool writer, struct store **ret, struct problem *problem)
{
	struct store *s = store_alloc(path);
	int err = s ? 0 : -ENOMEM;

	if (!err && writer)
		err = make_path(path);
	if (!err) {
		s->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = s->fd < 0 ? -errno : 0;
	}
	if (err)
		problem_set(problem, err, "state %.300s: %s", path, strerror(-err));
	else
		err = open_in(s, writer, problem);
	if (err) {
		store_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

int store_open_at(int dirfd, struct store **ret, struct problem *problem)
{
	struct store *s = store_alloc("");
	int err = s ? 0 : -ENOMEM;

	if (!err) {
		s->fd = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
		err = s->fd < 0 ? -errno : open_in(s, false, problem);
	}
	if (err) {
		store_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	if (s->runs >= 0)
		close(s->runs);
	free(s->path);
	free(s);
}

int store_share(const struct store *s, gid_t group)
{
	if (fchown(s->fd, -1, group) || fchmod(s->fd, 0750) || fchown(s->runs, -1, group) ||
	    fchmod(s->runs, 0750))
		return -errno;
	return 0;
}

gid_t store_group(const struct store *s)
{
	struct stat st;

	return fstat(s->runs, &st) ? getegid() : st.st_gid;
}

int store_fd(const struct store *s)
{
	return s->fd;
}

int store_runs(const struct store *s)
{
	return s->runs;
}

const char *store_path(const struct store *s)
{
	return s->path;
}

/* All of a regular file, one NUL behind it. */
static int read_whole(int fd, char **ret, size_t *ret_size)
{
	struct stat st;
	size_t done = 0;
	char *text;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > MANIFEST_MAX)
		return -ENOENT;
	text = malloc(st.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (done < (size_t)st.st_size) {
		ssize_t n = pread(fd, text + done, st.st_size - done, done);

		if (n <= 0)
			break;
		done += n;
	}
	text[done] = 0;
	*ret = text;
	*ret_size = done;
	return 0;
}

int store_manifest_at(int dir, json_t **ret)
{
	_cleanup_close_ int fd = store_openat(dir, STORE_MANIFEST, O_RDONLY | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int err;

	if (fd < 0)
		return fd == -ELOOP || fd == -EXDEV ? -ENOENT : fd;
	err = read_whole(fd, &text, &size);
	if (err)
		return err;
	*ret = json_loadb(text, size, 0, NULL);
	if (!json_is_object(*ret)) {
		json_decref(*ret);
		*ret = NULL;
		return -ENOENT; /* torn: none */
	}
	return 0;
}

static int open_run(const struct store *s, const char *id, bool partial)
{
	char name[STORE_NAME_MAX];

	if (!task_id_is_valid(id))
		return -ENOENT;
	store_name(id, partial, name);
	return store_openat(s->runs, name, O_RDONLY | O_DIRECTORY);
}

int store_manifest(const struct store *s, const char *id, bool partial, json_t **ret)
{
	_cleanup_close_ int dir = open_run(s, id, partial);

	return dir < 0 ? dir : store_manifest_at(dir, ret);
}

/* The row of manifest.json's list. */
static const json_t *listed(const json_t *manifest, const char *name)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(manifest, "artifacts"), i, row)
	{
		const char *its = json_string_value(json_object_get(row, "name"));

		if (its && !strcmp(its, name))
			return row;
	}
	return NULL;
}

/* What the manifest is, nobody can say but the file itself. */
static int manifest_file(int dir, int *ret_fd, uint64_t *ret_bytes)
{
	struct stat st;
	int fd = store_openat(dir, STORE_MANIFEST, O_RDONLY | O_NONBLOCK);

	if (fd < 0)
		return -ENOENT;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_nlink != 1) {
		close(fd);
		return -ENOENT;
	}
	*ret_fd = fd;
	*ret_bytes = st.st_size;
	return 0;
}

int store_artifact(const struct store *s, const char *id, bool partial, const char *name,
		   int *ret_fd, uint64_t *ret_bytes, char ret_sha256[65])
{
	_cleanup_close_ int dir = open_run(s, id, partial), fd = -1;
	json_t *manifest = NULL;
	const char *digest;
	const json_t *row;
	struct stat st;
	int err = dir < 0 ? dir : 0;

	if (err || !artifact_name_is_valid(name))
		return err == -EMFILE || err == -ENFILE ? err : -ENOENT;
	ret_sha256[0] = 0;
	if (!strcmp(name, STORE_MANIFEST))
		return manifest_file(dir, ret_fd, ret_bytes);
	err = store_manifest_at(dir, &manifest);
	if (err)
		return err;
	row = listed(manifest, name);
	fd = row ? store_openat(dir, name, O_RDONLY | O_NONBLOCK) : -1;
	digest = json_string_value(json_object_get(row, "sha256"));
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_nlink != 1 ||
	    st.st_size != json_integer_value(json_object_get(row, "bytes")))
		err = -ENOENT;
	else
		*ret_bytes = st.st_size;
	if (digest && strlen(digest) == 64)
		strcpy(ret_sha256, digest);
	json_decref(manifest);
	if (!err)
		*ret_fd = take_fd(&fd);
	return err;
}

int store_each(const struct store *s, int (*fn)(void *context, const char *id), void *context)
{
	int copy = openat(s->runs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!dir)
		return -errno;
	while (!ret && (entry = readdir(dir))) {
		_cleanup_close_ int run = -1;
		struct stat st;

		if (!task_id_is_valid(entry->d_name))
			continue;
		run = open_run(s, entry->d_name, false);
		if (run >= 0 && !fstatat(run, STORE_MANIFEST, &st, AT_SYMLINK_NOFOLLOW) &&
		    S_ISREG(st.st_mode))
			ret = fn(context, entry->d_name);
	}
	closedir(dir);
	return ret;
}

int store_rename(struct store *s, const char *id, const char *to)
{
	if (!task_id_is_valid(id) || !task_id_is_valid(to))
		return -EINVAL;
	if (syscall(SYS_renameat2, s->runs, id, s->runs, to, 1 /* RENAME_NOREPLACE */))
		return -errno;
	return fsync(s->runs) ? -errno : 0;
}

int store_bytes(const struct store *s, const char *id, uint64_t *ret)
{
	int fd = open_run(s, id, false);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat st;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return fd < 0 ? fd : -errno;
	}
	*ret = 0;
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, "..") &&
		    !fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
			*ret += st.st_blocks * BLOCK_BYTES;
	closedir(dir);
	return 0;
}
