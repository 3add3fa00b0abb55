/* profile_stacks.c - the raw tree of frames → stacks with names; see profile_build.h
 *
 * A stack with Python frames is shown as its programmer knows it: without the interpreter's own
 * frames, and without the way from the start of the program or thread to the first of them, unless
 * other code has a part in it (a program that embeds the interpreter). --native-internals shows
 * all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect/profile_build.h"
#include "collect/python_codes.h"
#include "symbolize/symbolize.h"
#include "unwind/unwinder.h"

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

static uint32_t push(struct build *b, uint32_t stack, const struct profile_frame *frame)
{
	uint32_t number = profile_frame(b->p, frame);

	stack = number == PROFILE_NONE ? PROFILE_NO_STACK : profile_stack(b->p, stack, number);
	b->failed |= stack == PROFILE_NO_STACK;
	return stack;
}

uint32_t build_name(struct build *b, uint32_t stack, const char *name)
{
	return push(b, stack, &(struct profile_frame){ .name = name, .mapping = PROFILE_NONE });
}

static uint32_t push_outcome(struct build *b, uint32_t stack, uint64_t frame)
{
	const char *why = outcome_names[(frame & 0xff) % UNWIND_OUTCOMES];
	char text[80];

	snprintf(text, sizeof(text), "[incomplete: %s]", why ? why : "?");
	return build_name(b, stack, text);
}

static uint32_t push_python(struct build *b, uint32_t stack, uint64_t frame)
{
	struct profile_frame f;

	python_codes_frame(b->c->codes, frame, &f);
	return push(b, stack, &f);
}

/* Those inlined are the inner ones. */
static uint32_t push_native(struct build *b, uint32_t stack, uint64_t frame, uint32_t proc)
{
	size_t count;
	const struct symbolize_name *names = frame_names_of(b->names, frame, proc, &count);
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

static uint32_t push_frame(struct build *b, uint32_t stack, uint32_t i)
{
	uint64_t frame = samples_frame(b->c->samples, i);

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
static uint32_t whole(struct build *b, uint32_t i)
{
	struct build_node *n = &b->nodes[i];

	if (!n->has_whole) {
		n->whole = push_frame(b, whole(b, samples_parent(b->c->samples, i)), i);
		n->has_whole = true;
	}
	return n->whole;
}

static bool is_interpreter(const struct build *b, uint64_t frame)
{
	const struct unwind_file *file;

	if (frame & (FRAME_KIND | FRAME_RAW))
		return false;
	file = unwinder_file(b->c->o->unwinder, FRAME_FILE(frame));
	return file && file->python;
}

/* The same without the interpreter's own frames; @i is on a path with Python frames. */
static uint32_t folded(struct build *b, uint32_t i)
{
	struct build_node *n = &b->nodes[i];
	uint64_t frame = samples_frame(b->c->samples, i);
	uint32_t parent = samples_parent(b->c->samples, i), stack;

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

uint32_t build_stack(struct build *b, uint32_t node)
{
	return b->nodes[node].python && !b->c->o->native_internals ? folded(b, node)
								   : whole(b, node);
}

static bool is_foreign(const struct build *b, uint64_t frame)
{
	const struct unwind_file *file;
	const char *slash, *base;

	if (frame & FRAME_KIND)
		return false;
	file = frame & FRAME_RAW ? NULL : unwinder_file(b->c->o->unwinder, FRAME_FILE(frame));
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
static void inherit(struct build *b, uint32_t i)
{
	const struct build_node *parent = &b->nodes[samples_parent(b->c->samples, i)];
	uint64_t frame = samples_frame(b->c->samples, i), kind = frame & FRAME_KIND;
	struct build_node *n = &b->nodes[i];

	n->proc = kind == FRAME_PROCESS ? (uint32_t)frame : parent->proc;
	n->base = kind == FRAME_PROCESS || kind == FRAME_OUTCOME ? i : parent->base;
	n->python = parent->python || kind == FRAME_PYTHON;
	n->foreign = parent->foreign || (!n->python && is_foreign(b, frame));
}

int build_stacks(struct build *b)
{
	size_t count = samples_node_count(b->c->samples);

	b->nodes = calloc(count, sizeof(*b->nodes));
	if (!b->nodes)
		return -ENOMEM;
	b->nodes[SAMPLES_ROOT] = (struct build_node){ .whole = PROFILE_NO_STACK,
						      .folded = PROFILE_NO_STACK,
						      .base = SAMPLES_ROOT,
						      .has_whole = true,
						      .has_folded = true };
	b->nodes[SAMPLES_OVERFLOW] =
	    (struct build_node){ .whole = build_name(b, PROFILE_NO_STACK, "[other stacks]"),
				 .has_whole = true };
	for (size_t i = SAMPLES_OVERFLOW + 1; i < count; i++)
		inherit(b, i);
	return b->failed ? -ENOMEM : 0;
}
