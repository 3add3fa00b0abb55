/* http_private.h - what the files of the HTTP server share. */
#ifndef TASKDIAG_SERVE_HTTP_PRIVATE_H
#define TASKDIAG_SERVE_HTTP_PRIVATE_H

#include <jansson.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "serve/http.h"

#define URL_PATH_MAX 1024

/* A connection: it has so long to say what it wants. */
struct http_connection {
	struct http_connection *next, *prev; /* utlist */
	int fd;
	uint64_t waits_since_ns; /* 0: a request is being answered */
};

struct http {
	struct http_config config;
	struct MHD_Daemon *daemon;
	const struct store *store;
	struct index *index;
	struct sign_key key;
	http_snapshot_fn *snapshot;
	void *context;
	char *external_host; /* of config.external_url; NULL */
	uint64_t start_ns;
	struct http_connection *connections;
	pthread_mutex_t lock; /* of connections */
	pthread_t watchdog;
	bool watched;
	atomic_bool stopping;
	atomic_uint_fast64_t requests, refused, errors, bytes_sent;
};

/* A request, from its headers to its answer. */
struct request {
	struct http *h;
	struct MHD_Connection *connection;
	char path[URL_PATH_MAX];
	bool started, asked;
	int answer; /* of the collector, once asked */
	char id[TASK_ID_MAX + 1];
};

typedef enum MHD_Result http_result;

/* --- http_reply.c --- */

/** Sends @text, which is copied. @type: Content-Type. */
http_result reply_text(struct request *r, unsigned status, const char *type, const char *text,
		       size_t size);
/** Sends and frees @json. */
http_result reply_json(struct request *r, unsigned status, json_t *json);
/** {"detail": @detail} */
http_result reply_detail(struct request *r, unsigned status, const char *detail);
/** As it is, with headers that every answer has. Takes @response. */
http_result reply_send(struct request *r, unsigned status, struct MHD_Response *response);
const char *request_header(const struct request *r, const char *name);
/** Decoded, cut at @size; false: it is not there. */
bool request_argument(const struct request *r, const char *name, char *ret, size_t size);
/** Scheme and host that URLs of ours begin with. */
void request_origin(const struct request *r, char *ret, size_t size);

/* --- http_gate.c --- */

/** Whether the request may be answered; if not it has been (*ret). */
bool gate_host(struct request *r, http_result *ret);
bool gate_who(struct request *r, http_result *ret);
/** Host of a URL, without its port: a new string. */
char *gate_host_of(const char *url);

/* --- what can be asked for --- */

http_result tasks_list(struct request *r);			/* http_tasks.c */
http_result tasks_one(struct request *r, const char *id);	/* http_tasks.c */
http_result tasks_curve(struct request *r, const char *id);	/* http_tasks.c */
http_result tasks_artifacts(struct request *r, const char *id); /* http_urls.c */
http_result artifact_get(struct request *r, const char *rest);	/* http_artifact.c */
http_result metrics_get(struct request *r);			/* http_metrics.c */
http_result page_get(struct request *r, const char *path);	/* http_page.c */

#endif
