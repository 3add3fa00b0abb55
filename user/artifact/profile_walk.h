/* profile_walk.h - a profile as the text formats see it: frames that read the same are one, each
 * stack ends in its cause, and lines of the same text are one line.
 *
 *   frame ──show()──► label ──► node (parent + label) ──► line (group, node) += marks
 *
 * Names come out safe (profile_safe_name()). Memory follows the tree of stacks, not their text.
 */
#ifndef TASKDIAG_PROFILE_WALK_H
#define TASKDIAG_PROFILE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "aggregate/intern.h"
#include "aggregate/profile.h"

#define PROFILE_NAME_BYTES 1024	       /* a longer name ends in "…" */
#define PROFILE_NO_FRAMES "[no stack]" /* the frame of a running thread whose stack is empty */

/** Valid UTF-8 in which nothing can act: control and bidi characters are visible (\n, \u202e), an
 * invalid byte is '?'; at most PROFILE_NAME_BYTES. A new string; NULL without memory. */
char *profile_safe_name(const char *s);

/** @name with "-@id" at its end, which is not said twice; safe. A new string; NULL: no memory. */
char *profile_name_with_id(const char *name, uint32_t id);

/* A frame as a format is asked to show it. Strings are safe. */
struct profile_shown {
	enum { SHOWN_PROCESS, SHOWN_THREAD, SHOWN_FRAME, SHOWN_CAUSE } kind;
	uint32_t line;	     /* 0: unknown */
	uint32_t first_line; /* of the function's definition; 0: unknown */
	bool python;
	const char *name, *file; /* file NULL: unknown */
	const char *module;	 /* path of the mapping; NULL: none */
};

/** Writes the format's text of a frame. 0 or -ENOMEM. */
typedef int (*profile_show_fn)(FILE *out, const struct profile_shown *f);

struct profile_line {
	uint32_t root, node; /* process;thread, then the rest */
	uint64_t marks;	     /* or what else was added up */
};

struct profile_walk {
	const struct profile *profile;
	profile_show_fn show;
	struct strings labels;
	struct intern nodes;   /* parent, label, depth */
	struct intern lines;   /* struct profile_line */
	uint32_t *stack_node;  /* of each stack */
	uint32_t *frame_label; /* of each frame */
	uint32_t *cause_label; /* of each cause; INTERN_NONE: running */
	uint32_t *thread_root; /* of each thread, the node process;thread: NULL until wanted */
	uint32_t no_frames;    /* label */
	uint32_t *path;	       /* of the last profile_walk_path() */
	size_t path_room;
};

/** 0 or -ENOMEM; profile_walk_clear() in both cases. @p must not change meanwhile. */
int profile_walk_init(struct profile_walk *w, const struct profile *p, profile_show_fn show);
void profile_walk_clear(struct profile_walk *w);

/** The node of a sample's leaf, cause included; not below its thread_root. INTERN_NONE: no memory.
 */
uint32_t profile_walk_leaf(struct profile_walk *w, const struct profile_sample *s);
/** The node of a stack's leaf, that of PROFILE_NO_FRAMES when it is empty. INTERN_NONE: no memory.
 */
uint32_t profile_walk_stack(struct profile_walk *w, uint32_t stack);
/** A node without parent, of a frame of the format's own. INTERN_NONE: no memory. */
uint32_t profile_walk_root(struct profile_walk *w, const char *name);

/* Nodes are numbered from 0, parents before their children. */
uint32_t profile_walk_parent(const struct profile_walk *w, uint32_t node); /* INTERN_NONE: a root */
uint32_t profile_walk_label_of(const struct profile_walk *w, uint32_t node);
uint32_t profile_walk_depth(const struct profile_walk *w, uint32_t node);

/** Labels from the root to @node. Borrowed, valid until the next call; NULL without memory. */
const uint32_t *profile_walk_path(struct profile_walk *w, uint32_t node, size_t *ret_length);
const char *profile_walk_label(const struct profile_walk *w, uint32_t label);

/** Makes the labels of all processes and threads, if that was not done. 0 or -ENOMEM. */
int profile_walk_threads(struct profile_walk *w);
/** Adds @value to the line of @thread and @node. 0 or -ENOMEM. */
int profile_walk_add(struct profile_walk *w, uint32_t thread, uint32_t node, uint64_t value);
/** All lines in *@ret, sorted frame by frame in the order of bytes; free() it. 0 or -ENOMEM. */
int profile_walk_sorted(const struct profile_walk *w, const struct profile_line ***ret);
/** Forgets the lines, for others of the same profile. */
void profile_walk_restart(struct profile_walk *w);
/** Fills @lines from all samples, then as profile_walk_sorted(). Called once. */
int profile_walk_lines(struct profile_walk *w, const struct profile_line ***ret);

#endif
