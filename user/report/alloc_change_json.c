/* alloc_change_json.c - what changed between two runs → JSON. docs/artifact-format.md defines it.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "report/alloc_change.h"
#include "report/alloc_json.h"

#define ENTRIES 10000u	      /* of each list without --full; the rest is a number */
#define FRAMES_MAX (4u << 20) /* of all stacks */

struct json {
	FILE *out;
	const struct alloc_change *change;
	bool full;
};

static size_t put_stack(const struct json *j, uint32_t node, uint32_t *path)
{
	const struct calls_node *nodes = j->change->calls.nodes;
	size_t depth = 0, n;

	for (uint32_t i = node; i != CALLS_ROOT; i = nodes[i].parent)
		path[depth++] = nodes[i].id;
	fputs("\"stack\":[", j->out);
	for (n = depth; depth-- > 0;) {
		alloc_json_frame(j->out, &j->change->functions.all[path[depth]]);
		if (depth)
			fputc(',', j->out);
	}
	fputc(']', j->out);
	return n;
}

static int put_stacks(const struct json *j)
{
	const struct alloc_change *c = j->change;
	_cleanup_free_ uint32_t *path = calloc(c->calls.n, sizeof(*path));
	size_t limit = j->full ? c->n_ends : ENTRIES, frames = 0, i;

	if (!path)
		return -ENOMEM;
	fputs(",\"stacks\":[", j->out);
	for (i = 0; i < c->n_ends && i < limit && frames < FRAMES_MAX; i++) {
		uint32_t node = c->ends[i];

		fprintf(j->out,
			"%s{\"change_bytes\":%" PRId64 ",\"before_bytes\":%" PRIu64
			",\"after_bytes\":%" PRIu64 ",\"change_count\":%" PRId64
			",\"error_95_bytes\":%.0f,",
			i ? ",\n" : "\n", alloc_change_bytes(c, node), c->before.bytes[node],
			c->after.bytes[node],
			(int64_t)(c->after.pieces[node] - c->before.pieces[node]),
			ceil(alloc_change_error(c, node)));
		frames += put_stack(j, node, path);
		fputc('}', j->out);
	}
	fprintf(j->out, "\n],\"stacks_omitted\":%zu", c->n_ends - i);
	return 0;
}

static void put_functions(const struct json *j)
{
	const struct alloc_change *c = j->change;
	size_t shown = 0, omitted = 0;

	fputs(",\"functions\":[", j->out);
	for (size_t i = 0; i < c->functions.n; i++) {
		uint32_t f = c->order[i];

		if (!alloc_change_own(c, f) && !alloc_change_total(c, f))
			continue;
		if (shown == ENTRIES && !j->full) {
			omitted++;
			continue;
		}
		fprintf(j->out,
			"%s{\"own_change_bytes\":%" PRId64 ",\"change_bytes\":%" PRId64
			",\"before_bytes\":%" PRIu64 ",\"after_bytes\":%" PRIu64 ",\"function\":",
			shown++ ? ",\n" : "\n", alloc_change_own(c, f), alloc_change_total(c, f),
			c->before.totals[f].total, c->after.totals[f].total);
		alloc_json_frame(j->out, &c->functions.all[f]);
		fputc('}', j->out);
	}
	fprintf(j->out, "\n],\"functions_omitted\":%zu}\n", omitted);
}

int alloc_change_json(FILE *out, const struct run *const runs[2], const struct alloc_change *c,
		      bool full)
{
	const struct alloc_view *before = &c->before.view, *after = &c->after.view;
	struct allocation_sum a = alloc_view_total(before), b = alloc_view_total(after);
	struct json j = { .out = out, .change = c, .full = full };
	int64_t change = (int64_t)(b.bytes - a.bytes);
	double error = alloc_change_error_of_all(c);
	int err;

	fputs("{\"format\":1,\"before\":{", out);
	alloc_json_head(out, runs[0], before->allocations, before->kind);
	fputs("},\"after\":{", out);
	alloc_json_head(out, runs[1], after->allocations, after->kind);
	fprintf(out,
		"},\"change\":{\"bytes\":%" PRId64 ",\"count\":%" PRId64
		",\"error_95_bytes\":%.0f,\"beyond_error\":%s}",
		change, (int64_t)(b.count - a.count), ceil(error),
		change && fabs((double)change) > error ? "true" : "false");
	err = put_stacks(&j);
	if (!err)
		put_functions(&j);
	return err;
}
