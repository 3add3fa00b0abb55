/* scan.h - one /proc/PID/maps being read, in slices, while the side-band goes on. */
#ifndef TASKDIAG_SCAN_H
#define TASKDIAG_SCAN_H

#include <stdint.h>
#include <sys/types.h>

#include "unwind/areas.h"
#include "unwind/files.h"
#include "unwind/maps.h"

struct scan;

/** 0; -ESRCH: the process is gone; else -errno. */
int scan_new(pid_t pid, struct files *files, const struct areas_watch *watch, struct scan **ret);
void scan_free(struct scan *s); /* NULL is fine */

/** Reads until @until_ns (CLOCK_MONOTONIC), at least a little. 1: not at the end yet; 0; -errno. */
int scan_go_on(struct scan *s, uint64_t until_ns);
/** A mapping that came meanwhile: put over what is read. */
void scan_also(struct scan *s, const struct area *area);
/** At the end: hands over what was found; @to is empty. 0; -E2BIG: too much came meanwhile;
 * -ENOMEM. */
int scan_finish(struct scan *s, struct areas *to);
uint64_t scan_began_ns(const struct scan *s);
uint32_t scan_refused(const struct scan *s); /* areas that had no room */

#endif
