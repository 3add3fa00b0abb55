/* report.c - the table of report kinds. */
#include "report/report.h"

#include <string.h>

const struct report_kind report_kinds[] = {
	{ "summary", NULL, report_summary },
	{ "plot", "memory.svg", report_plot },
	{ "png", "memory.png", report_png },
	{ "html", "report.html", report_html },
	{ "tree", NULL, report_tree },
	{ "top", NULL, report_top },
	{ "flamegraph", "flamegraph.svg", report_flamegraph },
	{ "tree --allocations", NULL, report_alloc_tree },
	{ "top --allocations", NULL, report_alloc_functions },
	{ "flamegraph --allocations", "allocations.svg", report_alloc_flamegraph },
	{ "table", NULL, report_alloc_table },
	{ "leaks", NULL, report_alloc_leaks },
	{ "--allocations --json", NULL, report_alloc_json },
	{ NULL, NULL, NULL },
};

const struct report_kind *report_find(const char *name)
{
	for (const struct report_kind *k = report_kinds; k->name; k++)
		if (!strcmp(k->name, name))
			return k;
	return NULL;
}
