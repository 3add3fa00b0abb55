/* alloc_flamegraph.c - allocations → one standalone SVG: a box per call, as wide as its share of
 * the bytes. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "report/alloc_facts.h"
#include "report/flame.h"
#include "report/report.h"

static void numbers(const struct flame *f, uint32_t i)
{
	const struct alloc_view *v = f->context;
	const struct calls_node *n = &f->calls.nodes[i];
	double error = alloc_view_error(v, i);

	fputs(fact_bytes((double)n->marks).s, f->out);
	if (error > 0)
		fprintf(f->out, " %s %s", alloc_plus_minus(true), fact_bytes(error).s);
	fprintf(f->out, ", %.2f %%, %s %s; self %s",
		100.0 * (double)n->marks / fmax(1, (double)f->calls.nodes[CALLS_ROOT].marks),
		fact_count((double)n->cpu_marks).s,
		alloc_piece(v->allocations, (double)n->cpu_marks),
		fact_bytes((double)n->self_marks).s);
}

static int write_flame(struct flame *f, const struct run *r)
{
	const struct alloc_view *v = f->context;
	const char *id = run_string(r, "task.id");
	_cleanup_free_ char *total = fact_alloc_total(r, v->allocations, v->kind),
			    *rest = fact_alloc_remainder(r, v->allocations), *title = NULL;

	f->name = id ? id : "unnamed task";
	if (!total || !rest || asprintf(&title, "Who held the memory of %s", f->name) < 0)
		return -ENOMEM;
	f->title = title;
	f->line = total;
	f->description = v->kind == ALLOC_PEAK ? rest : "";
	return flame_write(f);
}

int report_alloc_flamegraph(const struct run *r, const struct report_style *style, FILE *out)
{
	const struct allocations *a = run_allocations(r, style->resident);
	struct flame f = { .out = out, .style = style, .numbers = numbers };
	struct alloc_view v;
	int err;

	if (!a)
		return -ENODATA;
	err = alloc_view_init(&v, a, style->kind, alloc_view_shape(a), true);
	if (err)
		return err;
	f.profile = v.names;
	f.functions = v.functions;
	f.calls = v.calls;
	f.context = &v;
	err = write_flame(&f, r);
	alloc_view_done(&v);
	return err;
}
