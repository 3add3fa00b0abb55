/* rules.h - which processes of this host are a task, and what its id is.
 *
 *   process (fork, exec, chdir, cgroup) ──► rules_match() ──► rule ──► a task begins
 *   line on stderr, cgroup path, helper ──► rule_id_…()   ──► its id
 *
 * Pure: no process is looked at here. What a rule can be matched by is decided in two steps: the
 * kernel asks the coarse question (comm, whose child, did it chdir), this the exact one.
 */
#ifndef TASKDIAG_RULES_H
#define TASKDIAG_RULES_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/problem.h"

#define RULES_MAX 64
#define RULE_NAME_MAX 64  /* letters, digits, '_' and '-' */
#define RULE_LINE_MAX 256 /* bytes of a line on stderr that an expression is given */

/* A pattern of a rule: POSIX extended regular expression, or a literal that is all of the text. */
struct pattern {
	char *text; /* as it was written; NULL: the rule does not ask */
	regex_t regex;
};

enum rule_moment {		  /* when a process can match for the first time */
		   RULE_AT_FORK,  /* a child of a process that matches `parent`, without an exec */
		   RULE_AT_EXEC,  /* comm, exe, command, cgroup, unit */
		   RULE_AT_CHDIR, /* its working directory, or the path that it gave chdir() */
};

enum rule_allocations { RULE_RESIDENT, RULE_HEAP /* the shim asleep, where the task carries it */ };

struct rule {
	char name[RULE_NAME_MAX + 1];
	struct pattern comm, exe, command; /* of the process */
	struct pattern parent;		   /* comm of its parent */
	bool fork;			   /* the parent's pattern counts at fork, without exec */
	struct pattern directory;	   /* working directory, after chdir */
	struct pattern cgroup;		   /* path within its hierarchy */
	struct pattern unit;		   /* systemd unit: last part of the cgroup path */
	struct pattern id_cgroup;	   /* group 1 is the id */
	struct pattern id_stderr;	   /* group 1 of the first line on stderr that matches */
	char *id_helper;    /* command: PID START_NS PARENT_PID as arguments, id on stdout */
	char *helper_user;  /* whom it runs as; default nobody */
	char **diagnostics; /* names; ends with NULL; NULL: those of the daemon */
	enum rule_allocations allocations;
	uint32_t max_tasks;	/* at once; 0: no limit */
	double max_overhead;	/* as --max-overhead; 0: the default */
	uint64_t max_bytes;	/* of a run directory; 0: the daemon's */
	uint32_t sample_one_in; /* 1: every task */
};

struct rules {
	struct rule rule[RULES_MAX];
	size_t count;
};

/* What is known of a process when it is asked about. Strings may be NULL: not known. Hostile. */
struct rule_process {
	enum rule_moment moment;
	const char *comm, *exe, *command, *parent_comm, *directory, *cgroup;
};

/** The first rule that all of its patterns match, at its moment; NULL: none. */
const struct rule *rules_match(const struct rules *r, const struct rule_process *p);
/** When the rule's last pattern can be known: what the kernel has to tell of. */
enum rule_moment rule_moment(const struct rule *r);

/** Group 1 of the pattern in @text, if it is a valid id (letters, digits, '_', '-'; other bytes
 * make it none): true. */
bool rule_id(const struct pattern *p, const char *text, size_t bytes, char ret[65]);

/** Whether the @number-th task of the rule (from 1) is one that is observed, with 1 in N. */
bool rule_sampled(const struct rule *r, uint64_t number);

void rules_release(struct rules *r);

#endif
