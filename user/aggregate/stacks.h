/* stacks.h - an interned tree of raw stacks: what each stack of a run was, once.
 *
 *   stack record ──► tree node (parent + frame); its id ──► the node
 *
 * Memory grows with what is distinct, and is bounded: beyond STACKS_NODES_MAX nodes, or
 * STACKS_IDS_MAX ids, a stack becomes the one overflow stack (counted). Pure: frames are opaque
 * numbers.
 */
#ifndef TASKDIAG_AGGREGATE_STACKS_H
#define TASKDIAG_AGGREGATE_STACKS_H

#include <stddef.h>
#include <stdint.h>

#define STACKS_NODES_MAX (1u << 20)
#define STACKS_IDS_MAX (1u << 18)
#define STACKS_ROOT 0	  /* the node of the empty stack */
#define STACKS_OVERFLOW 1 /* the node of all stacks that found no room */

struct stacks;

struct stacks *stacks_new(void);    /* NULL with errno set */
void stacks_free(struct stacks *s); /* NULL is fine */

/**
 * A stack: its frames, outermost first, get nodes; @id is what other records refer to from now on.
 * 0; -ENOSPC: there was no room, @id is an overflow stack now; -ENOMEM likewise.
 */
int stacks_add(struct stacks *s, uint64_t id, const uint64_t *frames, size_t count);
/** Its node; STACKS_ROOT when @id is unknown, or 0. */
uint32_t stacks_node(const struct stacks *s, uint64_t id);

size_t stacks_count(const struct stacks *s);		       /* nodes, STACKS_ROOT included */
uint32_t stacks_parent(const struct stacks *s, uint32_t node); /* always a smaller number */
uint64_t stacks_frame(const struct stacks *s, uint32_t node);
uint64_t stacks_overflowed(const struct stacks *s); /* stacks that found no room */

#endif
