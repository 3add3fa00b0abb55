/* http_tasks.c - tasks as JSON: a page of them, one, and the curve of one that runs. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "artifact/rundir.h"
#include "serve/http_private.h"

#define LIMIT_DEFAULT 100 /* as of Pulp's API */
#define LIMIT_MAX 1000

static const char *state_name(enum indexed_state state)
{
	static const char *const names[] = { "running", "saving", "done", "lost" };

	return names[state & 3];
}

/* RFC 3339, in UTC; null: not known. */
static json_t *time_json(int64_t utc_ms)
{
	time_t seconds = utc_ms / 1000;
	char text[32], whole[48];
	struct tm tm;

	if (utc_ms <= 0)
		return json_null();
	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(whole, sizeof(whole), "%s.%03dZ", text, (int)(utc_ms % 1000));
	return json_string(whole);
}

static json_t *diagnostics_json(const char *names)
{
	json_t *array = json_array();

	while (*names) {
		size_t n = strcspn(names, ",");

		json_array_append_new(array, json_stringn(names, n));
		names += n + (names[n] == ',');
	}
	return array;
}

static json_t *href_json(const struct http *h, const char *id, const char *tail)
{
	return json_sprintf("%s%s/%s", h->config.prefix, id, tail);
}

static json_t *task_json(const struct http *h, const struct indexed_task *t)
{
	bool ended = t->state == INDEXED_DONE || t->state == INDEXED_LOST;
	json_t *o = json_object();

	json_object_set_new(o, "task_href", href_json(h, t->id, ""));
	json_object_set_new(o, "id", json_string(t->id));
	json_object_set_new(o, "name", json_text(t->name));
	json_object_set_new(o, "rule", json_text(t->rule));
	json_object_set_new(o, "state", json_string(state_name(t->state)));
	json_object_set_new(o, "end", t->end[0] ? json_text(t->end) : json_null());
	json_object_set_new(o, "diagnostics", diagnostics_json(t->diagnostics));
	json_object_set_new(o, "pid", json_integer(t->pid));
	json_object_set_new(o, "started_at", time_json(t->start_utc_ms));
	json_object_set_new(o, "finished_at", ended ? time_json(t->end_utc_ms) : json_null());
	json_object_set_new(o, "rss_bytes",
			    ended ? json_null() : json_integer((json_int_t)t->rss_bytes));
	json_object_set_new(o, "peak_bytes", json_integer((json_int_t)t->peak_bytes));
	json_object_set_new(o, "processes", json_integer(t->processes));
	json_object_set_new(o, "threads", json_integer(t->threads));
	json_object_set_new(o, "lost_records", json_integer((json_int_t)t->lost_records));
	json_object_set_new(o, "disk_bytes", json_integer((json_int_t)t->disk_bytes));
	json_object_set_new(o, "profile_artifacts", href_json(h, t->id, "profile_artifacts/"));
	return o;
}

http_result tasks_one(struct request *r, const char *id)
{
	struct indexed_task t;
	int err = index_find(r->h->index, id, &t);

	if (err == -ENOENT)
		return reply_detail(r, MHD_HTTP_NOT_FOUND, "No Task matches the given query.");
	if (err)
		return reply_detail(r, MHD_HTTP_SERVICE_UNAVAILABLE, "The index cannot be read.");
	return reply_json(r, MHD_HTTP_OK, task_json(r->h, &t));
}

/* --- a page of them --- */

struct query {
	struct index_filter filter;
	char state[16], rule[TASK_ID_MAX + 1], name[32], end[32];
};

static bool take_number(const struct request *r, const char *name, uint32_t most, uint32_t *ret,
			bool *wrong)
{
	char text[16], *end;
	unsigned long value;

	if (!request_argument(r, name, text, sizeof(text)))
		return false;
	value = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || value > UINT32_MAX) {
		*wrong = true;
		return false;
	}
	*ret = value < most ? value : most;
	return true;
}

/* Seconds since 1970, or as RFC 3339 in UTC. */
static int64_t take_time(const struct request *r, const char *name, bool *wrong)
{
	struct tm tm = {};
	char text[40], *end;
	int64_t seconds;

	if (!request_argument(r, name, text, sizeof(text)))
		return 0;
	seconds = strtoll(text, &end, 10);
	if (!*end && end != text)
		return seconds * 1000;
	end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!end)
		*wrong = true;
	return end ? (int64_t)timegm(&tm) * 1000 : 0;
}

static void take_query(const struct request *r, struct query *ret, bool *wrong)
{
	struct index_filter *f = &ret->filter;

	*ret = (struct query){ .filter.limit = LIMIT_DEFAULT };
	if (request_argument(r, "state", ret->state, sizeof(ret->state)))
		f->state = ret->state;
	if (f->state && strcmp(f->state, "running") && strcmp(f->state, "ended"))
		*wrong = true;
	if (request_argument(r, "rule", ret->rule, sizeof(ret->rule)))
		f->rule = ret->rule;
	if (request_argument(r, "name", ret->name, sizeof(ret->name)))
		f->name = ret->name;
	if (request_argument(r, "end", ret->end, sizeof(ret->end)))
		f->end = ret->end;
	f->since_utc_ms = take_time(r, "since", wrong);
	f->until_utc_ms = take_time(r, "until", wrong);
	take_number(r, "limit", LIMIT_MAX, &f->limit, wrong);
	take_number(r, "offset", UINT32_MAX, &f->offset, wrong);
	if (!f->limit)
		f->limit = LIMIT_DEFAULT;
}

struct page {
	const struct http *h;
	json_t *results;
};

static int add_task(void *context, const struct indexed_task *t)
{
	struct page *page = context;

	return json_array_append_new(page->results, task_json(page->h, t)) ? -ENOMEM : 0;
}

struct link {
	char text[2048];
	size_t used;
};

static enum MHD_Result add_argument(void *context, enum MHD_ValueKind kind, const char *key,
				    const char *value)
{
	static const char *const known[] = { "state", "rule", "name", "end", "since", "until" };
	struct link *link = context;

	(void)kind;
	for (size_t i = 0; value && i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(key, known[i]) && link->used < sizeof(link->text))
			link->used +=
			    snprintf(link->text + link->used, sizeof(link->text) - link->used,
				     "&%s=%s", key, value); /* as it came: encoded still */
	return MHD_YES;
}

static json_t *link_json(struct request *r, uint32_t limit, uint32_t offset)
{
	struct link link = {};
	char origin[512];

	request_origin(r, origin, sizeof(origin));
	MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, add_argument, &link);
	if (link.used >= sizeof(link.text))
		return json_null();
	return json_sprintf("%s%s?limit=%u&offset=%u%s", origin, r->h->config.prefix, limit, offset,
			    link.text);
}

http_result tasks_list(struct request *r)
{
	struct page page = { r->h, json_array() };
	uint64_t count = 0;
	struct query q;
	bool wrong = false;
	uint32_t limit, offset;
	json_t *o;

	take_query(r, &q, &wrong);
	limit = q.filter.limit;
	offset = q.filter.offset;
	if (wrong || index_list(r->h->index, &q.filter, add_task, &page, &count)) {
		json_decref(page.results);
		return wrong ? reply_detail(r, MHD_HTTP_BAD_REQUEST,
					    "state is running or ended; limit and offset are "
					    "numbers; since and until are UTC times.")
			     : reply_detail(r, MHD_HTTP_SERVICE_UNAVAILABLE,
					    "The index cannot be read.");
	}
	o = json_object();
	json_object_set_new(o, "count", json_integer((json_int_t)count));
	json_object_set_new(o, "next",
			    (uint64_t)offset + limit < count ? link_json(r, limit, offset + limit)
							     : json_null());
	json_object_set_new(o, "previous",
			    offset ? link_json(r, limit, offset > limit ? offset - limit : 0)
				   : json_null());
	json_object_set_new(o, "results", page.results);
	return reply_json(r, MHD_HTTP_OK, o);
}

/* --- the curve --- */

static int add_point(void *context, double time_s, uint64_t rss_bytes)
{
	return json_array_append_new(context, json_pack("[f,I]", time_s, (json_int_t)rss_bytes))
		   ? -ENOMEM
		   : 0;
}

http_result tasks_curve(struct request *r, const char *id)
{
	json_t *points = json_array();
	struct indexed_task t;

	if (index_find(r->h->index, id, &t)) {
		json_decref(points);
		return reply_detail(r, MHD_HTTP_NOT_FOUND, "No Task matches the given query.");
	}
	index_curve(r->h->index, id, add_point, points);
	return reply_json(r, MHD_HTTP_OK,
			  json_pack("{s:s,s:o}", "state", state_name(t.state), "points", points));
}
