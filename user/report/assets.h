/* assets.h - the files of web/ and dygraphs, part of the binary since its build. */
#ifndef TASKDIAG_REPORT_ASSETS_H
#define TASKDIAG_REPORT_ASSETS_H

#include <stddef.h>

struct asset {
	const char *text; /* UTF-8, not NUL-terminated */
	size_t size;
};

enum asset_name {
	ASSET_PAGE_HTML,
	ASSET_PAGE_CSS,
	ASSET_PROFILE_CSS,
	ASSET_DATA_JS,
	ASSET_CHART_JS,
	ASSET_TABLE_JS,
	ASSET_QUALITY_JS,
	ASSET_COLOURS_JS,
	ASSET_PROFILE_JS,
	ASSET_VIEWSHAPES_JS,
	ASSET_FLAME_JS,
	ASSET_TIMELINE_JS,
	ASSET_CALLTREE_JS,
	ASSET_TOPTABLE_JS,
	ASSET_PROFILEFACTS_JS,
	ASSET_PROFILEVIEW_JS,
	ASSET_PAGE_JS,
	ASSET_FLAME_SVG_JS,
	ASSET_DYGRAPH_JS,
	ASSET_DYGRAPH_CSS,
	ASSETS
};

struct asset asset_get(enum asset_name name);

#endif
