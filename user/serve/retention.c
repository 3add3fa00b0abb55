/* retention.c - see retention.h: a round of removal. */
#include "serve/retention.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>

#define MS_PER_S 1000

/* What may go: ended tasks, oldest first. */
struct candidates {
	struct indexed_task *task;
	size_t count, room;
	uint64_t bytes; /* of all tasks, whatever their state */
};

static int collect(void *context, const struct indexed_task *t)
{
	struct candidates *c = context;

	c->bytes += t->disk_bytes;
	if (t->state != INDEXED_DONE && t->state != INDEXED_LOST)
		return 0;
	if (c->count == c->room) {
		size_t room = c->room ? 2 * c->room : 64;
		struct indexed_task *more = reallocarray(c->task, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		c->task = more;
		c->room = room;
	}
	c->task[c->count++] = *t;
	return 0;
}

/* The end as the clock of that moment had it; if that is still to come the clock was set back, and
 * the directory's own time counts. */
static int64_t end_of(const struct store *s, const struct indexed_task *t, int64_t now_ms)
{
	struct stat st;

	if (t->end_utc_ms <= now_ms)
		return t->end_utc_ms;
	if (fstatat(store_runs(s), t->id, &st, AT_SYMLINK_NOFOLLOW) ||
	    (int64_t)st.st_mtime * MS_PER_S > now_ms)
		return now_ms;
	return (int64_t)st.st_mtime * MS_PER_S;
}

static int by_end(const void *a, const void *b)
{
	const struct indexed_task *x = a, *y = b;

	return (x->end_utc_ms > y->end_utc_ms) - (x->end_utc_ms < y->end_utc_ms);
}

static int drop(struct store *s, struct index *x, const char *id, bool has_run)
{
	int err = has_run ? store_remove(s, id, false) : 0;

	if (err == -ENOENT)
		err = 0;
	if (!err) {
		store_remove(s, id, true);
		index_curve_drop(x, id);
		err = index_delete(x, id);
	}
	return err;
}

struct round {
	struct store *s;
	struct index *x;
	const struct retention *r;
	int64_t now_ms;
	bool dry;
	bool for_room;	/* second pass: what may stay by itself goes for the others */
	uint64_t bytes; /* what is left so far */
	int removed;
	void (*fn)(void *context, const struct retention_removed *removed);
	void *context;
};

static bool must_go(const struct round *round, const struct indexed_task *t,
		    enum retention_cause *ret)
{
	const struct retention *r = round->r;

	if (round->for_room) {
		*ret = RETENTION_TOTAL;
		return r->total_bytes && round->bytes > r->total_bytes && t->disk_bytes;
	}
	*ret = RETENTION_TASK;
	if (r->task_bytes && t->disk_bytes > r->task_bytes)
		return true;
	*ret = RETENTION_AGE;
	return round->now_ms - end_of(round->s, t, round->now_ms) >=
	       (int64_t)r->protection_s * MS_PER_S;
}

/* @t->id is empty afterwards when the task has been dealt with. */
static void look_at(struct round *round, struct indexed_task *t)
{
	struct retention_removed removed = { .bytes = t->disk_bytes, .end_utc_ms = t->end_utc_ms };

	if (!t->id[0] || !must_go(round, t, &removed.cause))
		return;
	strcpy(removed.id, t->id);
	if (!round->dry)
		removed.err = drop(round->s, round->x, t->id, t->state == INDEXED_DONE);
	if (!removed.err) {
		round->removed++;
		round->bytes -= t->disk_bytes;
	}
	t->id[0] = 0;
	if (round->fn)
		round->fn(round->context, &removed);
}

int retention_round(struct store *s, struct index *x, const struct retention *r, int64_t now_utc_ms,
		    bool dry, void (*fn)(void *context, const struct retention_removed *removed),
		    void *context)
{
	static const struct index_filter all = { .oldest_first = true };
	struct candidates c = {};
	struct round round = { .s = s,
			       .x = x,
			       .r = r,
			       .now_ms = now_utc_ms,
			       .dry = dry,
			       .fn = fn,
			       .context = context };
	int err = index_list(x, &all, collect, &c, NULL);

	round.bytes = c.bytes;
	if (!err && c.count)
		qsort(c.task, c.count, sizeof(*c.task), by_end);
	for (int pass = 0; !err && pass < 2; pass++) {
		round.for_room = pass == 1;
		for (size_t i = 0; i < c.count; i++)
			look_at(&round, &c.task[i]);
	}
	free(c.task);
	return err ? err : round.removed;
}
