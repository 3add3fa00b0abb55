/* index_private.h - what the files of the index share. */
#ifndef TASKDIAG_SERVE_INDEX_PRIVATE_H
#define TASKDIAG_SERVE_INDEX_PRIVATE_H

#include <pthread.h>
#include <sqlite3.h>

#include "serve/index.h"

/* Prepared when first needed, kept. */
enum statement {
	STATEMENT_PUT,
	STATEMENT_FIND,
	STATEMENT_DELETE,
	STATEMENT_RENAME,
	STATEMENT_CURVE_RENAME,
	STATEMENT_CURVE_ADD,
	STATEMENT_CURVE_NUMBER,
	STATEMENT_CURVE_THIN,
	STATEMENT_CURVE_DROP,
	STATEMENT_CURVE,
	STATEMENT_NUMBER_SET,
	STATEMENT_NUMBERS,
	STATEMENTS
};

struct index {
	sqlite3 *db;
	sqlite3_stmt *statement[STATEMENTS];
	pthread_mutex_t lock; /* one user at a time: a statement is somebody's until it is reset */
	unsigned depth;	      /* of index_begin() */
};

/** Its statement, reset, without values; NULL: it could not be made. Holds the lock until
 * index_done(). */
sqlite3_stmt *index_statement(struct index *x, enum statement which, const char *sql);
/** @err as it is, else what SQLite said of the last step. */
int index_done(struct index *x, sqlite3_stmt *statement, int err);
/** One step of a change. */
int index_change(struct index *x, sqlite3_stmt *statement);
/** SQLite's answer as an errno. */
int index_error(int answer);

#endif
