/* web_assets.c - embeds files at build time: see report/embed.h.
 *
 *	-DSERVE_WEB_DIR='"dir"'
 */
#include "serve/web_assets.h"

#include "report/embed.h"

#if !defined(SERVE_WEB_DIR)
#error "define SERVE_WEB_DIR as a string literal"
#endif

EMBED(tasks_html, SERVE_WEB_DIR "/tasks.html");
EMBED(tasks_js, SERVE_WEB_DIR "/tasks.js");
EMBED(tasks_css, SERVE_WEB_DIR "/tasks.css");

static const struct embedded embedded[WEB_ASSETS] = {
	[WEB_TASKS_HTML] = { ENTRY(tasks_html) },
	[WEB_TASKS_JS] = { ENTRY(tasks_js) },
	[WEB_TASKS_CSS] = { ENTRY(tasks_css) },
};

struct asset web_asset(enum web_asset_name name)
{
	return (struct asset){ embedded[name].begin,
			       (size_t)(embedded[name].end - embedded[name].begin) };
}
