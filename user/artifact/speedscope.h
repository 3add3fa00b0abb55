/* speedscope.h - the parts of speedscope's file format 1.x that all our files of it have: the head
 * with the table of frames, and profiles of type "sampled".
 */
#ifndef TASKDIAG_SPEEDSCOPE_H
#define TASKDIAG_SPEEDSCOPE_H

#include "artifact/profile_walk.h"

/* A browser reads the file as one string, which may not pass 512 MB. */
#define SPEEDSCOPE_MAX_FRAMES 20000000 /* in all samples together, about */

/** For profile_walk_init(). */
int speedscope_show(FILE *out, const struct profile_shown *f);

/** Up to the list of profiles, with all labels that @w has; a label that comes later is missing. 0
 * or -ENOMEM. */
int speedscope_head(const struct profile_walk *w, const char *command, FILE *out);
/** Ends what the head has begun. */
void speedscope_tail(FILE *out);

/** A profile: first this, then its samples, then the weights. @name: made safe for JSON only. */
void speedscope_begin(const char *name, const char *unit, uint64_t sum, FILE *out);
/** The @i-th sample; its frames are those of @root (INTERN_NONE: none), then those of @node. 0 or
 * -ENOMEM. */
int speedscope_sample(struct profile_walk *w, size_t i, uint32_t root, uint32_t node, FILE *out);
/** After the last sample, before the first weight. */
void speedscope_weights(FILE *out);
void speedscope_weight(size_t i, uint64_t weight, FILE *out);
void speedscope_end(FILE *out);

#endif
