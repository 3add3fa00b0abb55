/* stack_build.h - raw stacks → stacks with names, in the tree of a struct profile.
 *
 * A stack with Python frames is shown as its programmer knows it: without the interpreter's own
 * frames, and without the way from the start of the program or thread to the first of them, unless
 * other code has a part in it (a program that embeds the interpreter). --native-internals shows
 * all.
 */
#ifndef TASKDIAG_STACK_BUILD_H
#define TASKDIAG_STACK_BUILD_H

#include "collect/stacks.h"

struct stack_build;

/** Once no record can come any more. @p gets the mappings of all files. 0 or -ENOMEM. */
int stack_build_new(struct task_stacks *s, struct profile *p, struct stack_build **ret);
void stack_build_free(struct stack_build *b); /* NULL is fine */

/** The stack to show for a node; PROFILE_NO_STACK: the empty one, or no memory (see failed). */
uint32_t stack_build_stack(struct stack_build *b, uint32_t node);
/** A frame that is only a name on top of @stack. PROFILE_NO_STACK: no memory. */
uint32_t stack_build_name(struct stack_build *b, uint32_t stack, const char *name);
bool stack_build_failed(const struct stack_build *b); /* memory was missing somewhere */

#endif
