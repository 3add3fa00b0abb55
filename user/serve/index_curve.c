/* index_curve.c - what is live: curves of running tasks, numbers of the daemon. */
#include <errno.h>

#include "serve/index_private.h"

#define THIN_EVERY 64 /* points between two looks at how many there are */

static sqlite3_stmt *of_task(struct index *x, enum statement which, const char *sql, const char *id)
{
	sqlite3_stmt *st = index_statement(x, which, sql);

	if (st)
		sqlite3_bind_text(st, 1, id, -1, SQLITE_TRANSIENT);
	return st;
}

static int ticks_of(struct index *x, const char *id, int64_t *ret_last, int64_t *ret_count)
{
	sqlite3_stmt *st = of_task(x, STATEMENT_CURVE_NUMBER,
				   "SELECT coalesce(max(tick), -1),"
				   " CASE WHEN max(tick) % 64 = 0 THEN count(*) ELSE 0 END"
				   " FROM curve WHERE id = ?",
				   id);

	if (!st)
		return -EIO;
	*ret_last = -1;
	*ret_count = 0;
	if (sqlite3_step(st) == SQLITE_ROW) {
		*ret_last = sqlite3_column_int64(st, 0);
		*ret_count = sqlite3_column_int64(st, 1);
	}
	return index_done(x, st, 0);
}

/* Every other point goes; the last one stays. */
static int thin(struct index *x, const char *id)
{
	sqlite3_stmt *st =
	    of_task(x, STATEMENT_CURVE_THIN,
		    "DELETE FROM curve WHERE id = ?1 AND tick IN (SELECT tick FROM (SELECT tick,"
		    " row_number() OVER (ORDER BY tick DESC) AS n FROM curve WHERE id = ?1)"
		    " WHERE n % 2 = 0)",
		    id);

	return st ? index_change(x, st) : -EIO;
}

int index_curve_add(struct index *x, const char *id, double time_s, uint64_t rss_bytes)
{
	int64_t last, number;
	sqlite3_stmt *st;
	int err = ticks_of(x, id, &last, &number);

	if (!err && number >= CURVE_POINTS - THIN_EVERY)
		err = thin(x, id);
	if (err)
		return err;
	st = of_task(x, STATEMENT_CURVE_ADD, "INSERT INTO curve VALUES (?, ?, ?, ?)", id);
	if (!st)
		return -EIO;
	sqlite3_bind_int64(st, 2, last + 1);
	sqlite3_bind_double(st, 3, time_s);
	sqlite3_bind_int64(st, 4, rss_bytes);
	return index_change(x, st);
}

int index_curve_drop(struct index *x, const char *id)
{
	sqlite3_stmt *st = of_task(x, STATEMENT_CURVE_DROP, "DELETE FROM curve WHERE id = ?", id);

	return st ? index_change(x, st) : -EIO;
}

int index_curve(struct index *x, const char *id,
		int (*fn)(void *context, double time_s, uint64_t rss_bytes), void *context)
{
	sqlite3_stmt *st =
	    of_task(x, STATEMENT_CURVE,
		    "SELECT time_s, rss_bytes FROM curve WHERE id = ? ORDER BY tick", id);
	int err = 0;

	if (!st)
		return -EIO;
	while (!err && sqlite3_step(st) == SQLITE_ROW)
		err = fn(context, sqlite3_column_double(st, 0), sqlite3_column_int64(st, 1));
	return index_done(x, st, err);
}

int index_number_set(struct index *x, const char *name, double value)
{
	sqlite3_stmt *st =
	    of_task(x, STATEMENT_NUMBER_SET, "INSERT OR REPLACE INTO numbers VALUES (?, ?)", name);

	if (!st)
		return -EIO;
	sqlite3_bind_double(st, 2, value);
	return index_change(x, st);
}

int index_numbers(struct index *x, int (*fn)(void *context, const char *name, double value),
		  void *context)
{
	sqlite3_stmt *st =
	    index_statement(x, STATEMENT_NUMBERS, "SELECT name, value FROM numbers ORDER BY name");
	int err = 0;

	if (!st)
		return -EIO;
	while (!err && sqlite3_step(st) == SQLITE_ROW)
		err = fn(context, (const char *)sqlite3_column_text(st, 0),
			 sqlite3_column_double(st, 1));
	return index_done(x, st, err);
}
