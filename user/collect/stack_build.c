/* stack_build.c - see stack_build.h */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect/stack_build.h"
#include "collect/python_codes.h"
#include "collect/stack_names.h"
#include "symbolize/symbolize.h"
#include "unwind/unwinder.h"

/* One node of the raw tree; stacks of the profile are of its path from the root. */
struct node {
	uint32_t proc; /* whose raw frames stand here */
	uint32_t base; /* the node of how the walk ended, and whose it is: before all frames */
	uint32_t whole,
	    folded; /* every frame; without the interpreter's own. Made when asked for */
	bool has_whole, has_folded;
	bool python;  /* the path has a Python frame */
	bool foreign; /* and before it code that is neither the interpreter's nor the C library's */
};

struct stack_build {
	struct task_stacks *stacks;
	struct profile *p;
	struct node *nodes;
	uint32_t *mapping_of; /* per file number */
	size_t file_count;
	bool failed; /* no memory */
};

static const char *const outcome_names[UNWIND_OUTCOMES] = {
	[UNWIND_DEPTH] = "deeper than 511 frames",
	[UNWIND_NO_PROCESS] = "mappings not known yet",
	[UNWIND_NO_MAPPING] = "outside of all mappings",
	[UNWIND_PENDING] = "rows not made yet",
	[UNWIND_NO_ROW] = "no unwind information",
	[UNWIND_UNSUPPORTED] = "unsupported unwind rule",
	[UNWIND_REGISTER] = "CFA in another register",
	[UNWIND_READ] = "stack not readable",
	[UNWIND_UNDEFINED] = "register not saved",
	[UNWIND_STUCK] = "CFA does not grow",
	[UNWIND_ZERO] = "return address 0",
};

/* Files of which frames stand between the start of a thread and its first Python frame anyhow; an
 * executable that only calls its libpython is one as well. */
static const char *const start_files[] = { "libc.so", "libc-2.", "ld-linux", "libpthread",
					   "python3" };

static uint32_t push(struct stack_build *b, uint32_t stack, const struct profile_frame *frame)
{
	uint32_t number = profile_frame(b->p, frame);

	stack = number == PROFILE_NONE ? PROFILE_NO_STACK : profile_stack(b->p, stack, number);
	b->failed |= stack == PROFILE_NO_STACK;
	return stack;
}

uint32_t stack_build_name(struct stack_build *b, uint32_t stack, const char *name)
{
	return push(b, stack, &(struct profile_frame){ .name = name, .mapping = PROFILE_NONE });
}

static uint32_t push_outcome(struct stack_build *b, uint32_t stack, uint64_t frame)
{
	const char *why = outcome_names[(frame & 0xff) % UNWIND_OUTCOMES];
	char text[80];

	snprintf(text, sizeof(text), "[incomplete: %s]", why ? why : "?");
	return stack_build_name(b, stack, text);
}

static uint32_t push_python(struct stack_build *b, uint32_t stack, uint64_t frame)
{
	struct profile_frame f;

	python_codes_frame(b->stacks->codes, frame, &f);
	return push(b, stack, &f);
}

/* Those inlined are the inner ones. */
static uint32_t push_native(struct stack_build *b, uint32_t stack, uint64_t frame, uint32_t proc)
{
	size_t count;
	const struct symbolize_name *names = frame_names_of(b->stacks->names, frame, proc, &count);
	uint32_t file = FRAME_FILE(frame);

	for (size_t i = count; i-- > 0;)
		stack =
		    push(b, stack,
			 &(struct profile_frame){
			     .name = names[i].name ? names[i].name : "[unknown]",
			     .file = names[i].file,
			     .line = names[i].line,
			     .mapping = file < b->file_count ? b->mapping_of[file] : PROFILE_NONE,
			     .address = FRAME_ADDRESS(frame),
			     .heuristic = frame & FRAME_HEURISTIC,
			     .inlined = names[i].inlined });
	return stack;
}

static uint32_t push_frame(struct stack_build *b, uint32_t stack, uint32_t i)
{
	uint64_t frame = stacks_frame(b->stacks->tree, i);

	switch (frame & FRAME_KIND) {
	case FRAME_PROCESS:
		return stack;
	case FRAME_OUTCOME:
		return push_outcome(b, stack, frame);
	case FRAME_PYTHON:
		return push_python(b, stack, frame);
	default:
		return push_native(b, stack, frame, b->nodes[i].proc);
	}
}

/* Every frame of the path to @i. As deep as a stack is, at most. */
static uint32_t whole(struct stack_build *b, uint32_t i)
{
	struct node *n = &b->nodes[i];

	if (!n->has_whole) {
		n->whole = push_frame(b, whole(b, stacks_parent(b->stacks->tree, i)), i);
		n->has_whole = true;
	}
	return n->whole;
}

static bool is_interpreter(const struct stack_build *b, uint64_t frame)
{
	const struct unwind_file *file;

	if (frame & (FRAME_KIND | FRAME_RAW))
		return false;
	file = unwinder_file(b->stacks->o->unwinder, FRAME_FILE(frame));
	return file && file->python;
}

/* The same without the interpreter's own frames; @i is on a path with Python frames. */
static uint32_t folded(struct stack_build *b, uint32_t i)
{
	struct node *n = &b->nodes[i];
	uint64_t frame = stacks_frame(b->stacks->tree, i);
	uint32_t parent = stacks_parent(b->stacks->tree, i), stack;

	if (n->has_folded)
		return n->folded;
	if ((frame & FRAME_KIND) == FRAME_PYTHON && !b->nodes[parent].python &&
	    !b->nodes[parent].foreign)
		stack = push_frame(b, folded(b, n->base), i);
	else if (is_interpreter(b, frame))
		stack = folded(b, parent);
	else
		stack = push_frame(b, folded(b, parent), i);
	n->folded = stack;
	n->has_folded = true;
	return stack;
}

uint32_t stack_build_stack(struct stack_build *b, uint32_t node)
{
	return b->nodes[node].python && !b->stacks->o->native_internals ? folded(b, node)
									: whole(b, node);
}

static bool is_foreign(const struct stack_build *b, uint64_t frame)
{
	const struct unwind_file *file;
	const char *slash, *base;

	if (frame & FRAME_KIND)
		return false;
	file = frame & FRAME_RAW ? NULL : unwinder_file(b->stacks->o->unwinder, FRAME_FILE(frame));
	if (!file)
		return true;
	slash = strrchr(file->path, '/');
	base = slash ? slash + 1 : file->path;
	for (size_t i = 0; i < sizeof(start_files) / sizeof(start_files[0]); i++)
		if (!strncmp(base, start_files[i], strlen(start_files[i])))
			return false;
	return !file->python;
}

/* What a node has from its parent: parents come first. */
static void inherit(struct stack_build *b, uint32_t i)
{
	const struct node *parent = &b->nodes[stacks_parent(b->stacks->tree, i)];
	uint64_t frame = stacks_frame(b->stacks->tree, i), kind = frame & FRAME_KIND;
	struct node *n = &b->nodes[i];

	n->proc = kind == FRAME_PROCESS ? (uint32_t)frame : parent->proc;
	n->base = kind == FRAME_PROCESS || kind == FRAME_OUTCOME ? i : parent->base;
	n->python = parent->python || kind == FRAME_PYTHON;
	n->foreign = parent->foreign || (!n->python && is_foreign(b, frame));
}

static int look_at_nodes(struct stack_build *b)
{
	size_t count = stacks_count(b->stacks->tree);

	b->nodes = calloc(count, sizeof(*b->nodes));
	if (!b->nodes)
		return -ENOMEM;
	b->nodes[STACKS_ROOT] = (struct node){ .whole = PROFILE_NO_STACK,
					       .folded = PROFILE_NO_STACK,
					       .base = STACKS_ROOT,
					       .has_whole = true,
					       .has_folded = true };
	b->nodes[STACKS_OVERFLOW] =
	    (struct node){ .whole = stack_build_name(b, PROFILE_NO_STACK, "[other stacks]"),
			   .has_whole = true };
	for (size_t i = STACKS_OVERFLOW + 1; i < count; i++)
		inherit(b, i);
	return b->failed ? -ENOMEM : 0;
}

static int add_mappings(struct stack_build *b)
{
	const struct unwind_file *f;
	size_t count = 1;

	while (unwinder_file(b->stacks->o->unwinder, count))
		count++;
	b->file_count = count;
	b->mapping_of = calloc(count, sizeof(*b->mapping_of));
	if (!b->mapping_of)
		return -ENOMEM;
	b->mapping_of[0] = PROFILE_NONE;
	for (size_t i = 1; i < count; i++) {
		char build_id[2 * INSPECT_BUILD_ID_MAX + 1] = "";

		f = unwinder_file(b->stacks->o->unwinder, i);
		for (size_t k = 0; k < f->build_id_bytes && k < INSPECT_BUILD_ID_MAX; k++)
			sprintf(build_id + 2 * k, "%02x", f->build_id[k]);
		b->mapping_of[i] = profile_mapping(
		    b->p, &(struct profile_mapping){ .path = f->path,
						     .build_id = *build_id ? build_id : NULL,
						     .start = f->text_first,
						     .limit = f->text_end,
						     .named = true });
		if (b->mapping_of[i] == PROFILE_NONE)
			return -ENOMEM;
		if (f->problem)
			task_stacks_problem(b->stacks, "%s: %s", f->path, f->problem);
	}
	return 0;
}

int stack_build_new(struct task_stacks *s, struct profile *p, struct stack_build **ret)
{
	struct stack_build *b = calloc(1, sizeof(*b));
	int err = b ? 0 : -ENOMEM;

	if (!err) {
		b->stacks = s;
		b->p = p;
	}
	if (!err && !s->names)
		err = frame_names_new(s, &s->names);
	if (!err)
		err = add_mappings(b);
	if (!err)
		err = look_at_nodes(b);
	if (err)
		stack_build_free(b);
	else
		*ret = b;
	return err;
}

void stack_build_free(struct stack_build *b)
{
	if (!b)
		return;
	free(b->nodes);
	free(b->mapping_of);
	free(b);
}

bool stack_build_failed(const struct stack_build *b)
{
	return b->failed;
}
