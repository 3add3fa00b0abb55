/* usage_stacks.c - see usage_stacks.h */
#include "collect/usage_stacks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/rundir.h"
#include "lib/cleanup.h"

#define STACKS_LISTED 10 /* of a process */
#define FRAMES_LISTED 32
#define PROCESSES_LISTED 256

/* Bytes of one stack, whatever thread and kind of page. */
struct held {
	uint32_t process, stack;
	uint64_t bytes;
};

static int by_place(const void *a, const void *b)
{
	const struct held *x = a, *y = b;

	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	return x->stack < y->stack ? -1 : x->stack > y->stack;
}

/* Within a process the largest first. */
static int by_bytes(const void *a, const void *b)
{
	const struct held *x = a, *y = b;

	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	return x->bytes > y->bytes ? -1 : x->bytes < y->bytes;
}

/* One for each process and stack; anonymous pages only: what files have is told by the kernel. */
static struct held *collect(const struct allocations *a, enum usage_moment moment,
			    size_t *ret_count)
{
	const struct profile *names = allocations_names(a);
	struct held *list = calloc(allocations_count(a) + 1, sizeof(*list));
	size_t n = 0, out = 0;

	for (size_t i = 0; list && i < allocations_count(a); i++) {
		const struct allocation_entry *e = allocations_at(a, i);

		uint64_t bytes = moment == USAGE_LOOK ? e->usage_bytes : e->peak.bytes;

		if (e->allocator == ALLOCATOR_PAGE_ANON && bytes)
			list[n++] = (struct held){ profile_thread_at(names, e->thread)->process,
						   e->stack, bytes };
	}
	if (list)
		qsort(list, n, sizeof(*list), by_place);
	for (size_t i = 0; i < n; i++) {
		if (out && list[out - 1].process == list[i].process &&
		    list[out - 1].stack == list[i].stack)
			list[out - 1].bytes += list[i].bytes;
		else
			list[out++] = list[i];
	}
	if (list)
		qsort(list, out, sizeof(*list), by_bytes);
	*ret_count = out;
	return list;
}

static json_t *frame_json(const struct profile_frame *f)
{
	const char *slash = f->file ? strrchr(f->file, '/') : NULL;
	_cleanup_free_ char *text = NULL;
	int n;

	if (f->file && f->line)
		n = asprintf(&text, "%s (%s:%u)", f->name, slash ? slash + 1 : f->file, f->line);
	else
		n = asprintf(&text, "%s", f->name);
	return n < 0 ? NULL : json_text(text);
}

/* Outermost first; of a deep one the innermost. */
static json_t *stack_json(const struct profile *names, const struct held *h)
{
	json_t *frames = json_array();
	uint32_t stack = h->stack;

	for (int i = 0; stack != PROFILE_NO_STACK && i < FRAMES_LISTED;
	     i++, stack = profile_stack_parent(names, stack))
		json_array_insert_new(
		    frames, 0,
		    frame_json(profile_frame_at(names, profile_stack_frame(names, stack))));
	return json_pack("{s:I,s:o}", "bytes", (json_int_t)h->bytes, "stack", frames);
}

/* *at: the first of the process; moved to the first of the next. */
static json_t *process_json(const struct profile *names, const struct held *list, size_t count,
			    size_t *at)
{
	const struct profile_process *p = profile_process_at(names, list[*at].process);
	uint32_t process = list[*at].process;
	json_t *stacks = json_array();
	uint64_t bytes = 0;

	for (size_t n = 0; *at < count && list[*at].process == process; ++*at, n++) {
		bytes += list[*at].bytes;
		if (n < STACKS_LISTED)
			json_array_append_new(stacks, stack_json(names, &list[*at]));
	}
	return json_pack("{s:o,s:I,s:I,s:o}", "process", json_text(p->name), "pid",
			 (json_int_t)p->pid, "bytes", (json_int_t)bytes, "stacks", stacks);
}

json_t *usage_stacks_json(const struct allocations *a, enum usage_moment moment)
{
	size_t count, at = 0;
	_cleanup_free_ struct held *list = collect(a, moment, &count);
	json_t *array = list ? json_array() : NULL;

	while (array && at < count && json_array_size(array) < PROCESSES_LISTED)
		json_array_append_new(array, process_json(allocations_names(a), list, count, &at));
	return array;
}
