/* profile_build.h - what the files of profile_build share.
 *
 *   profile_build.c: mappings, threads, marks │ profile_stacks.c: frames with names, Python's way
 */
#ifndef TASKDIAG_PROFILE_BUILD_H
#define TASKDIAG_PROFILE_BUILD_H

#include "collect/profile.h"

/* One node of the raw tree; stacks of the profile are of its path from the root. */
struct build_node {
	uint32_t proc; /* whose raw frames stand here */
	uint32_t base; /* the node of how the walk ended, and whose it is: before all frames */
	uint32_t whole,
	    folded; /* every frame; without the interpreter's own. Made when asked for */
	bool has_whole, has_folded;
	bool python;  /* the path has a Python frame */
	bool foreign; /* and before it code that is neither the interpreter's nor the C library's */
};

struct build {
	struct profile_collector *c;
	struct frame_names *names;
	struct profile *p;
	struct build_node *nodes;
	uint32_t *mapping_of; /* per file number */
	size_t file_count;
	uint64_t *kernel; /* addresses, sorted */
	char **kernel_names;
	size_t kernel_count;
	bool failed; /* no memory */
};

/** Looks at all nodes. 0 or -ENOMEM. */
int build_stacks(struct build *b);
/** The stack to show for a node; PROFILE_NO_STACK: the empty one, or no memory (see failed). */
uint32_t build_stack(struct build *b, uint32_t node);
/** A frame that is only a name on top of @stack. PROFILE_NO_STACK: no memory. */
uint32_t build_name(struct build *b, uint32_t stack, const char *name);

#endif
