/* html.c - run → one offline page.
 *
 *	page.html ◄── policy (hashes of what follows), styles, run data as JSON, dygraphs, our
 *modules
 *
 * The policy allows nothing but the very scripts and styles written here: a name that breaks out of
 *its place still cannot act, and the page never reaches for a network.
 */
#include <errno.h>
#include <sha2.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/alloc_payload.h"
#include "report/assets.h"
#include "report/facts.h"
#include "report/findings.h"
#include "report/payload.h"
#include "report/profile_payload.h"
#include "report/report.h"

#define HASH_SIZE sizeof("sha256-0123456789012345678901234567890123456789012=")

/* An inline script or style and the hash that allows it. */
struct block {
	char *text;
	size_t size;
	char hash[HASH_SIZE];
};

struct page {
	struct run run; /* of the caller, but for its allocations */
	char *problem;	/* why there are none; NULL: there are, or none were asked for */
	FILE *out;
	struct block style, dygraph, script;
};

static void page_done(struct page *p)
{
	free(p->style.text);
	free(p->dygraph.text);
	free(p->script.text);
	free(p->problem);
}

static void base64(const uint8_t *data, size_t size, char *out)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < size; i += 3, out += 4) {
		uint32_t v = (uint32_t)data[i] << 16;

		v |= i + 1 < size ? (uint32_t)data[i + 1] << 8 : 0;
		v |= i + 2 < size ? data[i + 2] : 0;
		out[0] = digits[v >> 18];
		out[1] = digits[v >> 12 & 63];
		out[2] = i + 1 < size ? digits[v >> 6 & 63] : '=';
		out[3] = i + 2 < size ? digits[v & 63] : '=';
	}
	*out = '\0';
}

static void hash_block(struct block *b)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	SHA2_CTX context;

	SHA256Init(&context);
	SHA256Update(&context, (const uint8_t *)b->text, b->size);
	SHA256Final(digest, &context);
	memcpy(b->hash, "sha256-", 7);
	base64(digest, sizeof(digest), b->hash + 7);
}

/* A source map is a file that the page does not have: the comment that names it goes. */
static size_t size_without_map(struct asset a)
{
	static const char mark[] = "# sourceMappingURL=";
	const char *at = memmem(a.text, a.size, mark, sizeof(mark) - 1);

	return at && at - a.text >= 2 ? (size_t)(at - a.text) - 2 : a.size;
}

/* Inside a block the parser must see neither its end nor anything that it would change before
 * hashing. */
static bool is_inlinable(const struct block *b)
{
	static const char *const forbidden[] = { "</script", "</style", "<!--", "\r" };

	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		if (strcasestr(b->text, forbidden[i]))
			return false;
	return strlen(b->text) == b->size;
}

static int make_block(struct block *b, const enum asset_name *names, size_t n)
{
	FILE *f = open_memstream(&b->text, &b->size);

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct asset a = asset_get(names[i]);

		fwrite(a.text, 1, size_without_map(a), f);
		fputc('\n', f);
	}
	if (fclose(f))
		return -ENOMEM;
	if (!is_inlinable(b))
		return -EINVAL;
	hash_block(b);
	return 0;
}

static int put_policy(struct page *p)
{
	fprintf(p->out,
		"default-src 'none'; script-src '%s' '%s'; style-src '%s'; base-uri 'none'; "
		"form-action 'none'",
		p->dygraph.hash, p->script.hash, p->style.hash);
	return 0;
}

static bool has_allocations(const struct page *p)
{
	return p->run.allocations || p->run.resident || p->problem;
}

static int put_title(struct page *p)
{
	const char *id = run_string(&p->run, "task.id");
	_cleanup_free_ char *safe = escape_xml(id ? id : "unnamed task");
	const char *kinds[3];
	size_t n = 0;

	if (!safe)
		return -ENOMEM;
	if (run_get(&p->run, "diagnostics.memory") || !(p->run.profile || has_allocations(p)))
		kinds[n++] = "memory";
	if (p->run.profile)
		kinds[n++] = "profile";
	if (has_allocations(p))
		kinds[n++] = "allocations";
	fprintf(p->out, "%s: ", safe);
	for (size_t i = 0; i < n; i++)
		fprintf(p->out, "%s%s", !i ? "" : i + 1 < n ? ", " : " and ", kinds[i]);
	return 0;
}

static int put_style(struct page *p)
{
	fwrite(p->style.text, 1, p->style.size, p->out);
	return 0;
}

static int put_dygraph(struct page *p)
{
	fwrite(p->dygraph.text, 1, p->dygraph.size, p->out);
	return 0;
}

static int put_script(struct page *p)
{
	fwrite(p->script.text, 1, p->script.size, p->out);
	return 0;
}

static int put_run(struct page *p)
{
	return payload_write(&p->run, p->out);
}

static char *findings_text(const struct findings *f)
{
	_cleanup_free_ char *json = NULL;
	size_t size;
	FILE *out = open_memstream(&json, &size);
	int err;

	if (!out)
		return NULL;
	err = findings_json(f, out);
	return fclose(out) || err ? NULL : escape_xml(json);
}

/* What stands out, as an attribute; computed here, so that the page and the summary say the same.
 */
static int put_findings(struct page *p)
{
	_cleanup_free_ char *text = NULL;
	struct findings f;
	int err = findings_init(&f, &p->run);

	if (err)
		return err;
	text = findings_text(&f);
	findings_done(&f);
	if (!text)
		return -ENOMEM;
	fputs(text, p->out);
	return 0;
}

/* Data, not a script: the policy has nothing to allow. */
static int put_profile(struct page *p)
{
	int err;

	if (!p->run.profile)
		return 0;
	fputs("<script type=\"application/octet-stream;base64\" id=\"profile\">", p->out);
	err = profile_payload_write(&p->run, p->out);
	fputs("</script>\n", p->out);
	return err;
}

static int put_source(struct page *p, const char *id, const struct allocations *a)
{
	int err;

	if (!a)
		return 0;
	fprintf(p->out, "<script type=\"application/octet-stream;base64\" id=\"%s\">", id);
	err = alloc_payload_write(&p->run, a, p->out);
	fputs("</script>\n", p->out);
	return err;
}

static int put_allocations(struct page *p)
{
	int err = put_source(p, "allocations", p->run.allocations);

	if (!err)
		err = put_source(p, "resident", p->run.resident);
	if (p->problem) {
		fputs("<script type=\"application/json\" id=\"allocations-problem\">", p->out);
		escape_json(p->out, p->problem);
		fputs("</script>\n", p->out);
	}
	return err;
}

/* What a browser without scripts shows. */
static int put_plain(struct page *p)
{
	_cleanup_free_ char *command = fact_command(&p->run),
			    *end = fact_end(run_get(&p->run, "task"));
	_cleanup_free_ char *safe_command = command ? escape_xml(command) : NULL;
	_cleanup_free_ char *safe_end = end ? escape_xml(end) : NULL;
	double bytes, time_s;

	if (!safe_command || !safe_end)
		return -ENOMEM;
	fprintf(p->out, "%s: %s", safe_command, safe_end);
	if (!fact_peak(&p->run, &bytes, &time_s))
		fprintf(p->out, ", peak RSS %s at %s", fact_mb(bytes).s, fact_seconds(time_s).s);
	return 0;
}

/* The places of page.html, written {{name}}. */
static const struct place {
	const char *name;
	int (*put)(struct page *p);
} places[] = {
	{ "{{policy}}", put_policy },	  { "{{title}}", put_title },
	{ "{{style}}", put_style },	  { "{{plain}}", put_plain },
	{ "{{findings}}", put_findings }, { "{{run}}", put_run },
	{ "{{dygraph}}", put_dygraph },	  { "{{script}}", put_script },
	{ "{{profile}}", put_profile },	  { "{{allocations}}", put_allocations },
};

static const struct place *place_at(const char *text, size_t size)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		size_t n = strlen(places[i].name);

		if (n <= size && !memcmp(text, places[i].name, n))
			return &places[i];
	}
	return NULL;
}

static int put_page(struct page *p)
{
	struct asset template = asset_get(ASSET_PAGE_HTML);
	const char *end = template.text + template.size;
	const struct place *place;
	int err;

	for (const char *at = template.text; at < end;) {
		place = *at == '{' ? place_at(at, (size_t)(end - at)) : NULL;
		if (!place) {
			fputc(*at++, p->out);
			continue;
		}
		err = place->put(p);
		if (err)
			return err;
		at += strlen(place->name);
	}
	return fflush(p->out) || ferror(p->out) ? -EIO : 0;
}

/* They are read here when the caller has not: a page without its allocations would not say that it
 * lacks them. Damaged ones are told in their tab; the rest of the page is as good as ever. */
static int load_allocations(struct page *p)
{
	if (p->run.allocations || p->run.resident)
		return 0;
	return run_load_allocations(&p->run, &p->problem) == -ENOMEM ? -ENOMEM : 0;
}

/* Only those that load_allocations() has read. */
static void unload_allocations(struct page *p, const struct run *r)
{
	if (p->run.allocations != r->allocations)
		allocations_free(p->run.allocations);
	if (p->run.resident != r->resident)
		allocations_free(p->run.resident);
}

int report_html(const struct run *r, const struct report_style *style, FILE *out)
{
	static const enum asset_name styles[] = { ASSET_DYGRAPH_CSS, ASSET_PAGE_CSS,
						  ASSET_PROFILE_CSS };
	static const enum asset_name dygraph[] = { ASSET_DYGRAPH_JS };
	static const enum asset_name modules[] = {
		ASSET_DATA_JS,	       ASSET_CHART_JS,	    ASSET_TABLE_JS,
		ASSET_CGROUP_JS,       ASSET_QUALITY_JS,    ASSET_COLOURS_JS,
		ASSET_VIEWSHAPES_JS,   ASSET_PROFILE_JS,    ASSET_FLAME_JS,
		ASSET_TIMELINE_JS,     ASSET_CALLTREE_JS,   ASSET_TOPTABLE_JS,
		ASSET_PROFILEFACTS_JS, ASSET_CALLVIEW_JS,   ASSET_FILTERS_JS,
		ASSET_PROFILEVIEW_JS,  ASSET_ALLOCMODEL_JS, ASSET_ALLOCFACTS_JS,
		ASSET_ALLOCVIEW_JS,    ASSET_PAGE_JS,
	};
	struct page p = { .run = *r, .out = out };
	int err;

	(void)style;
	err = load_allocations(&p);
	if (!err)
		err = make_block(&p.style, styles, sizeof(styles) / sizeof(styles[0]));
	if (!err)
		err = make_block(&p.dygraph, dygraph, 1);
	if (!err)
		err = make_block(&p.script, modules, sizeof(modules) / sizeof(modules[0]));
	if (!err)
		err = put_page(&p);
	unload_allocations(&p, r);
	page_done(&p);
	return err;
}
