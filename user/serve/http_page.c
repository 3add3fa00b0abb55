/* http_page.c - the page: tasks, and the curves of those that run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/assets.h"
#include "serve/http_private.h"
#include "serve/web_assets.h"

#define PREFIX "@PREFIX@"
/* nothing but our own files; dygraphs sets styles by script, which this allows */
#define POLICY                                                                          \
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " \
	"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static http_result reply_asset(struct request *r, const char *type, struct asset asset)
{
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(asset.size, (void *)asset.text, MHD_RESPMEM_PERSISTENT);

	if (response) {
		MHD_add_response_header(response, "Content-Type", type);
		MHD_add_response_header(response, "Cache-Control", "no-cache");
	}
	return reply_send(r, MHD_HTTP_OK, response);
}

/* The page knows its server's prefix by an attribute. */
static http_result reply_page(struct request *r)
{
	struct asset page = web_asset(WEB_TASKS_HTML);
	const char *at = memmem(page.text, page.size, PREFIX, strlen(PREFIX));
	_cleanup_free_ char *prefix = escape_xml(r->h->config.prefix), *text = NULL;
	struct MHD_Response *response = NULL;
	int n = -1;

	if (at && prefix)
		n = asprintf(&text, "%.*s%s%.*s", (int)(at - page.text), page.text, prefix,
			     (int)(page.size - (at - page.text) - strlen(PREFIX)),
			     at + strlen(PREFIX));
	if (n >= 0)
		response = MHD_create_response_from_buffer(n, text, MHD_RESPMEM_MUST_COPY);
	else
		text = NULL;
	if (response) {
		MHD_add_response_header(response, "Content-Type", "text/html; charset=utf-8");
		MHD_add_response_header(response, "Content-Security-Policy", POLICY);
	}
	return reply_send(r, MHD_HTTP_OK, response);
}

http_result page_get(struct request *r, const char *path)
{
	static const char js[] = "text/javascript; charset=utf-8";
	static const char css[] = "text/css; charset=utf-8";

	if (!strcmp(path, "/"))
		return reply_page(r);
	if (!strcmp(path, "/web/tasks.js"))
		return reply_asset(r, js, web_asset(WEB_TASKS_JS));
	if (!strcmp(path, "/web/tasks.css"))
		return reply_asset(r, css, web_asset(WEB_TASKS_CSS));
	if (!strcmp(path, "/web/dygraph.js"))
		return reply_asset(r, js, asset_get(ASSET_DYGRAPH_JS));
	if (!strcmp(path, "/web/dygraph.css"))
		return reply_asset(r, css, asset_get(ASSET_DYGRAPH_CSS));
	return reply_detail(r, MHD_HTTP_NOT_FOUND, "Not found.");
}
