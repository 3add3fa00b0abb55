/* web.h - the process that answers HTTP: of its own user, with a read-only view of the store. It is
 * forked by the daemon, which it asks for snapshots over one socket.
 */
#ifndef TASKDIAG_SERVE_WEB_H
#define TASKDIAG_SERVE_WEB_H

#include <sys/types.h>

#include "lib/identity.h"
#include "serve/http.h"

#define WEB_LISTENERS 2

struct web_config {
	struct http_config http[WEB_LISTENERS]; /* one for each listener */
	int listeners[WEB_LISTENERS];		/* sockets; -1: none */
	const struct store *store;		/* of the parent */
	struct sign_key key;
	const struct identity *user; /* NULL: nobody */
	int asks;		     /* end of a SOCK_SEQPACKET pair: the daemon has the other */
};

/* On that socket: an id up, an answer (0 or -errno) down. */
struct web_question {
	char id[TASK_ID_MAX + 1];
};

/** Never returns: ends by SIGTERM, or with its parent. */
void web_run(const struct web_config *config) __attribute__((noreturn));

#endif
