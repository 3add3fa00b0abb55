/* http_urls.c - profile_artifacts/: the artifacts of a task under the keys that Pulp's users know.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "serve/http_private.h"

/* The first three are Pulp's; a file that the run does not have is left out. */
static const struct {
	const char *key, *file;
} keys[] = {
	{ "memory_profile", "memory.datum" },
	{ "pyinstrument_profile", "profile.pyisession" },
	{ "memray_profile", "memray.bin" },
	{ "report", "report.html" },
	{ "memory_csv", "memory.csv" },
	{ "mprof", "mprof.dat" },
	{ "profile_folded", "profile.folded" },
	{ "profile_pprof", "profile.pb.gz" },
	{ "profile_speedscope", "profile.speedscope.json" },
	{ "allocations_folded", "allocations.folded" },
	{ "allocations_pprof", "allocations.pb.gz" },
	{ "allocations_speedscope", "allocations.speedscope.json" },
	{ "massif", "massif.out" },
	{ "resident_pprof", "resident.pb.gz" },
	{ "manifest", "manifest.json" },
};

static bool is_listed(const json_t *manifest, const char *file)
{
	const json_t *row;
	size_t i;

	if (!strcmp(file, "manifest.json"))
		return true;
	json_array_foreach(json_object_get(manifest, "artifacts"), i, row)
	{
		const char *name = json_string_value(json_object_get(row, "name"));

		if (name && !strcmp(name, file))
			return true;
	}
	return false;
}

static json_t *url_json(struct request *r, const char *id, bool partial, const char *file)
{
	int64_t expires = clock_utc_ns() / NS_PER_S + r->h->config.url_lifetime_s;
	char origin[512], token[SIGN_HEX];

	request_origin(r, origin, sizeof(origin));
	sign_url(&r->h->key, id, partial, file, expires, token);
	return json_sprintf("%s/artifacts/%s%s/%s?expires=%" PRId64 "&validate_token=%s", origin,
			    id, partial ? ".partial" : "", file, expires, token);
}

/* false: there is none. */
static bool add_urls(struct request *r, const char *id, bool partial, json_t *urls)
{
	json_t *manifest;

	if (store_manifest(r->h->store, id, partial, &manifest))
		return false;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (is_listed(manifest, keys[i].file))
			json_object_set_new(urls, keys[i].key,
					    url_json(r, id, partial, keys[i].file));
	json_decref(manifest);
	return true;
}

/* A snapshot was asked for, and is there or not. */
static http_result snapshot_answer(struct request *r, const char *id)
{
	json_t *urls = json_object();

	if (!r->answer && add_urls(r, id, true, urls))
		return reply_json(
		    r, MHD_HTTP_OK,
		    json_pack("{s:o,s:s,s:b}", "urls", urls, "state", "running", "partial", 1));
	json_decref(urls);
	if (r->answer == -EAGAIN)
		return reply_detail(r, MHD_HTTP_SERVICE_UNAVAILABLE,
				    "Another snapshot is being written: ask again in a moment.");
	if (r->answer == -ENOENT) /* it has ended meanwhile */
		return reply_json(r, MHD_HTTP_OK,
				  json_pack("{s:{},s:s}", "urls", "state", "saving"));
	return reply_detail(r, MHD_HTTP_SERVICE_UNAVAILABLE,
			    "The snapshot could not be written: see the daemon's log.");
}

http_result tasks_artifacts(struct request *r, const char *id)
{
	struct indexed_task t;
	json_t *urls;
	int err;

	if (r->asked)
		return snapshot_answer(r, id);
	err = index_find(r->h->index, id, &t);
	if (err == -ENOENT)
		return reply_detail(r, MHD_HTTP_NOT_FOUND, "No Task matches the given query.");
	if (err)
		return reply_detail(r, MHD_HTTP_SERVICE_UNAVAILABLE, "The index cannot be read.");
	urls = json_object();
	if (t.state == INDEXED_RUNNING || t.state == INDEXED_SAVING)
		return reply_json(r, MHD_HTTP_OK,
				  json_pack("{s:o,s:s}", "urls", urls, "state",
					    t.state == INDEXED_RUNNING ? "running" : "saving"));
	/* of a task that the daemon did not see the end of, its last snapshot is what is left */
	if (!add_urls(r, id, false, urls))
		add_urls(r, id, true, urls);
	return reply_json(r, MHD_HTTP_OK, json_pack("{s:o}", "urls", urls));
}
