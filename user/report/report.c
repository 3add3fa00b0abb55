/* report.c - the table of report kinds. */
#include "report/report.h"

#include <string.h>

const struct report_kind report_kinds[] = {
	{ "summary", NULL, "one screen: peak, who held it, what was lost", report_summary },
	{ "plot", "memory.svg", "the RSS curve as SVG", report_plot },
	{ "png", "memory.png", "the RSS curve as PNG (needs gnuplot)", report_png },
	{ "html", "report.html", "one offline page with zoomable curves and the processes",
	  report_html },
	{ NULL, NULL, NULL, NULL },
};

const struct report_kind *report_find(const char *name)
{
	for (const struct report_kind *k = report_kinds; k->name; k++)
		if (!strcmp(k->name, name))
			return k;
	return NULL;
}
