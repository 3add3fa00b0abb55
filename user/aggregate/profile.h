/* profile.h - a finished profile: named frames, an interned tree of stacks, marks per stack,
 * thread, cause and slice of time. Input of every writer (artifact/profile_*.c).
 *
 *   frame ──► stack (node: parent + frame) ──► sample (stack, thread, cause, slice) += marks
 *
 * Numbers of frames, stacks and so on count from 0 in the order of their making; stack
 * PROFILE_NO_STACK is the empty one. Strings are copied; they are hostile (see lib/escape.h).
 * Pure: no kernel, no files.
 */
#ifndef TASKDIAG_PROFILE_H_AGGREGATE
#define TASKDIAG_PROFILE_H_AGGREGATE

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROFILE_NONE UINT32_MAX
#define PROFILE_NO_STACK UINT32_MAX

struct profile;

struct profile_mapping {
	const char *path;	       /* as the task sees it; or "[vdso]", "[jit]" */
	const char *build_id;	       /* hex; NULL: none */
	uint64_t start, limit, offset; /* as in pprof: addresses of the file's text */
	bool named;		       /* some frames in it have names */
};

struct profile_frame {
	const char *name;	 /* demangled, or "module+0x1f" */
	const char *system_name; /* as in the symbol table; NULL: the same */
	const char *file;	 /* source; NULL: unknown */
	uint32_t line;		 /* 0: unknown */
	uint32_t first_line;	 /* of the function's definition; 0: unknown */
	uint32_t mapping;	 /* PROFILE_NONE: none (a cause, for one) */
	uint64_t address;	 /* within the file */
	bool heuristic;		 /* found by frame pointer: a guess */
	bool inlined;		 /* into its caller, which is the next frame towards the root */
	bool python;		 /* a function of Python: file is the script's or module's path */
};

struct profile_process {
	const char *name; /* "name-pid" */
	uint32_t pid;
};

/* Exact totals from the kernel, beside what was sampled. */
struct profile_thread {
	const char *name;
	uint32_t process, tid;
	uint64_t start_ns, end_ns; /* observed; from the start of the run */
	uint64_t cpu_ns, run_queue_ns, blocked_ns;
	uint64_t cpu_marks, run_queue_marks, blocked_marks; /* recorded */
	uint64_t marks; /* the thread's own count: periods in its lifetime */
};

struct profile_cause {
	const char *name; /* "[lock]"; "cpu" for running */
	bool running;	  /* CPU time, not a wait: no frame of its own in the stack */
};

struct profile_sample {
	uint32_t stack, thread, cause, slice;
	uint64_t marks;
};

/** @period_ns: wall time of one mark; @slice_ns: length of a slice of time. NULL with errno set. */
struct profile *profile_new(uint64_t period_ns, uint64_t slice_ns);
void profile_free(struct profile *p); /* NULL is fine */

/* Each returns the number of the new or known thing, PROFILE_NONE without memory. */
uint32_t profile_mapping(struct profile *p, const struct profile_mapping *m); /* always new */
uint32_t profile_frame(struct profile *p, const struct profile_frame *f);     /* interned */
uint32_t profile_process(struct profile *p, const struct profile_process *x); /* always new */
uint32_t profile_thread(struct profile *p, const struct profile_thread *t);   /* always new */
uint32_t profile_cause(struct profile *p, const char *name, bool running);    /* interned */
uint32_t profile_stack(struct profile *p, uint32_t parent, uint32_t frame);   /* interned */
/** Adds marks to a sample, which is made when it is new. 0, -ENOMEM. */
int profile_add(struct profile *p, uint32_t stack, uint32_t thread, uint32_t cause, uint32_t slice,
		uint64_t marks);

uint64_t profile_period_ns(const struct profile *p);
uint64_t profile_slice_ns(const struct profile *p);
uint64_t profile_marks(const struct profile *p); /* sum of all samples */

size_t profile_mapping_count(const struct profile *p);
size_t profile_frame_count(const struct profile *p);
size_t profile_process_count(const struct profile *p);
size_t profile_thread_count(const struct profile *p);
size_t profile_cause_count(const struct profile *p);
size_t profile_stack_count(const struct profile *p);
size_t profile_sample_count(const struct profile *p);

/* Borrowed; valid until the next change. */
const struct profile_mapping *profile_mapping_at(const struct profile *p, uint32_t i);
const struct profile_frame *profile_frame_at(const struct profile *p, uint32_t i);
const struct profile_process *profile_process_at(const struct profile *p, uint32_t i);
const struct profile_thread *profile_thread_at(const struct profile *p, uint32_t i);
const struct profile_cause *profile_cause_at(const struct profile *p, uint32_t i);
const struct profile_sample *profile_sample_at(const struct profile *p, uint32_t i);
uint32_t profile_stack_parent(const struct profile *p, uint32_t stack);
uint32_t profile_stack_frame(const struct profile *p, uint32_t stack);

#endif
