/* folded.h - one line of a folded file: process;thread;frames… NUMBER. A frame reads
 * "function (file.c:12)"; no name can make a line or a frame of its own.
 */
#ifndef TASKDIAG_FOLDED_H
#define TASKDIAG_FOLDED_H

#include "artifact/profile_walk.h"

int folded_show(FILE *out, const struct profile_shown *f); /* for profile_walk_init() */

/** @value: of the line, in the unit of the file. 0 or -ENOMEM. */
int folded_line(struct profile_walk *w, const struct profile_line *line, uint64_t value, FILE *out);

#endif
