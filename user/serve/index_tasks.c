/* index_tasks.c - rows of tasks. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "serve/index_private.h"

#define COLUMNS                                                                                  \
	"id, rule, name, diagnostics, end, state, pid, start_boot_ns, start_utc_ms, end_utc_ms," \
	" rss_bytes, peak_bytes, processes, threads, lost_records, disk_bytes, partial"

static void bind_text(sqlite3_stmt *st, int at, const char *text)
{
	sqlite3_bind_text(st, at, text, -1, SQLITE_TRANSIENT);
}

int index_put(struct index *x, const struct indexed_task *t)
{
	sqlite3_stmt *st = index_statement(x, STATEMENT_PUT,
					   "INSERT OR REPLACE INTO tasks (" COLUMNS
					   ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
	const int64_t numbers[] = { t->state,	     t->pid,	    t->start_boot_ns,
				    t->start_utc_ms, t->end_utc_ms, t->rss_bytes,
				    t->peak_bytes,   t->processes,  t->threads,
				    t->lost_records, t->disk_bytes, t->partial };

	if (!st)
		return -EIO;
	bind_text(st, 1, t->id);
	bind_text(st, 2, t->rule);
	bind_text(st, 3, t->name);
	bind_text(st, 4, t->diagnostics);
	bind_text(st, 5, t->end);
	for (int i = 0; i < (int)(sizeof(numbers) / sizeof(numbers[0])); i++)
		sqlite3_bind_int64(st, 6 + i, numbers[i]);
	return index_change(x, st);
}

static void take_text(sqlite3_stmt *st, int at, char *ret, size_t size)
{
	const unsigned char *text = sqlite3_column_text(st, at);

	snprintf(ret, size, "%s", text ? (const char *)text : "");
}

static void take_row(sqlite3_stmt *st, struct indexed_task *ret)
{
	*ret = (struct indexed_task){};
	take_text(st, 0, ret->id, sizeof(ret->id));
	take_text(st, 1, ret->rule, sizeof(ret->rule));
	take_text(st, 2, ret->name, sizeof(ret->name));
	take_text(st, 3, ret->diagnostics, sizeof(ret->diagnostics));
	take_text(st, 4, ret->end, sizeof(ret->end));
	ret->state = sqlite3_column_int(st, 5);
	ret->pid = sqlite3_column_int64(st, 6);
	ret->start_boot_ns = sqlite3_column_int64(st, 7);
	ret->start_utc_ms = sqlite3_column_int64(st, 8);
	ret->end_utc_ms = sqlite3_column_int64(st, 9);
	ret->rss_bytes = sqlite3_column_int64(st, 10);
	ret->peak_bytes = sqlite3_column_int64(st, 11);
	ret->processes = sqlite3_column_int64(st, 12);
	ret->threads = sqlite3_column_int64(st, 13);
	ret->lost_records = sqlite3_column_int64(st, 14);
	ret->disk_bytes = sqlite3_column_int64(st, 15);
	ret->partial = sqlite3_column_int(st, 16);
}

int index_find(struct index *x, const char *id, struct indexed_task *ret)
{
	sqlite3_stmt *st =
	    index_statement(x, STATEMENT_FIND, "SELECT " COLUMNS " FROM tasks WHERE id = ?");
	int answer;

	if (!st)
		return -EIO;
	bind_text(st, 1, id);
	answer = sqlite3_step(st);
	if (answer == SQLITE_ROW)
		take_row(st, ret);
	return index_done(x, st, answer == SQLITE_DONE ? -ENOENT : 0);
}

int index_delete(struct index *x, const char *id)
{
	sqlite3_stmt *st = index_statement(x, STATEMENT_DELETE, "DELETE FROM tasks WHERE id = ?");

	if (!st)
		return -EIO;
	bind_text(st, 1, id);
	return index_change(x, st);
}

static int rename_in(struct index *x, enum statement which, const char *sql, const char *id,
		     const char *to)
{
	sqlite3_stmt *st = index_statement(x, which, sql);

	if (!st)
		return -EIO;
	bind_text(st, 1, to);
	bind_text(st, 2, id);
	return index_change(x, st);
}

int index_rename(struct index *x, const char *id, const char *to)
{
	struct indexed_task t;
	int err = index_find(x, id, &t);

	if (!err)
		err =
		    rename_in(x, STATEMENT_RENAME, "UPDATE tasks SET id = ? WHERE id = ?", id, to);
	if (!err)
		err = rename_in(x, STATEMENT_CURVE_RENAME, "UPDATE curve SET id = ? WHERE id = ?",
				id, to);
	return err;
}

/* Every condition is there always; one that is not asked for holds for all. */
#define CONDITIONS                                                         \
	" FROM tasks WHERE (?1 IS NULL OR (?1 = 'running') = (state < 2))" \
	" AND (?2 IS NULL OR rule = ?2) AND (?3 IS NULL OR name = ?3)"     \
	" AND (?4 IS NULL OR end = ?4)"                                    \
	" AND start_utc_ms >= ?5 AND (?6 = 0 OR start_utc_ms < ?6)"

static void bind_filter(sqlite3_stmt *st, const struct index_filter *f)
{
	const char *const texts[] = { f->state, f->rule, f->name, f->end };

	for (int i = 0; i < 4; i++)
		if (texts[i])
			bind_text(st, i + 1, texts[i]);
	sqlite3_bind_int64(st, 5, f->since_utc_ms);
	sqlite3_bind_int64(st, 6, f->until_utc_ms);
}

static int count(struct index *x, const struct index_filter *f, uint64_t *ret)
{
	sqlite3_stmt *st;
	int err = 0;

	if (sqlite3_prepare_v2(x->db, "SELECT count(*)" CONDITIONS, -1, &st, NULL))
		return -EIO;
	bind_filter(st, f);
	if (sqlite3_step(st) == SQLITE_ROW)
		*ret = sqlite3_column_int64(st, 0);
	else
		err = -EIO;
	sqlite3_finalize(st);
	return err;
}

int index_list(struct index *x, const struct index_filter *f,
	       int (*fn)(void *context, const struct indexed_task *t), void *context,
	       uint64_t *ret_count)
{
	static const char newest[] =
	    "SELECT " COLUMNS CONDITIONS " ORDER BY start_utc_ms DESC, id DESC LIMIT ?7 OFFSET ?8";
	static const char oldest[] =
	    "SELECT " COLUMNS CONDITIONS " ORDER BY start_utc_ms, id LIMIT ?7 OFFSET ?8";
	struct indexed_task t;
	sqlite3_stmt *st;
	int answer, err = 0;

	if (ret_count)
		err = count(x, f, ret_count);
	if (err)
		return err;
	if (sqlite3_prepare_v2(x->db, f->oldest_first ? oldest : newest, -1, &st, NULL))
		return -EIO;
	bind_filter(st, f);
	sqlite3_bind_int64(st, 7, f->limit ? (int64_t)f->limit : -1);
	sqlite3_bind_int64(st, 8, f->offset);
	while (!err && (answer = sqlite3_step(st)) == SQLITE_ROW) {
		take_row(st, &t);
		err = fn(context, &t);
	}
	sqlite3_finalize(st);
	return err ? err : index_error(answer);
}
