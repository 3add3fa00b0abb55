/* problem.h - one line for a person: object, cause, next step. Travels up beside an errno; only
 * cli/ and session/ print it. */
#ifndef TASKDIAG_PROBLEM_H
#define TASKDIAG_PROBLEM_H

struct problem {
	char text[512]; /* empty: no problem so far; no newline at the end */
};

/** Writes the line, unless one stands already: the first cause is the one to tell. Returns @err
 * unchanged, for `return problem_set(…)`. */
int problem_set(struct problem *problem, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
