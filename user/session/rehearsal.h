/* rehearsal.h - a run in small, for doctor: each fills detail, and state and remedy where something
 * is missing. */
#ifndef TASKDIAG_REHEARSAL_H
#define TASKDIAG_REHEARSAL_H

#include "session/abilities.h"

/** Loads every program, as a run would. */
void rehearse_load(struct ability *a);
/** Observes a child that touches 8 MiB and ends: fork to exit, every page. */
void rehearse_child(struct ability *a);
/** Loads and attaches what a profile needs. */
void rehearse_profile(struct ability *a);
/** Loads and attaches what tells of pages. */
void rehearse_resident(struct ability *a);
/** Starts a program with the malloc shim, which has to greet. (rehearsal_shim.c) */
void rehearse_shim(struct ability *a);
/** Lets the worker read our own program. */
void rehearse_worker(struct ability *a);
/** Reads our own smaps_rollup. */
void rehearse_pss(struct ability *a);

#endif
