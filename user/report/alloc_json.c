/* alloc_json.c - allocations → JSON: one document, its entries a line each, most bytes first.
 * docs/artifact-format.md defines it. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/alloc_json.h"
#include "report/report.h"

#define ENTRIES 10000u	      /* without --full; the rest is one number */
#define FRAMES_MAX (4u << 20) /* written at all, of all entries */

struct json {
	FILE *out;
	const struct alloc_view *view;
	size_t frames; /* written */
};

void alloc_json_string(FILE *out, const char *key, const char *value)
{
	fprintf(out, "\"%s\":", key);
	if (value)
		escape_json(out, value);
	else
		fputs("null", out);
}

void alloc_json_frame(FILE *out, const struct function_info *f)
{
	fputc('{', out);
	alloc_json_string(out, "function", f->name);
	fputc(',', out);
	alloc_json_string(out, "file", f->file);
	if (f->line)
		fprintf(out, ",\"line\":%" PRIu32, f->line);
	else
		fputs(",\"line\":null", out);
	fputc(',', out);
	alloc_json_string(out, "module", f->module);
	fputc('}', out);
}

void alloc_json_head(FILE *out, const struct run *r, const struct allocations *a,
		     enum alloc_kind kind)
{
	const struct allocations_facts *facts = allocations_facts(a);
	struct allocation_entry all = allocations_sum(a);
	struct allocation_sum sum = alloc_sum_of(&all, kind);

	alloc_json_string(out, "task", run_string(r, "task.id"));
	fputc(',', out);
	alloc_json_string(out, "source", facts->resident ? "resident" : "heap");
	fputc(',', out);
	alloc_json_string(out, "kind", alloc_kind_names[kind]);
	fprintf(out,
		",\"exact\":%s,\"gap_bytes\":%" PRIu64 ",\"peak_bytes\":%" PRIu64
		",\"peak_time_s\":%.9f,\"total\":{\"bytes\":%" PRIu64 ",\"count\":%" PRIu64
		",\"error_95_bytes\":%" PRIu64 "}",
		facts->exact ? "true" : "false", facts->gap_bytes, facts->peak_bytes,
		(double)facts->peak_ns / 1e9, sum.bytes, sum.count,
		kind == ALLOC_PEAK ? all.error_95_bytes : 0);
}

/* Outermost first. */
static int put_stack(struct json *j, uint32_t stack)
{
	const struct profile *p = j->view->names;
	_cleanup_free_ uint32_t *path = NULL;
	size_t depth = 0, i = 0;

	for (uint32_t s = stack; s != PROFILE_NO_STACK; s = profile_stack_parent(p, s))
		depth++;
	j->frames += depth;
	path = calloc(depth + 1, sizeof(*path));
	if (!path)
		return -ENOMEM;
	for (uint32_t s = stack; s != PROFILE_NO_STACK; s = profile_stack_parent(p, s))
		path[i++] = profile_stack_frame(p, s);
	fputs("\"stack\":[", j->out);
	while (i-- > 0) {
		alloc_json_frame(j->out,
				 &j->view->functions.all[j->view->functions.of_frame[path[i]]]);
		if (i)
			fputc(',', j->out);
	}
	fputc(']', j->out);
	return 0;
}

static int put_entry(struct json *j, const struct allocation_entry *e)
{
	struct allocation_sum sum = alloc_sum_of(e, j->view->kind);
	const struct profile *p = j->view->names;
	const struct profile_thread *t = profile_thread_at(p, e->thread);
	const struct profile_process *x = profile_process_at(p, t->process);

	fprintf(j->out, "{\"bytes\":%" PRIu64 ",\"count\":%" PRIu64 ",\"error_95_bytes\":%" PRIu64,
		sum.bytes, sum.count, j->view->kind == ALLOC_PEAK ? e->error_95_bytes : 0);
	fputc(',', j->out);
	alloc_json_string(j->out, "allocator", allocator_name(e->allocator));
	fputc(',', j->out);
	alloc_json_string(j->out, "process", x->name);
	fprintf(j->out, ",\"pid\":%" PRIu32 ",", x->pid);
	alloc_json_string(j->out, "thread", t->name);
	fprintf(j->out, ",\"tid\":%" PRIu32 ",", t->tid);
	if (put_stack(j, e->stack))
		return -ENOMEM;
	fputc('}', j->out);
	return 0;
}

static int by_bytes(const void *x, const void *y, void *context)
{
	const struct alloc_view *v = context;
	uint32_t i = *(const uint32_t *)x, j = *(const uint32_t *)y;
	uint64_t a = alloc_sum_of(allocations_at(v->allocations, i), v->kind).bytes,
		 b = alloc_sum_of(allocations_at(v->allocations, j), v->kind).bytes;

	if (a != b)
		return a > b ? -1 : 1;
	return i < j ? -1 : i > j;
}

static int put_entries(struct json *j, size_t limit)
{
	const struct alloc_view *v = j->view;
	struct allocation_sum rest = {};
	size_t i;

	fputs(",\"entries\":[", j->out);
	for (i = 0; i < v->n && i < limit && j->frames < FRAMES_MAX; i++) {
		fputs(i ? ",\n" : "\n", j->out);
		if (put_entry(j, allocations_at(v->allocations, v->items[i])))
			return -ENOMEM;
	}
	for (size_t k = i; k < v->n; k++) {
		struct allocation_sum sum =
		    alloc_sum_of(allocations_at(v->allocations, v->items[k]), v->kind);

		rest.bytes += sum.bytes;
		rest.count += sum.count;
	}
	fprintf(j->out,
		"\n],\"omitted\":{\"entries\":%zu,\"bytes\":%" PRIu64 ",\"count\":%" PRIu64 "}}\n",
		v->n - i, rest.bytes, rest.count);
	return 0;
}

int report_alloc_json(const struct run *r, const struct report_style *style, FILE *out)
{
	const struct allocations *a = run_allocations(r, style->resident);
	struct alloc_view v;
	struct json j = { .out = out, .view = &v };
	int err;

	if (!a)
		return -ENODATA;
	err = alloc_view_init(&v, a, style->kind, CALLS_MERGED, true);
	if (err)
		return err;
	/* nodes are not asked for: they need not follow */
	qsort_r(v.items, v.n, sizeof(*v.items), by_bytes, &v);
	fputs("{\"format\":1,", out);
	alloc_json_head(out, r, a, v.kind);
	err = put_entries(&j, style->full ? SIZE_MAX : ENTRIES);
	alloc_view_done(&v);
	return !err && (fflush(out) || ferror(out)) ? -EIO : err;
}
