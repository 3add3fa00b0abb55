/* abilities.h - what this kernel and these privileges allow, found by trying: load, attach, count
 * on a sacrificial child. */
#ifndef TASKDIAG_ABILITIES_H
#define TASKDIAG_ABILITIES_H

#include <stddef.h>
#include <sys/types.h>

enum ability_state {
	ABILITY_OK,
	ABILITY_LIMITED, /* something is missing that a run can do without */
	ABILITY_MISSING, /* no run without it */
	ABILITY_INFO,	 /* good to know, nothing depends on it today */
};

/* The diagnostics that depend on it. */
enum ability_of { OF_MEMORY = 1, OF_PROFILE = 2, OF_ALLOCATIONS = 4 };

struct ability {
	const char *name;
	unsigned of; /* bits of enum ability_of */
	enum ability_state state;
	char detail[256]; /* what was found */
	char remedy[256]; /* empty: none needed */
};

#define ABILITIES_MAX 16

/**
 * Tries everything; fills at most ABILITIES_MAX. @pid: also look at this process; 0: none. Returns
 * how many. Needs no privilege itself: what is missing is what it tells. Takes about a quarter of a
 * second.
 */
size_t abilities_try(pid_t pid, struct ability ret[ABILITIES_MAX]);

/** Worst of those that @of depends on: ABILITY_MISSING refuses that diagnostic, ABILITY_LIMITED
 * limits it, else it works. */
enum ability_state abilities_verdict(const struct ability *abilities, size_t count,
				     enum ability_of of);

#endif
