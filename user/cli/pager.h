/* pager.h - long views on a terminal go through a pager. */
#ifndef TASKDIAG_PAGER_H
#define TASKDIAG_PAGER_H

#include <stdio.h>

/**
 * Where a view is to be written: to $PAGER, or /usr/bin/less, when stdout is a terminal; else, and
 * where there is none, stdout itself. PAGER="" or "cat": none. As root by sudo $PAGER is not asked,
 * and less runs without its commands that start others.
 */
FILE *pager_begin(void);
/** Waits until the user has seen it. @err: of the writer; returned, unless the user has left before
 * the end. */
int pager_end(FILE *out, int err);

#endif
