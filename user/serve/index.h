/* index.h - which tasks there are and were: an SQLite database, written by the collector alone,
 * read by whoever serves. WAL: readers never wait, a crash at any point leaves the last
 * transaction.
 *
 * It holds nothing that the run directories do not: a damaged one is put aside
 * (index.db.damaged-<UTC time>) and made again from them (recover.h).
 */
#ifndef TASKDIAG_SERVE_INDEX_H
#define TASKDIAG_SERVE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/problem.h"
#include "serve/store.h"

enum indexed_state {
	INDEXED_RUNNING, /* observed now */
	INDEXED_SAVING,	 /* has ended, its run directory is being written */
	INDEXED_DONE,	 /* its run directory is whole */
	INDEXED_LOST,	 /* it ended while the daemon did not run: nothing but this row */
};

struct indexed_task {
	char id[TASK_ID_MAX + 1];
	char rule[TASK_ID_MAX + 1]; /* that made it a task */
	char name[16];		    /* of its first process; hostile */
	char diagnostics[48];	    /* "memory,profile" */
	char end[16];		    /* manifest task.end; "" while it runs */
	enum indexed_state state;
	int64_t pid;			  /* of its first process, as the collector sees it */
	uint64_t start_boot_ns;		  /* of that process: with pid, its identity */
	int64_t start_utc_ms, end_utc_ms; /* end: 0 while it runs */
	uint64_t rss_bytes, peak_bytes;
	uint32_t processes, threads;
	uint64_t lost_records; /* of its ledger */
	uint64_t disk_bytes;   /* of its run directory */
	bool partial;	       /* there is a snapshot of it */
};

struct index;

/** Made when there is none; one that is damaged is put aside and made anew (*ret_anew = true then,
 * and the caller recovers). 0 or -errno with a problem. */
int index_open_writer(const struct store *s, struct index **ret, bool *ret_anew,
		      struct problem *problem);
/** Read-only, also where the directory is not writable; -EAGAIN: there is none yet. */
int index_open_reader(const struct store *s, struct index **ret, struct problem *problem);
void index_free(struct index *x); /* NULL is fine */

/** Several changes as one: 0 or -errno. Nested calls count. */
int index_begin(struct index *x);
int index_commit(struct index *x);

/** Adds the task or replaces the row of its id. */
int index_put(struct index *x, const struct indexed_task *t);
/** -ENOENT; -EEXIST when @to has a row. Its curve goes along. */
int index_rename(struct index *x, const char *id, const char *to);
int index_delete(struct index *x, const char *id);

/** 0; -ENOENT. */
int index_find(struct index *x, const char *id, struct indexed_task *ret);

struct index_filter {
	const char *state;	 /* "running" (and saving), "ended" (done and lost); NULL: all */
	const char *rule, *name; /* equal; NULL: any */
	const char *end;
	int64_t since_utc_ms, until_utc_ms; /* started in [since, until); 0: any */
	bool oldest_first;		    /* else the newest */
	uint32_t limit, offset;
};
/** Calls @fn for each; stops at a return that is not 0 and gives it back. *ret_count, which may be
 * NULL: how many there are without limit and offset. */
int index_list(struct index *x, const struct index_filter *f,
	       int (*fn)(void *context, const struct indexed_task *t), void *context,
	       uint64_t *ret_count);

/* The curve of a task that runs: for the page, and for metrics. Gone with the task's end, when
 * memory.csv has it better. At most CURVE_POINTS: every other point is then left out. */
#define CURVE_POINTS 1200
int index_curve_add(struct index *x, const char *id, double time_s, uint64_t rss_bytes);
int index_curve_drop(struct index *x, const char *id);
int index_curve(struct index *x, const char *id,
		int (*fn)(void *context, double time_s, uint64_t rss_bytes), void *context);

/* Numbers of the daemon itself, by the name that metrics gives them (metrics.h): counters and
 * gauges, the ledger's losses among them ("lost_records_total{cause=\"ring_full\"}"). */
int index_number_set(struct index *x, const char *name, double value);
int index_numbers(struct index *x, int (*fn)(void *context, const char *name, double value),
		  void *context);

#endif
