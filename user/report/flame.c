/* flame.c - see flame.h: the task at the bottom, what is called above its caller.
 *
 * Without scripts it is a picture with tooltips; with them (flame_svg.js, our own, inside) a click
 * zooms and "/" searches. Names stand in text only, escaped.
 */
#include "report/flame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/assets.h"
#include "report/facts.h"
#include "report/profile_facts.h"

/* user units = pixels */
#define WIDTH 1200.0
#define SIDE 10.0
#define ROW 18.0
#define HEAD 62.0
#define FOOT 26.0
#define LETTER 6.7 /* width of one, of 11 px monospace */
#define WIDTH_MIN 0.3
#define LEVELS_MAX 1000u

static const struct {
	int hue, saturation, light; /* of the lightest */
} colours[] = {
	[FUNCTION_OWN] = { 28, 88, 66 },
	[FUNCTION_PYTHON] = { 54, 84, 62 },
	[FUNCTION_LIBRARY] = { 205, 55, 74 },
	[FUNCTION_KERNEL] = { 2, 64, 72 },
	[FUNCTION_PYTHON_LIBRARY] = { 92, 42, 76 },
};

static double width_of(const struct flame *f, uint64_t marks)
{
	return (double)marks / (double)f->calls.nodes[CALLS_ROOT].marks * (WIDTH - 2 * SIDE);
}

static bool is_drawn(const struct flame *f, uint32_t i)
{
	return width_of(f, f->calls.nodes[i].marks) >= WIDTH_MIN && f->depth[i] < LEVELS_MAX;
}

/* Parents come before their children, so one pass places them all. */
static void place(struct flame *f)
{
	for (uint32_t i = 0; i < f->calls.n; i++) {
		double x = f->x[i];

		for (uint32_t c = f->calls.nodes[i].first_child; c != CALLS_NONE;
		     c = f->calls.nodes[c].next_sibling) {
			f->x[c] = x;
			f->depth[c] = f->depth[i] + 1;
			x += (double)f->calls.nodes[c].marks;
		}
		if (is_drawn(f, i) && f->depth[i] >= f->levels)
			f->levels = f->depth[i] + 1;
	}
}

static double height_of(const struct flame *f)
{
	return HEAD + f->levels * ROW + FOOT;
}

/* "name", "name-pid", "thread 12", "[lock]"; and what stands behind it. */
static int name_of(const struct flame *f, uint32_t i, char **ret_name, char **ret_place)
{
	const struct calls_node *n = &f->calls.nodes[i];
	const struct profile *p = f->profile;
	const struct profile_thread *t;

	*ret_name = NULL;
	*ret_place =
	    n->kind == CALLS_FUNCTION ? function_place(&f->functions.all[n->id]) : strdup("");
	if (n->kind == CALLS_FUNCTION)
		*ret_name = strdup(f->functions.all[n->id].name);
	else if (n->kind == CALLS_PROCESS)
		*ret_name = strdup(profile_process_at(p, n->id)->name);
	else if (n->kind == CALLS_CAUSE)
		*ret_name = strdup(profile_cause_at(p, n->id)->name);
	else if (n->kind == CALLS_ALL)
		*ret_name = strdup("all");
	else {
		t = profile_thread_at(p, n->id);
		if (fact_names_tid(t))
			*ret_name = strdup(t->name);
		else if (asprintf(ret_name, "%s (tid %u)", t->name, t->tid) < 0)
			*ret_name = NULL;
	}
	return *ret_name && *ret_place ? 0 : -ENOMEM;
}

static void put_fill(const struct flame *f, const struct calls_node *n, const char *name)
{
	unsigned h = 5381;

	for (; *name; name++)
		h = h * 33 + (unsigned char)*name;
	if (n->kind == CALLS_CAUSE) {
		fprintf(f->out, "hsl(%u,%u%%,%u%%)", 262 + h % 30, 34u, 78 + h / 32 % 8);
	} else if (n->kind != CALLS_FUNCTION) {
		fputs("hsl(215,14%,84%)", f->out);
	} else {
		int kind = (int)f->functions.all[n->id].kind;

		fprintf(f->out, "hsl(%d,%d%%,%d%%)", colours[kind].hue + (int)(h % 17) - 8,
			colours[kind].saturation, colours[kind].light + (int)(h / 32 % 9) - 4);
	}
}

static int put_label(const struct flame *f, const char *name, double x, double y, double width)
{
	unsigned columns = (unsigned)((width - 6) / LETTER);
	_cleanup_free_ char *cut = NULL, *safe = NULL;

	if (width < 6 + 3 * LETTER) {
		fputs("<text/>", f->out);
		return 0;
	}
	cut = escape_terminal(name, f->style->utf8, columns);
	safe = cut ? escape_xml(cut) : NULL;
	if (!safe)
		return -ENOMEM;
	fprintf(f->out, "<text x=\"%.1f\" y=\"%.1f\">%s</text>", x + 3, y + 13, safe);
	return 0;
}

static int put_box(const struct flame *f, uint32_t i)
{
	const struct calls_node *n = &f->calls.nodes[i];
	_cleanup_free_ char *name = NULL, *where = NULL;
	_cleanup_free_ char *safe_name = NULL, *safe_where = NULL;
	double x = SIDE + f->x[i] / (double)f->calls.nodes[CALLS_ROOT].marks * (WIDTH - 2 * SIDE),
	       y = HEAD + (f->levels - 1 - f->depth[i]) * ROW, width = width_of(f, n->marks);
	int err = name_of(f, i, &name, &where);

	safe_name = err ? NULL : escape_xml(name);
	safe_where = err ? NULL : escape_xml(where);
	if (!safe_name || !safe_where)
		return -ENOMEM;
	fprintf(f->out, "<g><title>%s%s%s\n", safe_name, *where ? "  " : "", safe_where);
	f->numbers(f, i);
	fprintf(f->out,
		"</title><rect x=\"%.2f\" y=\"%.0f\" width=\"%.2f\" height=\"%.0f\" fill=\"", x, y,
		width, ROW - 1);
	put_fill(f, n, name);
	fputs("\"/>", f->out);
	err = put_label(f, name, x, y, width);
	fputs("</g>\n", f->out);
	return err;
}

/* What the colours mean, from the right; the width of a word is a guess on the safe side. */
static void put_legend(const struct flame *f)
{
	static const enum function_kind order[] = { FUNCTION_KERNEL, FUNCTION_LIBRARY, FUNCTION_OWN,
						    FUNCTION_PYTHON_LIBRARY, FUNCTION_PYTHON };
	bool seen[FUNCTION_KINDS] = { false };
	double x = WIDTH - SIDE;

	for (size_t i = 0; i < f->functions.n; i++)
		seen[f->functions.all[i].kind] = true;
	fputs("<g id=\"legend\" font-family=\"sans-serif\">", f->out);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		const char *name = function_kind_names[order[i]];

		if (!seen[order[i]])
			continue;
		x -= LETTER * (double)strlen(name) + 22;
		fprintf(f->out,
			"<rect x=\"%.1f\" y=\"33\" width=\"11\" height=\"11\" rx=\"2\" "
			"fill=\"hsl(%d,%d%%,%d%%)\"/><text x=\"%.1f\" y=\"42\">%s</text>",
			x, colours[order[i]].hue, colours[order[i]].saturation,
			colours[order[i]].light, x + 15, name);
	}
	fputs("</g>\n", f->out);
}

static int put_head(const struct flame *f)
{
	_cleanup_free_ char *title = escape_xml(f->title), *name = escape_xml(f->name),
			    *line = escape_xml(f->line), *description = escape_xml(f->description);

	if (!title || !name || !line || !description)
		return -ENOMEM;
	fprintf(
	    f->out,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
	    "viewBox=\"0 0 %.0f %.0f\" font-family=\"ui-monospace, 'DejaVu Sans Mono', monospace\" "
	    "font-size=\"11\" fill=\"#1b222c\">\n"
	    "<title>%s</title>\n<desc>%s</desc>\n"
	    "<rect width=\"%.0f\" height=\"%.0f\" fill=\"#ffffff\"/>\n"
	    "<text x=\"%.0f\" y=\"23\" font-size=\"15\" font-weight=\"bold\" "
	    "font-family=\"sans-serif\">%s</text>\n"
	    "<text id=\"tools\" x=\"%.0f\" y=\"23\" text-anchor=\"end\" "
	    "font-family=\"sans-serif\"/>\n"
	    "<text x=\"%.0f\" y=\"42\" font-family=\"sans-serif\">%s</text>\n",
	    WIDTH, height_of(f), WIDTH, height_of(f), title, description, WIDTH, height_of(f), SIDE,
	    name, WIDTH - SIDE, SIDE, line);
	put_legend(f);
	return 0;
}

static int put_foot(const struct flame *f)
{
	struct asset script = asset_get(ASSET_FLAME_SVG_JS);

	fprintf(f->out,
		"</g>\n<text id=\"details\" x=\"%.0f\" y=\"%.0f\" "
		"font-family=\"sans-serif\" fill=\"#566171\">",
		SIDE, height_of(f) - 9);
	if (f->left_out)
		fprintf(f->out, "%s calls are too narrow or too deep to be drawn",
			fact_count((double)f->left_out).s);
	fputs("</text>\n<script><![CDATA[\n", f->out);
	fwrite(script.text, 1, script.size, f->out);
	fputs("]]></script>\n</svg>\n", f->out);
	return fflush(f->out) || ferror(f->out) ? -EIO : 0;
}

static int put_svg(struct flame *f)
{
	int err;

	place(f);
	err = put_head(f);
	if (err)
		return err;
	fprintf(f->out, "<g id=\"boxes\" data-side=\"%.0f\" data-width=\"%.0f\">\n", SIDE,
		WIDTH - 2 * SIDE);
	for (uint32_t i = 0; !err && i < f->calls.n; i++) {
		if (is_drawn(f, i))
			err = put_box(f, i);
		else
			f->left_out++;
	}
	return err ? err : put_foot(f);
}

int flame_write(struct flame *f)
{
	int err;

	f->x = calloc(f->calls.n, sizeof(*f->x));
	f->depth = calloc(f->calls.n, sizeof(*f->depth));
	err = f->x && f->depth ? put_svg(f) : -ENOMEM;
	free(f->x);
	free(f->depth);
	f->x = NULL;
	f->depth = NULL;
	return err;
}
