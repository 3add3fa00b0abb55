/* index.c - see index.h. The database is opened and ended here. */
#include "serve/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "serve/index_private.h"

#define FILE_NAME "index.db"
#define BUSY_MS 5000
#define VERSION 1 /* of the tables; another one is made anew from the run directories */
#define VFS "taskdiag"

static const char schema[] =
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = NORMAL;" /* a crash of the machine may lose the last rows: see recovery */
    "BEGIN;"
    "CREATE TABLE IF NOT EXISTS tasks (id TEXT PRIMARY KEY, rule TEXT, name TEXT, diagnostics TEXT,"
    " end TEXT, state INTEGER, pid INTEGER, start_boot_ns INTEGER, start_utc_ms INTEGER,"
    " end_utc_ms INTEGER, rss_bytes INTEGER, peak_bytes INTEGER, processes INTEGER,"
    " threads INTEGER, lost_records INTEGER, disk_bytes INTEGER, partial INTEGER) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS tasks_start ON tasks (start_utc_ms);"
    "CREATE INDEX IF NOT EXISTS tasks_state ON tasks (state, start_utc_ms);"
    "CREATE TABLE IF NOT EXISTS curve (id TEXT, tick INTEGER, time_s REAL, rss_bytes INTEGER,"
    " PRIMARY KEY (id, tick)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, value REAL) WITHOUT ROWID;"
    "PRAGMA user_version = 1;"
    "COMMIT;";

/* SQLite opens by path only. /proc/self/fd/N/index.db is one that leads to our own directory
 * handle, whatever happened to its path; it must not be resolved first. */
static int path_as_it_is(sqlite3_vfs *vfs, const char *name, int size, char *ret)
{
	(void)vfs;
	return snprintf(ret, size, "%s", name) < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int register_vfs(void)
{
	static sqlite3_vfs vfs;
	const sqlite3_vfs *unix_vfs = sqlite3_vfs_find(NULL);

	if (vfs.zName)
		return 0;
	if (!unix_vfs)
		return -ENOSYS;
	vfs = *unix_vfs;
	vfs.zName = VFS;
	vfs.pNext = NULL;
	vfs.xFullPathname = path_as_it_is;
	return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK ? 0 : -ENOMEM;
}

int index_error(int answer)
{
	switch (answer & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_CANTOPEN:
		return -EAGAIN;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	default:
		return -EIO;
	}
}

static int exec(struct index *x, const char *sql)
{
	return index_error(sqlite3_exec(x->db, sql, NULL, NULL, NULL));
}

static int first_column(void *context, int columns, char **values, char **names)
{
	(void)names;
	if (columns && values[0])
		snprintf(context, 32, "%s", values[0]);
	return 0;
}

/* -EUCLEAN: it is damaged, or of another version. */
static int check(struct index *x, bool *ret_fresh)
{
	char version[32] = "", health[32] = "";
	int err =
	    index_error(sqlite3_exec(x->db, "PRAGMA user_version", first_column, version, NULL));

	if (err)
		return err;
	*ret_fresh = !strcmp(version, "0");
	err = index_error(sqlite3_exec(x->db, "PRAGMA quick_check(1)", first_column, health, NULL));
	if (err)
		return err;
	return strcmp(health, "ok") || (!*ret_fresh && atoi(version) != VERSION) ? -EUCLEAN : 0;
}

static int open_at(const struct store *s, int flags, const char *options, struct index **ret)
{
	struct index *x = calloc(1, sizeof(*x));
	char path[64];
	int err = register_vfs();

	if (!x)
		return -ENOMEM;
	pthread_mutex_init(&x->lock, NULL);
	snprintf(path, sizeof(path), "file:/proc/self/fd/%d/" FILE_NAME "%s", store_fd(s), options);
	if (!err)
		err = index_error(sqlite3_open_v2(path, &x->db, flags | SQLITE_OPEN_URI, VFS));
	if (!err)
		sqlite3_busy_timeout(x->db, BUSY_MS);
	if (err) {
		index_free(x);
		return err;
	}
	*ret = x;
	return 0;
}

/* Readable by the group that the directory has: of who serves. */
static int make_file(const struct store *s)
{
	int fd = openat(store_fd(s), FILE_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fchown(fd, -1, store_group(s)) || fchmod(fd, 0640))
		err = -errno;
	close(fd);
	return err;
}

static void put_aside(const struct store *s)
{
	static const char *const tails[] = { "", "-wal", "-shm" };
	char from[32], to[96], when[32];
	time_t now = time(NULL);
	struct tm utc;

	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		snprintf(from, sizeof(from), FILE_NAME "%s", tails[i]);
		snprintf(to, sizeof(to), FILE_NAME ".damaged-%s%s", when, tails[i]);
		renameat(store_fd(s), from, store_fd(s), to);
	}
}

static int open_whole(const struct store *s, struct index **ret, bool *ret_anew)
{
	bool fresh = false;
	int err = make_file(s);

	if (!err)
		err = open_at(s, SQLITE_OPEN_READWRITE, "", ret);
	if (err)
		return err;
	err = check(*ret, &fresh);
	if (!err)
		err = exec(*ret, schema);
	if (err) {
		index_free(*ret);
		*ret = NULL;
	}
	*ret_anew |= fresh;
	return err;
}

int index_open_writer(const struct store *s, struct index **ret, bool *ret_anew,
		      struct problem *problem)
{
	int err;

	*ret_anew = false;
	err = open_whole(s, ret, ret_anew);
	if (err == -EUCLEAN) {
		put_aside(s);
		*ret_anew = true;
		err = open_whole(s, ret, ret_anew);
	}
	return err ? problem_set(problem, err, "index %.300s/" FILE_NAME ": %s", store_path(s),
				 strerror(-err))
		   : 0;
}

int index_open_reader(const struct store *s, struct index **ret, struct problem *problem)
{
	bool fresh;
	int err = open_at(s, SQLITE_OPEN_READONLY, "?readonly_shm=1", ret);

	if (!err) {
		err = check(*ret, &fresh);
		if (!err && fresh)
			err = -EAGAIN;
		if (err)
			index_free(*ret);
	}
	return err && err != -EAGAIN
		   ? problem_set(problem, err, "index " FILE_NAME ": %s", strerror(-err))
		   : err;
}

void index_free(struct index *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(x->statement[i]);
	sqlite3_close(x->db);
	pthread_mutex_destroy(&x->lock);
	free(x);
}

int index_begin(struct index *x)
{
	int err = x->depth ? 0 : exec(x, "BEGIN IMMEDIATE");

	if (!err)
		x->depth++;
	return err;
}

int index_commit(struct index *x)
{
	int err;

	if (!x->depth || --x->depth)
		return 0;
	err = exec(x, "COMMIT");
	if (err)
		exec(x, "ROLLBACK");
	return err;
}

sqlite3_stmt *index_statement(struct index *x, enum statement which, const char *sql)
{
	pthread_mutex_lock(&x->lock);
	if (!x->statement[which])
		sqlite3_prepare_v3(x->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &x->statement[which],
				   NULL);
	if (!x->statement[which]) {
		pthread_mutex_unlock(&x->lock);
		return NULL;
	}
	return x->statement[which];
}

int index_done(struct index *x, sqlite3_stmt *statement, int err)
{
	int answer = sqlite3_reset(statement);

	sqlite3_clear_bindings(statement);
	pthread_mutex_unlock(&x->lock);
	return err ? err : index_error(answer);
}

int index_change(struct index *x, sqlite3_stmt *statement)
{
	int answer = sqlite3_step(statement);

	return index_done(x, statement, index_error(answer));
}
