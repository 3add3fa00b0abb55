/* profile_payload.c - see profile_payload.h */
#include "report/profile_payload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/calls.h"
#include "report/gzip.h"

struct payload {
	FILE *out;
	const struct profile *profile;
	struct functions functions;
	struct calls calls;
	uint32_t *node_of_stack;
};

static void put_text(FILE *out, const char *text)
{
	escape_json(out, text ? text : "");
}

static void put_functions(const struct payload *p)
{
	const struct function_info *all = p->functions.all;
	size_t n = p->functions.n, i;

	fputs("\"names\":[", p->out);
	for (i = 0; i < n; i++) {
		fputs(i ? "," : "", p->out);
		put_text(p->out, all[i].name);
	}
	fputs("],\"files\":[", p->out);
	for (i = 0; i < n; i++) {
		fputs(i ? "," : "", p->out);
		put_text(p->out, all[i].file);
	}
	fputs("],\"modules\":[", p->out);
	for (i = 0; i < n; i++) {
		fputs(i ? "," : "", p->out);
		put_text(p->out, all[i].module);
	}
	fputs("],\"lines\":[", p->out);
	for (i = 0; i < n; i++)
		fprintf(p->out, i ? ",%u" : "%u", all[i].line);
	fputs("],\"kinds\":[", p->out);
	for (i = 0; i < n; i++)
		fprintf(p->out, i ? ",%u" : "%u", all[i].kind);
	fputs("],\n", p->out);
}

static void put_nodes(const struct payload *p)
{
	fputs("\"back\":[0", p->out);
	for (uint32_t i = 1; i < p->calls.n; i++)
		fprintf(p->out, ",%u", i - p->calls.nodes[i].parent);
	fputs("],\"functions\":[0", p->out);
	for (uint32_t i = 1; i < p->calls.n; i++)
		fprintf(p->out, ",%u", p->calls.nodes[i].id);
	fputs("],\n", p->out);
}

static void put_people(const struct payload *p)
{
	const struct profile *x = p->profile;

	fputs("\"processes\":[", p->out);
	for (uint32_t i = 0; i < profile_process_count(x); i++) {
		fprintf(p->out, "%s{\"pid\":%u,\"name\":", i ? "," : "",
			profile_process_at(x, i)->pid);
		put_text(p->out, profile_process_at(x, i)->name);
		fputc('}', p->out);
	}
	fputs("],\"threads\":[", p->out);
	for (uint32_t i = 0; i < profile_thread_count(x); i++) {
		fprintf(p->out, "%s{\"process\":%u,\"tid\":%u,\"name\":", i ? "," : "",
			profile_thread_at(x, i)->process, profile_thread_at(x, i)->tid);
		put_text(p->out, profile_thread_at(x, i)->name);
		fputc('}', p->out);
	}
	fputs("],\"causes\":[", p->out);
	for (uint32_t i = 0; i < profile_cause_count(x); i++) {
		fprintf(p->out, "%s{\"running\":%s,\"name\":", i ? "," : "",
			profile_cause_at(x, i)->running ? "true" : "false");
		put_text(p->out, profile_cause_at(x, i)->name);
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

static struct row *sample_rows(const struct payload *p, size_t *ret)
{
	size_t n = profile_sample_count(p->profile), used = 0;
	struct row *rows = calloc(n + 1, sizeof(*rows));

	if (!rows)
		return NULL;
	for (uint32_t i = 0; i < n; i++) {
		const struct profile_sample *s = profile_sample_at(p->profile, i);
		uint32_t node =
		    s->stack == PROFILE_NO_STACK ? CALLS_ROOT : p->node_of_stack[s->stack];

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

static int put_samples(const struct payload *p)
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

/* Functions only, without processes, threads and causes: those are columns of the samples. */
static int build_nodes(struct payload *p)
{
	size_t n = profile_stack_count(p->profile);

	p->node_of_stack = calloc(n + 1, sizeof(*p->node_of_stack));
	if (!p->node_of_stack || calls_child(&p->calls, CALLS_NONE, CALLS_ALL, 0) == CALLS_NONE)
		return -ENOMEM;
	/* a stack's parent has the smaller number */
	for (uint32_t i = 0; i < n; i++) {
		uint32_t parent = profile_stack_parent(p->profile, i), node = CALLS_ROOT;

		if (parent != PROFILE_NO_STACK)
			node = p->node_of_stack[parent];
		node = calls_child(&p->calls, node, CALLS_FUNCTION,
				   p->functions.of_frame[profile_stack_frame(p->profile, i)]);
		if (node == CALLS_NONE)
			return -ENOMEM;
		p->node_of_stack[i] = node;
	}
	return 0;
}

int profile_payload_json(const struct run *r, FILE *out)
{
	struct payload p = { .out = out, .profile = r->profile };
	int err = functions_init(&p.functions, r->profile, false);

	if (!err)
		err = build_nodes(&p);
	if (!err) {
		fprintf(out, "{\"period_ns\":%llu,\"slice_ns\":%llu,\n",
			(unsigned long long)profile_period_ns(r->profile),
			(unsigned long long)profile_slice_ns(r->profile));
		put_functions(&p);
		put_nodes(&p);
		put_people(&p);
		err = put_samples(&p);
	}
	free(p.node_of_stack);
	calls_done(&p.calls);
	functions_done(&p.functions);
	return err;
}

int profile_payload_write(const struct run *r, FILE *out)
{
	_cleanup_free_ char *json = NULL;
	_cleanup_free_ uint8_t *gz = NULL;
	size_t size = 0, gz_size;
	FILE *f = open_memstream(&json, &size);
	int err;

	if (!f)
		return -ENOMEM;
	err = profile_payload_json(r, f);
	if (fclose(f) && !err)
		err = -ENOMEM;
	if (!err)
		err = gzip_deflate(json, size, &gz, &gz_size);
	if (!err)
		base64_write(out, gz, gz_size);
	return err;
}
