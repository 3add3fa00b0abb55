/* query.h - one question of inspect.c: what is sent, and how its answer is checked and delivered.
 */
#ifndef TASKDIAG_QUERY_H
#define TASKDIAG_QUERY_H

#include <stdbool.h>

#include "inspect/inspect.h"
#include "inspect/protocol.h"

/* Where a caller waits that stands still. */
struct query_wait {
	bool done;
	int err;
	union {
		struct link_answer link;
		struct inspect_allocators allocators;
	} answer;
};

struct query {
	struct query *next;
	struct request request;
	int file, debug;	   /* ours, duplicates; -1: none */
	int answer;		   /* memfd; -1 before it is sent */
	uint64_t *addresses;	   /* a copy */
	inspect_rows_fn rows_done; /* one of these four */
	inspect_names_fn names_done;
	inspect_python_fn python_done;
	struct query_wait *wait;
	void *context;
};

/** -EBADF: no such fd; -EMFILE: too many questions wait; -ENOMEM. @debug: -1: none. */
int query_new(enum request_kind kind, int file, int debug, struct query **ret);
void query_free(struct query *q); /* NULL is fine */
/** -EINVAL: more than PROTOCOL_ADDRESSES_MAX; -ENOMEM. */
int query_addresses(struct query *q, const uint64_t *addresses, size_t count);

/** 0 or -errno; -EPIPE, -ECONNRESET: nobody is at the other end. */
int query_send(struct query *q, int socket);

/** Calls done() with what @reply says. Nothing of it is trusted. Returns what done() got. */
int query_answer(struct query *q, const struct reply *reply);
/** Calls done() with an error. Returns it. */
int query_fail(struct query *q, int err, const char *cause);

#endif
