/* payload_tree.h - the parts that every tree of calls in the page has: functions, calls, threads.
 *
 *	stacks of a struct profile ──► nodes of functions ──► columns of numbers ──► gzip, base64
 */
#ifndef TASKDIAG_REPORT_PAYLOAD_TREE_H
#define TASKDIAG_REPORT_PAYLOAD_TREE_H

#include <stdio.h>

#include "aggregate/profile.h"
#include "report/calls.h"

struct payload_tree {
	FILE *out;
	const struct profile *profile;
	struct functions functions;
	struct calls calls;
	uint32_t *node_of_stack;
};

/** Functions only, without processes, threads and causes: those are columns of the samples.
 * @each_line: each line of a function on its own. -ENOMEM. payload_tree_done() in every case. */
int payload_tree_init(struct payload_tree *t, FILE *out, const struct profile *p, bool each_line);
void payload_tree_done(struct payload_tree *t);

/** CALLS_ROOT for PROFILE_NO_STACK. */
uint32_t payload_tree_node(const struct payload_tree *t, uint32_t stack);

/** "names":[…] … "back":[…] "functions":[…] "processes":[…] "threads":[…] and a comma. */
void payload_tree_put(const struct payload_tree *t);

/** "key":"text" and a comma; NULL is "". */
void payload_put_string(FILE *out, const char *key, const char *text);

/** What @json writes, compressed, in base64. -ENOMEM, or what @json returns. */
int payload_compress(int (*json)(const void *context, FILE *out), const void *context, FILE *out);

#endif
