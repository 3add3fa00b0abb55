/* assets.c - embeds files at build time.
 *
 *	-DREPORT_WEB_DIR='"dir"' -DDYGRAPH_JS='"file"' -DDYGRAPH_CSS='"file"'
 *
 * Paths count from the working directory of the compiler, which cannot see that they changed: the
 * Makefile has to name them.
 */
#include "report/assets.h"

#if !defined(REPORT_WEB_DIR) || !defined(DYGRAPH_JS) || !defined(DYGRAPH_CSS)
#error "define REPORT_WEB_DIR, DYGRAPH_JS and DYGRAPH_CSS as string literals"
#endif

#include "report/embed.h"

EMBED(page_html, REPORT_WEB_DIR "/page.html");
EMBED(page_css, REPORT_WEB_DIR "/page.css");
EMBED(profile_css, REPORT_WEB_DIR "/profile.css");
EMBED(data_js, REPORT_WEB_DIR "/data.js");
EMBED(chart_js, REPORT_WEB_DIR "/chart.js");
EMBED(table_js, REPORT_WEB_DIR "/table.js");
EMBED(cgroup_js, REPORT_WEB_DIR "/cgroup.js");
EMBED(quality_js, REPORT_WEB_DIR "/quality.js");
EMBED(colours_js, REPORT_WEB_DIR "/colours.js");
EMBED(profile_js, REPORT_WEB_DIR "/profile.js");
EMBED(viewshapes_js, REPORT_WEB_DIR "/viewshapes.js");
EMBED(flame_js, REPORT_WEB_DIR "/flame.js");
EMBED(timeline_js, REPORT_WEB_DIR "/timeline.js");
EMBED(calltree_js, REPORT_WEB_DIR "/calltree.js");
EMBED(toptable_js, REPORT_WEB_DIR "/toptable.js");
EMBED(profilefacts_js, REPORT_WEB_DIR "/profilefacts.js");
EMBED(profileview_js, REPORT_WEB_DIR "/profileview.js");
EMBED(callview_js, REPORT_WEB_DIR "/callview.js");
EMBED(filters_js, REPORT_WEB_DIR "/filters.js");
EMBED(allocmodel_js, REPORT_WEB_DIR "/allocmodel.js");
EMBED(allocfacts_js, REPORT_WEB_DIR "/allocfacts.js");
EMBED(allocview_js, REPORT_WEB_DIR "/allocview.js");
EMBED(flame_svg_js, REPORT_WEB_DIR "/flame_svg.js");
EMBED(page_js, REPORT_WEB_DIR "/page.js");
EMBED(dygraph_js, DYGRAPH_JS);
EMBED(dygraph_css, DYGRAPH_CSS);

static const struct embedded embedded[ASSETS] = {
	[ASSET_PAGE_HTML] = { ENTRY(page_html) },
	[ASSET_PAGE_CSS] = { ENTRY(page_css) },
	[ASSET_PROFILE_CSS] = { ENTRY(profile_css) },
	[ASSET_DATA_JS] = { ENTRY(data_js) },
	[ASSET_CHART_JS] = { ENTRY(chart_js) },
	[ASSET_TABLE_JS] = { ENTRY(table_js) },
	[ASSET_CGROUP_JS] = { ENTRY(cgroup_js) },
	[ASSET_QUALITY_JS] = { ENTRY(quality_js) },
	[ASSET_COLOURS_JS] = { ENTRY(colours_js) },
	[ASSET_VIEWSHAPES_JS] = { ENTRY(viewshapes_js) },
	[ASSET_PROFILEFACTS_JS] = { ENTRY(profilefacts_js) },
	[ASSET_PROFILE_JS] = { ENTRY(profile_js) },
	[ASSET_FLAME_JS] = { ENTRY(flame_js) },
	[ASSET_TIMELINE_JS] = { ENTRY(timeline_js) },
	[ASSET_CALLTREE_JS] = { ENTRY(calltree_js) },
	[ASSET_TOPTABLE_JS] = { ENTRY(toptable_js) },
	[ASSET_PROFILEVIEW_JS] = { ENTRY(profileview_js) },
	[ASSET_CALLVIEW_JS] = { ENTRY(callview_js) },
	[ASSET_FILTERS_JS] = { ENTRY(filters_js) },
	[ASSET_ALLOCMODEL_JS] = { ENTRY(allocmodel_js) },
	[ASSET_ALLOCFACTS_JS] = { ENTRY(allocfacts_js) },
	[ASSET_ALLOCVIEW_JS] = { ENTRY(allocview_js) },
	[ASSET_FLAME_SVG_JS] = { ENTRY(flame_svg_js) },
	[ASSET_PAGE_JS] = { ENTRY(page_js) },
	[ASSET_DYGRAPH_JS] = { ENTRY(dygraph_js) },
	[ASSET_DYGRAPH_CSS] = { ENTRY(dygraph_css) },
};

struct asset asset_get(enum asset_name name)
{
	return (struct asset){ embedded[name].begin,
			       (size_t)(embedded[name].end - embedded[name].begin) };
}
