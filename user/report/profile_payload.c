/* profile_payload.c - see profile_payload.h */
#include "report/profile_payload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/payload_tree.h"

static void put_causes(const struct payload_tree *p)
{
	const struct profile *x = p->profile;

	fputs("\"causes\":[", p->out);
	for (uint32_t i = 0; i < profile_cause_count(x); i++) {
		fprintf(p->out, "%s{\"running\":%s,\"name\":", i ? "," : "",
			profile_cause_at(x, i)->running ? "true" : "false");
		escape_json(p->out, profile_cause_at(x, i)->name);
		fputc('}', p->out);
	}
	fputs("],\n", p->out);
}

enum column { NODE, THREAD, CAUSE, SLICE, MARKS };

/* Samples of one node stand together: the differences are small, and compress well. */
struct row {
	uint64_t v[5];
};

static int by_row(const void *x, const void *y)
{
	const struct row *a = x, *b = y;

	for (int i = 0; i < MARKS; i++)
		if (a->v[i] != b->v[i])
			return a->v[i] < b->v[i] ? -1 : 1;
	return 0;
}

static struct row *sample_rows(const struct payload_tree *p, size_t *ret)
{
	size_t n = profile_sample_count(p->profile), used = 0;
	struct row *rows = calloc(n + 1, sizeof(*rows));

	if (!rows)
		return NULL;
	for (uint32_t i = 0; i < n; i++) {
		const struct profile_sample *s = profile_sample_at(p->profile, i);
		uint32_t node = payload_tree_node(p, s->stack);

		rows[i] = (struct row){ { node, s->thread, s->cause, s->slice, s->marks } };
	}
	qsort(rows, n, sizeof(*rows), by_row);
	/* stacks that differ in lines only are one node */
	for (size_t i = 0; i < n; i++) {
		if (used && !by_row(&rows[used - 1], &rows[i]))
			rows[used - 1].v[MARKS] += rows[i].v[MARKS];
		else
			rows[used++] = rows[i];
	}
	*ret = used;
	return rows;
}

static int put_samples(const struct payload_tree *p)
{
	static const char *const names[] = { "node", "thread", "cause", "slice", "marks" };
	_cleanup_free_ struct row *rows = NULL;
	size_t n;

	rows = sample_rows(p, &n);
	if (!rows)
		return -ENOMEM;
	fputs("\"samples\":{", p->out);
	for (int c = 0; c <= MARKS; c++) {
		uint64_t before = 0;

		fprintf(p->out, "%s\"%s\":[", c ? "," : "", names[c]);
		for (size_t i = 0; i < n; i++) {
			fprintf(p->out, i ? ",%llu" : "%llu",
				(unsigned long long)(rows[i].v[c] - before));
			before = c == NODE ? rows[i].v[c] : 0;
		}
		fputc(']', p->out);
	}
	fputs("}}\n", p->out);
	return 0;
}

int profile_payload_json(const struct run *r, FILE *out)
{
	struct payload_tree p;
	int err = payload_tree_init(&p, out, r->profile, false);

	if (!err) {
		fprintf(out, "{\"period_ns\":%llu,\"slice_ns\":%llu,\n",
			(unsigned long long)profile_period_ns(r->profile),
			(unsigned long long)profile_slice_ns(r->profile));
		payload_tree_put(&p);
		put_causes(&p);
		err = put_samples(&p);
	}
	payload_tree_done(&p);
	return err;
}

static int json_of(const void *run, FILE *out)
{
	return profile_payload_json(run, out);
}

int profile_payload_write(const struct run *r, FILE *out)
{
	return payload_compress(json_of, r, out);
}
