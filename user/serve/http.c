/* http.c - see http.h: the server itself, its connections and their patience. */
#include "serve/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#include "lib/clock.h"
#include "serve/http_private.h"

#define CONNECTION_BYTES (16u << 10) /* of a request's head: a longer one is refused */
#define STALLED_S 30		     /* an answer that nobody takes */
#define WATCH_NS (250 * NS_PER_MS)

static void *ask(void *context)
{
	struct request *r = context;

	r->answer = r->h->snapshot(r->h->context, r->id);
	r->asked = true;
	MHD_resume_connection(r->connection);
	return NULL;
}

/* The answer takes as long as a run directory does to be written: others go on. */
static http_result ask_snapshot(struct request *r, const char *id)
{
	pthread_attr_t detached;
	pthread_t thread;
	int err;

	strcpy(r->id, id);
	MHD_suspend_connection(r->connection);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &detached, ask, r);
	pthread_attr_destroy(&detached);
	if (err) {
		r->answer = -EAGAIN;
		r->asked = true;
		MHD_resume_connection(r->connection);
	}
	return MHD_YES;
}

static bool wants_snapshot(const struct request *r, const char *id)
{
	struct indexed_task t;
	char partial[8];

	return !r->asked && r->h->snapshot &&
	       request_argument(r, "partial", partial, sizeof(partial)) &&
	       !strcmp(partial, "true") && !index_find(r->h->index, id, &t) &&
	       t.state == INDEXED_RUNNING;
}

/* @rest: behind the prefix. */
static http_result route_tasks(struct request *r, const char *rest)
{
	size_t n = strcspn(rest, "/");
	char id[TASK_ID_MAX + 1];

	if (!*rest)
		return tasks_list(r);
	if (n > TASK_ID_MAX)
		return reply_detail(r, MHD_HTTP_NOT_FOUND, "No Task matches the given query.");
	memcpy(id, rest, n);
	id[n] = 0;
	rest += n;
	if (!task_id_is_valid(id))
		return reply_detail(r, MHD_HTTP_NOT_FOUND, "No Task matches the given query.");
	if (!strcmp(rest, "/profile_artifacts/"))
		return wants_snapshot(r, id) ? ask_snapshot(r, id) : tasks_artifacts(r, id);
	if (!strcmp(rest, "/curve"))
		return tasks_curve(r, id);
	if (!strcmp(rest, "/"))
		return tasks_one(r, id);
	return reply_detail(r, MHD_HTTP_NOT_FOUND, "Not found.");
}

static http_result route(struct request *r)
{
	const char *prefix = r->h->config.prefix;
	http_result ret;

	if (!strcmp(r->path, "/healthz"))
		return reply_text(r, MHD_HTTP_OK, "text/plain; charset=utf-8", "ok\n", 3);
	if (!gate_host(r, &ret))
		return ret;
	if (!strncmp(r->path, "/artifacts/", 11)) /* the signature says who may */
		return artifact_get(r, r->path + 11);
	if (!gate_who(r, &ret))
		return ret;
	if (!strncmp(r->path, prefix, strlen(prefix)))
		return route_tasks(r, r->path + strlen(prefix));
	if (!strcmp(r->path, "/metrics"))
		return metrics_get(r);
	return page_get(r, r->path);
}

static bool has_body(const struct request *r)
{
	const char *length = request_header(r, "Content-Length");

	return request_header(r, "Transfer-Encoding") || (length && strcmp(length, "0"));
}

static void connection_busy(struct http *h, struct MHD_Connection *connection, bool busy)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct http_connection *c = info ? info->socket_context : NULL;

	if (!c)
		return;
	pthread_mutex_lock(&h->lock);
	c->waits_since_ns = busy ? 0 : clock_monotonic_ns();
	pthread_mutex_unlock(&h->lock);
}

static http_result handle(void *context, struct MHD_Connection *connection, const char *url,
			  const char *method, const char *version, const char *upload,
			  size_t *upload_size, void **state)
{
	struct request *r = *state;

	(void)url; /* as decoded: see keep_path() */
	(void)version;
	(void)upload;
	if (!r)
		return MHD_NO;
	if (!r->started) {
		r->started = true;
		r->connection = connection;
		connection_busy(context, connection, true);
		atomic_fetch_add(&r->h->requests, 1);
		if (!r->path[0])
			return reply_detail(r, MHD_HTTP_URI_TOO_LONG, "The path is too long.");
		if (strcmp(method, "GET") && strcmp(method, "HEAD"))
			return reply_detail(r, MHD_HTTP_METHOD_NOT_ALLOWED,
					    "Only GET and HEAD are allowed.");
		if (has_body(r))
			return reply_detail(r, MHD_HTTP_CONTENT_TOO_LARGE,
					    "A request has no body here.");
		return MHD_YES;
	}
	*upload_size = 0;
	return route(r);
}

/* The path as it came, before anything is decoded; what follows '?' is kept by the library. */
static void *keep_path(void *context, const char *uri, struct MHD_Connection *connection)
{
	struct request *r = calloc(1, sizeof(*r));
	size_t n = strcspn(uri, "?");

	if (!r)
		return NULL;
	r->h = context;
	r->connection = connection;
	if (n < sizeof(r->path))
		memcpy(r->path, uri, n);
	return r;
}

static void completed(void *context, struct MHD_Connection *connection, void **state,
		      enum MHD_RequestTerminationCode code)
{
	(void)code;
	free(*state);
	*state = NULL;
	connection_busy(context, connection, false);
}

static void connection_begin(struct http *h, struct MHD_Connection *connection, void **socket)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct http_connection *c = calloc(1, sizeof(*c));

	if (!c)
		return;
	c->fd = info ? info->connect_fd : -1;
	c->waits_since_ns = clock_monotonic_ns();
	*socket = c;
	pthread_mutex_lock(&h->lock);
	DL_APPEND(h->connections, c);
	pthread_mutex_unlock(&h->lock);
}

static void connection_end(struct http *h, void **socket)
{
	struct http_connection *c = *socket;

	if (!c)
		return;
	pthread_mutex_lock(&h->lock);
	DL_DELETE(h->connections, c);
	pthread_mutex_unlock(&h->lock);
	free(c);
	*socket = NULL;
}

static void connection_notify(void *context, struct MHD_Connection *connection, void **socket,
			      enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		connection_begin(context, connection, socket);
	else
		connection_end(context, socket);
}

/* Who does not say what it wants in time is hung up on: a byte a second keeps nobody's place. */
static void *watch_connections(void *context)
{
	const struct timespec pause = { .tv_nsec = WATCH_NS };
	struct http *h = context;
	struct http_connection *c;

	while (!atomic_load(&h->stopping)) {
		uint64_t now = clock_monotonic_ns();

		pthread_mutex_lock(&h->lock);
		DL_FOREACH(h->connections, c)
		if (c->waits_since_ns &&
		    now - c->waits_since_ns > h->config.header_timeout_s * NS_PER_S) {
			shutdown(c->fd, SHUT_RDWR);
			c->waits_since_ns = now;
		}
		pthread_mutex_unlock(&h->lock);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void say_nothing(void *context, const char *format, va_list args)
{
	(void)context;
	(void)format;
	(void)args;
}

static struct MHD_Daemon *start(struct http *h, int listener)
{
	const struct http_config *config = &h->config;
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)config->tls_certificate },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)config->tls_key },
		{ MHD_OPTION_END, 0, NULL },
	};
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
			 MHD_USE_ERROR_LOG;

	if (config->tls_certificate)
		flags |= MHD_USE_TLS;
	else
		tls[0].option = MHD_OPTION_END;
	/* the logger first: the options behind it are logged to */
	return MHD_start_daemon(
	    flags, 0, NULL, NULL, handle, h, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
	    MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT, config->connections,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)STALLED_S, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
	    config->per_address, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, keep_path, h,
	    MHD_OPTION_NOTIFY_COMPLETED, completed, h, MHD_OPTION_NOTIFY_CONNECTION,
	    connection_notify, h, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

int http_new(const struct http_config *config, int listener, const struct store *store,
	     struct index *index, const struct sign_key *key, http_snapshot_fn *snapshot,
	     void *context, struct http **ret, struct problem *problem)
{
	struct http *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->config = *config;
	h->store = store;
	h->index = index;
	h->key = *key;
	h->snapshot = snapshot;
	h->context = context;
	h->start_ns = clock_boot_ns();
	pthread_mutex_init(&h->lock, NULL);
	if (config->external_url)
		h->external_host = gate_host_of(config->external_url);
	h->daemon = start(h, listener);
	h->watched = h->daemon && !pthread_create(&h->watchdog, NULL, watch_connections, h);
	if (!h->watched) {
		http_free(h);
		return problem_set(problem, -EIO, "the HTTP server cannot be started%s",
				   config->tls_certificate ? ": check certificate and key" : "");
	}
	*ret = h;
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	if (h->daemon)
		MHD_stop_daemon(h->daemon);
	atomic_store(&h->stopping, true);
	if (h->watched)
		pthread_join(h->watchdog, NULL);
	pthread_mutex_destroy(&h->lock);
	free(h->external_host);
	free(h);
}

void http_counts(const struct http *h, struct http_counts *ret)
{
	*ret = (struct http_counts){
		.requests = atomic_load(&h->requests),
		.refused = atomic_load(&h->refused),
		.errors = atomic_load(&h->errors),
		.bytes_sent = atomic_load(&h->bytes_sent),
	};
}
