/* flamegraph.c - profile → one standalone SVG: a box per call, as wide as its share of the time. */
#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "report/flame.h"
#include "report/profile_facts.h"
#include "report/report.h"

static void numbers(const struct flame *f, uint32_t i)
{
	const struct calls_node *n = &f->calls.nodes[i];

	fprintf(f->out, "%.3f s, %.2f %%; self %.3f s; CPU %.3f s", fact_wall(f->profile, n->marks),
		100.0 * (double)n->marks / (double)f->calls.nodes[CALLS_ROOT].marks,
		fact_wall(f->profile, n->self_marks), fact_wall(f->profile, n->cpu_marks));
}

static int write_flame(struct flame *f, const struct run *r)
{
	const char *id = run_string(r, "task.id");
	_cleanup_free_ char *time = fact_profile_time(r), *sampling = fact_profile_sampling(r),
			    *title = NULL;

	f->name = id ? id : "unnamed task";
	if (!time || !sampling || asprintf(&title, "Where the time of %s went", f->name) < 0)
		return -ENOMEM;
	f->title = title;
	f->line = time;
	f->description = sampling;
	return flame_write(f);
}

int report_flamegraph(const struct run *r, const struct report_style *style, FILE *out)
{
	struct flame f = { .out = out, .style = style, .profile = r->profile, .numbers = numbers };
	int err;

	if (!r->profile)
		return -ENODATA;
	err = functions_init(&f.functions, r->profile, style->lines);
	if (!err)
		err =
		    calls_init(&f.calls, r->profile, &f.functions, CALLS_BY_THREAD | CALLS_CAUSES);
	if (!err)
		err = write_flame(&f, r);
	calls_done(&f.calls);
	functions_done(&f.functions);
	return err;
}
