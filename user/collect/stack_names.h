/* stack_names.h - names of all frames of all stacks: asked file by file, when the run is over. */
#ifndef TASKDIAG_STACK_NAMES_H
#define TASKDIAG_STACK_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct frame_names;
struct symbolize_name;
struct task_stacks;

/** 0 or -ENOMEM. What cannot be named is a problem of @s. */
int frame_names_new(struct task_stacks *s, struct frame_names **ret);
void frame_names_free(struct frame_names *n); /* NULL is fine */
/** Names of a frame, innermost inlined function first; *ret_count at least 1. @proc: index of the
 * process for raw frames. Borrowed. */
const struct symbolize_name *frame_names_of(const struct frame_names *n, uint64_t frame,
					    uint32_t proc, size_t *ret_count);

#endif
