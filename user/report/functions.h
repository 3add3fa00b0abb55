/* functions.h - the functions of a profile: frames that differ only in line and address are one,
 * unless each line is asked for. Two of one name in a file of Python differ in their first line.
 *
 * A kind says whose code it is, guessed from file and module, for colours and for what a tree may
 * fold away.
 */
#ifndef TASKDIAG_REPORT_FUNCTIONS_H
#define TASKDIAG_REPORT_FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregate/profile.h"

enum function_kind {
	FUNCTION_OWN,	  /* compiled code of the program itself */
	FUNCTION_PYTHON,  /* Python code of the program itself */
	FUNCTION_LIBRARY, /* shared libraries, interpreters */
	FUNCTION_KERNEL,
	FUNCTION_PYTHON_LIBRARY, /* its standard library, installed packages */
	FUNCTION_KINDS
};

extern const char *const function_kind_names[FUNCTION_KINDS];

/** SGR codes of a name on a console. */
extern const char *const function_kind_sgr[FUNCTION_KINDS];

/** What a tree may fold away. */
bool function_kind_is_library(enum function_kind k);

/* Strings are the profile's, and hostile. */
struct function_info {
	const char *name;
	const char *file;    /* NULL: unknown */
	const char *module;  /* the last part of the mapping's path; NULL: none */
	uint32_t line;	     /* where it differs: of the definition; 0: unknown */
	uint32_t first_line; /* of the definition; 0: unknown */
	enum function_kind kind;
};

struct functions {
	struct function_info *all;
	size_t n;
	uint32_t *of_frame; /* frame of the profile → index */
};

/** @each_line: each line of a function counts as a function. -ENOMEM. Lives as long as @p does.
 * Give it back with functions_done(). */
int functions_init(struct functions *ret, const struct profile *p, bool each_line);
void functions_done(struct functions *f);

/** "file.py:12", else the module, else "": a new raw string, NULL without memory. */
char *function_place(const struct function_info *f);

#endif
