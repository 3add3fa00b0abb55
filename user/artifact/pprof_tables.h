/* pprof_tables.h - what the samples of a pprof file point to: strings, functions, locations.
 *
 *   frame ──► function
 *   frame + those that it was inlined into, up to the one that has an address ──► location
 *   stack ──► location at its leaf, and the stack that called it
 */
#ifndef TASKDIAG_PPROF_TABLES_H
#define TASKDIAG_PPROF_TABLES_H

#include "aggregate/intern.h"
#include "aggregate/profile.h"

struct pprof_function {
	uint32_t name, system_name, file; /* numbers of strings; 0: none */
	uint32_t first_line;		  /* of its definition; 0: unknown */
};

/* One line of a location; @caller is the location of the lines outwards, of which only the lines
 * count: address and mapping are theirs already. */
struct pprof_location {
	uint64_t address;
	uint32_t mapping, function, line, caller; /* PROFILE_NONE: none */
	uint32_t id, pad;			  /* 0: no sample has it. Not part of the key */
};

struct pprof_thread {
	uint32_t process, thread; /* strings */
};

struct pprof_tables {
	const struct profile *profile;
	struct strings strings; /* number 0 is "" */
	struct intern functions, locations;
	uint32_t *frame_function;
	uint32_t *stack_location, *stack_caller;
	uint32_t *cause_location; /* PROFILE_NONE: running */
	uint32_t *cause_label;	  /* string */
	struct pprof_thread *threads;
	uint32_t no_frames; /* location of an empty stack */
};

/** 0 or -ENOMEM; pprof_tables_clear() in both cases. @p must not change meanwhile. */
int pprof_tables_init(struct pprof_tables *t, const struct profile *p);
void pprof_tables_clear(struct pprof_tables *t);

/** The number of the string @s, made safe. INTERN_NONE: no memory. */
uint32_t pprof_tables_string(struct pprof_tables *t, const char *s);

#endif
