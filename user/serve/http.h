/* http.h - the daemon's API, its page and its metrics, over libmicrohttpd. Reads only: the store's
 * directory handle, the index; and asks one thing of the collector: a snapshot.
 *
 *   <prefix>                              tasks; state, rule, name, end, since, until, limit,
 * offset <prefix><id>/                         one task <prefix><id>/profile_artifacts/ {"urls":
 * {…}}; ?partial=true of a task that runs <prefix><id>/curve                    RSS of a running
 * task, tick by tick /artifacts/<id>/<name>                signed; <id>.partial is a snapshot's /
 * /web/<file>                        the page /metrics  /healthz
 *
 * GET and HEAD only. Everything but /healthz and signed artifacts needs whoever asks to be allowed:
 * by the unix socket's mode and SO_PEERCRED, or by the bearer token. Paths are compared as they
 * come: nothing in them is decoded.
 */
#ifndef TASKDIAG_SERVE_HTTP_H
#define TASKDIAG_SERVE_HTTP_H

#include "serve/index.h"
#include "serve/sign.h"

struct http_config {
	const char
	    *prefix; /* of tasks: "/tasks/" or "/pulp/api/v3/tasks/"; begins and ends with '/' */
	const char *external_url; /* scheme and host that URLs of artifacts begin with; NULL: what
				     the request's Host says */
	const char *token;	  /* bearer; NULL: none is asked for (unix socket) */
	const char *hosts; /* further names that Host may have, with spaces between; localhost,
			      127.0.0.1, [::1] and external_url's are always */
	const char *tls_certificate, *tls_key; /* PEM text; NULL: none */
	uint64_t url_lifetime_s;	       /* 3600 */
	unsigned connections;		       /* at once; more wait in the kernel's queue; 64 */
	unsigned per_address;	   /* of one address; 0: no limit (unix sockets have none) */
	unsigned header_timeout_s; /* 5 */
	bool peers;		   /* a unix socket: who connects is root, us, or in the group */
	uint32_t group;		   /* that the socket belongs to */
};

struct http;

/* Asks the collector for a snapshot of a running task; 0, -ENOENT (does not run), -EAGAIN (busy),
 * -ETIMEDOUT. NULL: snapshots cannot be had. */
typedef int http_snapshot_fn(void *context, const char *id);

/** @listener: a listening socket, unix or TCP; becomes ours. The others are borrowed. @problem: for
 * a person. */
int http_new(const struct http_config *config, int listener, const struct store *store,
	     struct index *index, const struct sign_key *key, http_snapshot_fn *snapshot,
	     void *context, struct http **ret, struct problem *problem);
/** Serves until this is called; threads of its own. NULL is fine. */
void http_free(struct http *h);

struct http_counts {
	uint64_t requests, refused, errors, bytes_sent;
};
void http_counts(const struct http *h, struct http_counts *ret);

#endif
