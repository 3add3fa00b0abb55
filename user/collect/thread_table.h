/* thread_table.h - the threads that memory is told of: numbered as they come, and handed to the
 * tree of a struct profile at the end. At most 16,384 are told apart; all further ones are
 * "[others]".
 */
#ifndef TASKDIAG_THREAD_TABLE_H
#define TASKDIAG_THREAD_TABLE_H

#include <stdint.h>

#include "aggregate/intern.h"
#include "aggregate/profile.h"
#include "collect/collector.h"

struct thread_key {
	uint64_t start_ns; /* of its process */
	uint32_t tgid, tid;
};

struct thread_table {
	const struct observation *o;
	struct intern threads;
};

void thread_table_init(struct thread_table *t, const struct observation *o);
void thread_table_clear(struct thread_table *t);

/** Its number, from 0; INTERN_NONE: no memory. @pid: its process as the observer sees it; @name: of
 * the thread, hostile, at most NAME_BYTES. */
uint32_t thread_table_get(struct thread_table *t, const struct thread_key *key, uint32_t pid,
			  const char *name);

/** Adds all of them, and their processes, to @p. *ret: the number there of each of ours, to be
 * freed also after an error. 0, -ENOMEM. */
int thread_table_add(struct thread_table *t, struct profile *p, uint32_t **ret);

#endif
