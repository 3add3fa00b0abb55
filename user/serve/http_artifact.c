/* http_artifact.c - a file of a run: whole, in part (RFC 9110 §14), or not changed. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "serve/http_private.h"

#define PARTIAL ".partial"

struct artifact {
	char id[TASK_ID_MAX + 1], name[ARTIFACT_NAME_MAX + 1];
	bool partial;
};

struct range {
	uint64_t from, bytes;
};

/* "<id>[.partial]/<name>" */
static bool take_path(const char *rest, struct artifact *ret)
{
	const char *slash = strchr(rest, '/');
	size_t n = slash ? (size_t)(slash - rest) : 0, tail = strlen(PARTIAL);

	*ret = (struct artifact){};
	if (!slash || strlen(slash + 1) > ARTIFACT_NAME_MAX)
		return false;
	if (n > tail && !strncmp(slash - tail, PARTIAL, tail)) {
		ret->partial = true;
		n -= tail;
	}
	if (n > TASK_ID_MAX)
		return false;
	memcpy(ret->id, rest, n);
	strcpy(ret->name, slash + 1);
	return task_id_is_valid(ret->id) && artifact_name_is_valid(ret->name);
}

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), t = strlen(tail);

	return n >= t && !strcmp(s + n - t, tail);
}

static const char *type_of(const char *name)
{
	static const struct {
		const char *tail, *type;
	} types[] = {
		{ ".html", "text/html; charset=utf-8" },
		{ ".json", "application/json" },
		{ ".pyisession", "application/json" },
		{ ".csv", "text/csv; charset=utf-8" },
		{ ".datum", "text/plain; charset=utf-8" },
		{ ".dat", "text/plain; charset=utf-8" },
		{ ".folded", "text/plain; charset=utf-8" },
		{ "massif.out", "text/plain; charset=utf-8" },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (ends_with(name, types[i].tail))
			return types[i].type;
	return "application/octet-stream";
}

static bool take_digits(const char **text, uint64_t *ret)
{
	const char *from = *text;

	*ret = 0;
	for (; **text >= '0' && **text <= '9' && *text - from < 18; ++*text)
		*ret = *ret * 10 + (**text - '0');
	return *text != from;
}

/* One range in bytes; more than one, or nonsense, is as none was asked for. 0, or -ERANGE. */
static int take_range(const char *text, uint64_t size, struct range *ret, bool *ret_is_part)
{
	uint64_t first, last;

	*ret = (struct range){ 0, size };
	*ret_is_part = false;
	if (!text || strncmp(text, "bytes=", 6))
		return 0;
	text += 6;
	if (*text == '-') {
		text++;
		if (!take_digits(&text, &last) || *text)
			return 0;
		if (!last || !size)
			return -ERANGE;
		first = last < size ? size - last : 0;
		last = size - 1;
	} else {
		if (!take_digits(&text, &first) || *text++ != '-')
			return 0;
		if (!take_digits(&text, &last))
			last = UINT64_MAX;
		if (*text || last < first)
			return 0;
		if (first >= size)
			return -ERANGE;
		if (last >= size)
			last = size - 1;
	}
	*ret = (struct range){ first, last - first + 1 };
	*ret_is_part = true;
	return 0;
}

/* Whether @etag is in a list such as `W/"a", "b"`. */
static bool matches(const char *list, const char *etag)
{
	return list && (!strcmp(list, "*") || strstr(list, etag));
}

static void headers(struct MHD_Response *response, const struct artifact *a, const char *etag)
{
	char text[ARTIFACT_NAME_MAX + TASK_ID_MAX + 64];

	MHD_add_response_header(response, "Content-Type", type_of(a->name));
	MHD_add_response_header(response, "Accept-Ranges", "bytes");
	MHD_add_response_header(response, "Cache-Control", "private, no-cache");
	if (etag[0])
		MHD_add_response_header(response, "ETag", etag);
	if (ends_with(a->name, ".html")) {
		/* a page of ours, in an origin of its own: it cannot ask for other tasks */
		MHD_add_response_header(response, "Content-Security-Policy",
					"sandbox allow-scripts allow-downloads");
		return;
	}
	snprintf(text, sizeof(text), "attachment; filename=\"%s-%s\"", a->id, a->name);
	MHD_add_response_header(response, "Content-Disposition", text);
}

static http_result not_satisfiable(struct request *r, uint64_t size)
{
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
	char text[64];

	snprintf(text, sizeof(text), "bytes */%" PRIu64, size);
	if (response)
		MHD_add_response_header(response, "Content-Range", text);
	return reply_send(r, MHD_HTTP_RANGE_NOT_SATISFIABLE, response);
}

static http_result not_changed(struct request *r, const struct artifact *a, const char *etag)
{
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);

	if (response)
		headers(response, a, etag);
	return reply_send(r, MHD_HTTP_NOT_MODIFIED, response);
}

static http_result send_file(struct request *r, const struct artifact *a, int *fd, uint64_t size,
			     const char *etag)
{
	const char *if_range = request_header(r, "If-Range");
	struct MHD_Response *response;
	bool is_part = false;
	struct range range;
	char text[96];

	if (matches(request_header(r, "If-None-Match"), etag))
		return not_changed(r, a, etag);
	if (take_range(!if_range || (etag[0] && !strcmp(if_range, etag))
			   ? request_header(r, "Range")
			   : NULL,
		       size, &range, &is_part))
		return not_satisfiable(r, size);
	response = MHD_create_response_from_fd_at_offset64(range.bytes, *fd, range.from);
	if (!response)
		return reply_send(r, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
	take_fd(fd);
	headers(response, a, etag);
	if (is_part) {
		snprintf(text, sizeof(text), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range.from,
			 range.from + range.bytes - 1, size);
		MHD_add_response_header(response, "Content-Range", text);
	}
	atomic_fetch_add(&r->h->bytes_sent, range.bytes);
	return reply_send(r, is_part ? MHD_HTTP_PARTIAL_CONTENT : MHD_HTTP_OK, response);
}

http_result artifact_get(struct request *r, const char *rest)
{
	char expires[32] = "", token[SIGN_HEX + 1] = "", sha256[65], etag[80] = "";
	_cleanup_close_ int fd = -1;
	struct artifact a;
	uint64_t size;
	int err;

	request_argument(r, "expires", expires, sizeof(expires));
	request_argument(r, "validate_token", token, sizeof(token));
	if (!take_path(rest, &a))
		return reply_detail(r, MHD_HTTP_NOT_FOUND, "Not found.");
	switch (sign_check(&r->h->key, a.id, a.partial, a.name, expires, token,
			   clock_utc_ns() / NS_PER_S)) {
	case SIGN_WRONG:
		return reply_detail(r, MHD_HTTP_FORBIDDEN, "Access not authenticated");
	case SIGN_EXPIRED:
		return reply_detail(r, MHD_HTTP_FORBIDDEN,
				    "The URL has expired: ask for a new one at "
				    "profile_artifacts/.");
	case SIGN_GOOD:
		break;
	}
	err = store_artifact(r->h->store, a.id, a.partial, a.name, &fd, &size, sha256);
	if (err == -EMFILE || err == -ENFILE || err == -ENOMEM)
		return reply_detail(r, MHD_HTTP_SERVICE_UNAVAILABLE, "Too much at once.");
	if (err)
		return reply_detail(r, MHD_HTTP_NOT_FOUND, "Not found.");
	if (sha256[0])
		snprintf(etag, sizeof(etag), "\"%s\"", sha256);
	return send_file(r, &a, &fd, size, etag);
}
