/* calls.h - a profile, or the allocations of a task, as a tree of calls.
 *
 *	root ──► (process ──► (thread ──►)) function ──► function ──► (cause of a wait)
 *
 * Time is counted in marks; a mark is profile_period_ns() of wall time. Of allocations marks are
 * bytes, and cpu_marks pieces (alloc_view.h). Parents come before their children. Pure.
 */
#ifndef TASKDIAG_REPORT_CALLS_H
#define TASKDIAG_REPORT_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/profile.h"
#include "report/functions.h"

#define CALLS_NONE UINT32_MAX
#define CALLS_ROOT 0u

enum calls_kind { CALLS_ALL, CALLS_PROCESS, CALLS_THREAD, CALLS_FUNCTION, CALLS_CAUSE };

struct calls_node {
	enum calls_kind kind;
	uint32_t id; /* process, thread or cause of the profile; index of functions.all */
	uint32_t parent, first_child, next_sibling; /* CALLS_NONE: none; largest child first */
	uint64_t marks, cpu_marks;		    /* with everything below */
	uint64_t self_marks, self_cpu_marks; /* a wait is its cause's when causes are nodes */
};

struct calls {
	struct calls_node *nodes;
	size_t n, room;
	uint32_t *buckets; /* hash of (parent, kind, id) → node */
	size_t n_buckets;
};

enum calls_shape {
	CALLS_MERGED = 0,
	CALLS_BY_THREAD = 1,  /* processes and threads are the first nodes */
	CALLS_CAUSES = 2,     /* causes of waits are the last */
	CALLS_BY_PROCESS = 4, /* processes are the first nodes */
};

/* What has a stack. */
struct calls_item {
	uint32_t stack, thread;
	uint32_t cause; /* of a wait; CALLS_NONE: no node of its own */
	uint64_t marks, cpu_marks;
};

/** @shape: of calls_shape, or-ed. -ENOMEM. Give it back with calls_done(). */
int calls_init(struct calls *ret, const struct profile *p, const struct functions *f,
	       unsigned shape);
void calls_done(struct calls *c);

/** The same of @items, with the stacks and threads of @p, whose samples do not count. Sums must fit
 * 64 bits. @ret_nodes: gets the node of every item; may be NULL. */
int calls_of_items(struct calls *ret, const struct profile *p, const struct functions *f,
		   unsigned shape, const struct calls_item *items, size_t n, uint32_t *ret_nodes);

/** The node below @parent, made when it is new; CALLS_NONE without memory. */
uint32_t calls_child(struct calls *c, uint32_t parent, enum calls_kind kind, uint32_t id);

/** Sums and links of nodes made by calls_child(), from their self_marks and self_cpu_marks; again
 * when these have changed. -ENOMEM. */
int calls_sum(struct calls *c);

/* Time of a function wherever it stands; in recursion once. */
struct calls_total {
	uint32_t function; /* index of functions.all */
	uint64_t self, self_cpu, total;
};

/**
 * All functions of a CALLS_MERGED tree, largest self time first. *ret is the caller's, @f->n long.
 * -ENOMEM.
 */
int calls_totals(const struct calls *c, const struct functions *f, struct calls_total **ret);

#endif
