/* payload_tree.c - see payload_tree.h */
#include "report/payload_tree.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/gzip.h"

static void put_text(FILE *out, const char *text)
{
	escape_json(out, text ? text : "");
}

static void put_functions(const struct payload_tree *p)
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

static void put_nodes(const struct payload_tree *p)
{
	fputs("\"back\":[0", p->out);
	for (uint32_t i = 1; i < p->calls.n; i++)
		fprintf(p->out, ",%u", i - p->calls.nodes[i].parent);
	fputs("],\"functions\":[0", p->out);
	for (uint32_t i = 1; i < p->calls.n; i++)
		fprintf(p->out, ",%u", p->calls.nodes[i].id);
	fputs("],\n", p->out);
}

static void put_people(const struct payload_tree *p)
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
	fputs("],\n", p->out);
}

void payload_put_string(FILE *out, const char *key, const char *text)
{
	fprintf(out, "\"%s\":", key);
	put_text(out, text);
	fputc(',', out);
}

void payload_tree_put(const struct payload_tree *t)
{
	put_functions(t);
	put_nodes(t);
	put_people(t);
}

int payload_tree_init(struct payload_tree *t, FILE *out, const struct profile *p, bool each_line)
{
	size_t n = profile_stack_count(p);
	int err;

	*t = (struct payload_tree){ .out = out, .profile = p };
	err = functions_init(&t->functions, p, each_line);
	if (err)
		return err;
	t->node_of_stack = calloc(n + 1, sizeof(*t->node_of_stack));
	if (!t->node_of_stack || calls_child(&t->calls, CALLS_NONE, CALLS_ALL, 0) == CALLS_NONE)
		return -ENOMEM;
	/* a stack's parent has the smaller number */
	for (uint32_t i = 0; i < n; i++) {
		uint32_t node = payload_tree_node(t, profile_stack_parent(p, i));

		node = calls_child(&t->calls, node, CALLS_FUNCTION,
				   t->functions.of_frame[profile_stack_frame(p, i)]);
		if (node == CALLS_NONE)
			return -ENOMEM;
		t->node_of_stack[i] = node;
	}
	return 0;
}

void payload_tree_done(struct payload_tree *t)
{
	free(t->node_of_stack);
	calls_done(&t->calls);
	functions_done(&t->functions);
}

uint32_t payload_tree_node(const struct payload_tree *t, uint32_t stack)
{
	return stack == PROFILE_NO_STACK ? CALLS_ROOT : t->node_of_stack[stack];
}

int payload_compress(int (*json)(const void *context, FILE *out), const void *context, FILE *out)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ uint8_t *gz = NULL;
	size_t size = 0, gz_size;
	FILE *f = open_memstream(&text, &size);
	int err;

	if (!f)
		return -ENOMEM;
	err = json(context, f);
	if (fclose(f) && !err)
		err = -ENOMEM;
	if (!err)
		err = gzip_deflate(text, size, &gz, &gz_size);
	if (!err)
		base64_write(out, gz, gz_size);
	return err;
}
