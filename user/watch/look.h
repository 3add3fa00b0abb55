/* look.h - what /proc says of a process that a rule asks about: only what a rule asks for is read.
 */
#ifndef TASKDIAG_WATCH_LOOK_H
#define TASKDIAG_WATCH_LOOK_H

#include <stdint.h>

#include "bpf/events.h"
#include "rules/rules.h"

#define LOOK_BYTES 4096

/* Hostile; "" where it could not be read: it has ended, or may not be. */
struct look {
	char comm[NAME_BYTES], parent_comm[NAME_BYTES];
	char exe[LOOK_BYTES], command[LOOK_BYTES], directory[LOOK_BYTES], cgroup[LOOK_BYTES];
	struct rule_process process; /* points into the above */
};

/** @directory: as the kernel told it, within its file system; /proc's is taken where it can be
 * read, if the process is still the one that @e tells of. */
void look_at(const struct rules *rules, const struct task_event *e, const char *directory,
	     enum rule_moment moment, struct look *ret);

#endif
