/* http_reply.c - answers, and what is read of a request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve/http_private.h"

http_result reply_send(struct request *r, unsigned status, struct MHD_Response *response)
{
	http_result sent;

	if (!response) {
		atomic_fetch_add(&r->h->errors, 1);
		return MHD_NO;
	}
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Referrer-Policy", "same-origin");
	MHD_add_response_header(response, "Allow", "GET, HEAD");
	if (!MHD_get_response_header(response, "Cache-Control"))
		MHD_add_response_header(response, "Cache-Control", "no-store");
	if (status >= 500)
		atomic_fetch_add(&r->h->errors, 1);
	else if (status >= 400)
		atomic_fetch_add(&r->h->refused, 1);
	sent = MHD_queue_response(r->connection, status, response);
	MHD_destroy_response(response);
	return sent;
}

http_result reply_text(struct request *r, unsigned status, const char *type, const char *text,
		       size_t size)
{
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(size, (void *)text, MHD_RESPMEM_MUST_COPY);

	if (response)
		MHD_add_response_header(response, "Content-Type", type);
	atomic_fetch_add(&r->h->bytes_sent, size);
	return reply_send(r, status, response);
}

http_result reply_json(struct request *r, unsigned status, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	struct MHD_Response *response = NULL;

	json_decref(json);
	if (text) {
		atomic_fetch_add(&r->h->bytes_sent, strlen(text));
		response =
		    MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	}
	if (response) {
		MHD_add_response_header(response, "Content-Type", "application/json");
		if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
			MHD_add_response_header(response, "Retry-After", "2");
	}
	return reply_send(r, status, response);
}

http_result reply_detail(struct request *r, unsigned status, const char *detail)
{
	return reply_json(r, status, json_pack("{s:s}", "detail", detail));
}

const char *request_header(const struct request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

bool request_argument(const struct request *r, const char *name, char *ret, size_t size)
{
	const char *value = MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name);

	if (!value || snprintf(ret, size, "%s", value) >= (int)size)
		return false;
	for (char *c = ret; *c; c++)
		if (*c == '+')
			*c = ' ';
	MHD_http_unescape(ret);
	return true;
}

void request_origin(const struct request *r, char *ret, size_t size)
{
	const struct http_config *config = &r->h->config;
	const char *host = request_header(r, "Host");
	size_t n;

	if (!config->external_url) {
		snprintf(ret, size, "%s://%s", config->tls_certificate ? "https" : "http",
			 host ? host : "localhost");
		return;
	}
	snprintf(ret, size, "%s", config->external_url);
	for (n = strlen(ret); n && ret[n - 1] == '/'; n--)
		ret[n - 1] = 0;
}
