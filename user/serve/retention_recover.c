/* retention_recover.c - what the index says and what the disk has are brought together. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "serve/retention.h"

static void take_text(const json_t *object, const char *key, char *ret, size_t size)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (text)
		snprintf(ret, size, "%s", text);
}

static bool take_number(const json_t *object, const char *key, uint64_t *ret)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret = json_integer_value(value);
	return true;
}

/* "2026-11-22T10:00:00.123Z" */
static bool utc_parse(const char *text, int64_t *ret_ms)
{
	struct tm tm = {};
	const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	int ms = 0;

	if (!rest)
		return false;
	if (*rest == '.')
		ms = atoi(rest + 1);
	*ret_ms = (int64_t)timegm(&tm) * 1000 + (ms >= 0 && ms < 1000 ? ms : 0);
	return true;
}

static void take_diagnostics(const json_t *manifest, struct indexed_task *t)
{
	json_t *all = json_object_get(manifest, "diagnostics"), *value;
	const char *name;
	size_t n = 0;

	t->diagnostics[0] = 0;
	json_object_foreach(all, name, value)
	{
		if (n + strlen(name) + 2 > sizeof(t->diagnostics))
			break;
		n += sprintf(t->diagnostics + n, "%s%s", n ? "," : "", name);
	}
}

static uint64_t lost_of(const json_t *manifest)
{
	json_t *lost = json_object_get(json_object_get(manifest, "ledger"), "lost"), *value;
	const char *cause;
	uint64_t sum = 0;

	json_object_foreach(lost, cause, value) sum += json_integer_value(value);
	return sum;
}

static void take_task(const json_t *manifest, struct indexed_task *t)
{
	const json_t *task = json_object_get(manifest, "task");
	const json_t *memory = json_object_get(json_object_get(manifest, "diagnostics"), "memory");
	double seconds = json_number_value(json_object_get(task, "duration_s"));
	uint64_t number;

	take_text(task, "end", t->end, sizeof(t->end));
	if (!t->name[0])
		take_text(task, "command", t->name, sizeof(t->name));
	if (utc_parse(json_string_value(json_object_get(task, "start_utc")), &t->start_utc_ms) &&
	    seconds >= 0 && seconds < 1e9 && !t->end_utc_ms)
		t->end_utc_ms = t->start_utc_ms + (int64_t)(seconds * 1000);
	if (!t->pid)
		t->pid = json_integer_value(json_array_get(json_object_get(task, "pids"), 0));
	if (take_number(task, "processes_seen", &number))
		t->processes = number;
	take_number(memory, "peak_rss_bytes", &t->peak_bytes);
}

int retention_row(const struct store *s, const char *id, struct indexed_task *t)
{
	json_t *manifest;
	int err = store_manifest(s, id, false, &manifest);

	if (err)
		return err;
	take_task(manifest, t);
	take_diagnostics(manifest, t);
	t->lost_records = lost_of(manifest);
	json_decref(manifest);
	return store_bytes(s, id, &t->disk_bytes);
}

struct recovery {
	struct store *s;
	struct index *x;
	int64_t now_ms;
	int changed;
	char (*stale)[TASK_ID_MAX + 1]; /* rows that were not DONE, or whose directory is gone */
	size_t count, room;
};

static int adopt(void *context, const char *id)
{
	struct recovery *r = context;
	struct indexed_task t = {};
	int err = index_find(r->x, id, &t);

	if (!err && t.state == INDEXED_DONE)
		return 0;
	if (err && err != -ENOENT)
		return err;
	if (err)
		t = (struct indexed_task){};
	strcpy(t.id, id);
	t.rss_bytes = 0;
	if (retention_row(r->s, id, &t))
		return 0; /* torn: none of ours */
	t.state = INDEXED_DONE;
	t.partial = false;
	store_remove(r->s, id, true);
	r->changed++;
	index_curve_drop(r->x, id);
	return index_put(r->x, &t);
}

static bool has_run(const struct store *s, const char *id)
{
	char path[TASK_ID_MAX + 32];
	struct stat st;

	snprintf(path, sizeof(path), "%s/manifest.json", id);
	return !fstatat(store_runs(s), path, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode);
}

static int find_stale(void *context, const struct indexed_task *t)
{
	struct recovery *r = context;

	if (t->state == INDEXED_LOST || (t->state == INDEXED_DONE && has_run(r->s, t->id)))
		return 0;
	if (r->count == r->room) {
		size_t room = r->room ? 2 * r->room : 64;
		void *more = reallocarray(r->stale, room, sizeof(*r->stale));

		if (!more)
			return -ENOMEM;
		r->stale = more;
		r->room = room;
	}
	strcpy(r->stale[r->count++], t->id);
	return 0;
}

/* A task that the daemon did not see the end of: the snapshot that there may be of it is all that
 * is left, and stays. */
static int settle(struct recovery *r, const char *id)
{
	struct indexed_task t;
	int err = index_find(r->x, id, &t);

	if (err)
		return err;
	r->changed++;
	index_curve_drop(r->x, id);
	if (t.state == INDEXED_DONE)
		return index_delete(r->x, id);
	t.state = INDEXED_LOST;
	t.rss_bytes = 0;
	if (!t.end_utc_ms)
		t.end_utc_ms = r->now_ms;
	return index_put(r->x, &t);
}

int retention_recover(struct store *s, struct index *x, int64_t now_utc_ms)
{
	static const struct index_filter all = {};
	struct recovery r = { .s = s, .x = x, .now_ms = now_utc_ms };
	int err = index_begin(x), done;

	if (err)
		return err;
	err = store_each(s, adopt, &r);
	if (!err)
		err = index_list(x, &all, find_stale, &r, NULL);
	for (size_t i = 0; !err && i < r.count; i++)
		err = settle(&r, r.stale[i]);
	free(r.stale);
	done = index_commit(x);
	if (!err)
		err = done;
	return err ? err : r.changed;
}
