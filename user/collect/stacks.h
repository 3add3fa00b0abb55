/* stacks.h - what all diagnostics that walk stacks share: the raw tree of stacks, whose processes
 * they are of, code objects of Python; and from these, when the run is over, stacks with names.
 *
 *   EV_STACK, EV_CODE, EV_PROCESS … ──► task_stacks (raw) ──► stack_names.c ──► stack_build.c ──►
 *   stacks of a struct profile
 *
 * Owned by the session, which hands it every record before any collector gets it.
 */
#ifndef TASKDIAG_COLLECT_STACKS_H
#define TASKDIAG_COLLECT_STACKS_H

#include <stdarg.h>
#include <uthash.h>

#include "aggregate/profile.h"
#include "aggregate/stacks.h"
#include "bpf/unwind.h"
#include "collect/collector.h"

#define PROCS_MAX 65536 /* told apart; all further ones are one */

/* Frames that are no frames, at the root of a raw stack: what its walk came to, and whose raw
 * addresses follow. */
#define FRAME_OUTCOME (3ULL << 62)
#define FRAME_PROCESS (2ULL << 62)
#define FRAME_KIND (3ULL << 62) /* one of these; FRAME_PYTHON; 0: native */

struct code_event;
struct frame_names;
struct python_codes;

struct stack_process {
	uint64_t start_ns;
	uint32_t tgid, pid; /* pid as the observer sees it */
	uint32_t index;
	char name[NAME_BYTES];
	uint32_t exec_pages; /* at the last tick */
	bool raw;	     /* some of its frames belong to no file */
	int perf_map;	     /* pinned when the first of them came; -1: none so far */
	uint64_t map_ns;     /* looked for it then */
	UT_hash_handle hh;
};

struct task_stacks {
	const struct observation *o;
	struct stacks *tree;
	struct stack_process **procs; /* by index */
	size_t proc_count;
	struct stack_process *proc_table;
	struct python_codes *codes;
	uint64_t heuristic_stacks, python_stacks; /* with such frames */
	uint64_t failed;			  /* records that memory had no room for */
	struct frame_names *names;		  /* made when they are asked for, once */
	char *problems[8]; /* sentences: what could not be read or named, and why */
	size_t problem_count, problems_more;
};

struct task_stacks *task_stacks_new(const struct observation *o); /* NULL with errno set */
void task_stacks_free(struct task_stacks *s);			  /* NULL is fine */

void task_stacks_record(struct task_stacks *s, const struct event_header *h);
void task_stacks_sample(struct task_stacks *s, const struct sample_header *h);

/** The process of a record, made when it is new; NULL: no memory. */
struct stack_process *task_stacks_process(struct task_stacks *s, const struct event_header *h);
/** A stack that no record brought. Frames innermost first. */
void task_stacks_add(struct task_stacks *s, const struct event_header *h, uint64_t id,
		     uint32_t outcome, const uint64_t *frames, size_t count);
/** The same of a code object; @context is the struct task_stacks. */
void task_stacks_code(void *context, const struct code_event *e, size_t bytes);
/** How the walk of the stack at @node ended: enum unwind_outcome. */
uint32_t task_stacks_outcome(const struct task_stacks *s, uint32_t node);

/** Keeps a sentence for the manifest. */
void task_stacks_problem(struct task_stacks *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
