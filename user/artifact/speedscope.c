/* speedscope.c - see speedscope.h */
#include "artifact/speedscope.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/escape.h"

int speedscope_show(FILE *out, const struct profile_shown *f)
{
	fputs("{\"name\":", out);
	escape_json(out, f->name);
	if (f->file) {
		fputs(",\"file\":", out);
		escape_json(out, f->file);
	}
	if (f->file && f->line)
		fprintf(out, ",\"line\":%" PRIu32, f->line);
	fputc('}', out);
	return 0;
}

int speedscope_head(const struct profile_walk *w, const char *command, FILE *out)
{
	_cleanup_free_ char *name = profile_safe_name(command ? command : "");

	if (!name)
		return -ENOMEM;
	fputs("{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\n"
	      "\"exporter\":\"taskdiag-bpf " TASKDIAG_VERSION "\",\n\"name\":",
	      out);
	escape_json(out, name);
	fputs(",\n\"shared\":{\"frames\":[\n", out);
	for (uint32_t i = 0; i < strings_count(&w->labels); i++)
		fprintf(out, i ? ",\n%s" : "%s", profile_walk_label(w, i));
	fputs("]},\n\"profiles\":[\n", out);
	return 0;
}

void speedscope_tail(FILE *out)
{
	fputs("]}\n", out);
}

void speedscope_begin(const char *name, const char *unit, uint64_t sum, FILE *out)
{
	fputs("{\"type\":\"sampled\",\"name\":", out);
	escape_json(out, name);
	fprintf(out, ",\"unit\":\"%s\",\"startValue\":0,\"endValue\":%" PRIu64 ",\n\"samples\":[\n",
		unit, sum);
}

static const char *write_path(struct profile_walk *w, uint32_t node, const char *before, FILE *out)
{
	size_t length = 0;
	const uint32_t *path = profile_walk_path(w, node, &length);

	for (size_t i = 0; path && i < length; i++) {
		fprintf(out, "%s%" PRIu32, before, path[i]);
		before = ",";
	}
	return path ? before : NULL;
}

int speedscope_sample(struct profile_walk *w, size_t i, uint32_t root, uint32_t node, FILE *out)
{
	const char *before = "";

	fputs(i ? ",\n[" : "[", out);
	if (root != INTERN_NONE)
		before = write_path(w, root, before, out);
	if (!before || !write_path(w, node, before, out))
		return -ENOMEM;
	fputc(']', out);
	return 0;
}

void speedscope_weights(FILE *out)
{
	fputs("],\n\"weights\":[", out);
}

void speedscope_weight(size_t i, uint64_t weight, FILE *out)
{
	fprintf(out, i ? ",%" PRIu64 : "%" PRIu64, weight);
}

void speedscope_end(FILE *out)
{
	fputs("]}", out);
}
