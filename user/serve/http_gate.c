/* http_gate.c - who may ask, and by which name. */
#include <nettle/base64.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve/http_private.h"

#define GROUPS_MAX 256
#define CREDENTIALS_MAX 1024

/* "[::1]:80" → "[::1]", "a:80" → "a" */
static size_t without_port(const char *host)
{
	const char *end = host[0] == '[' ? strchr(host, ']') : NULL;

	return end ? (size_t)(end + 1 - host) : strcspn(host, ":");
}

char *gate_host_of(const char *url)
{
	const char *host = strstr(url, "://");
	size_t n;

	host = host ? host + 3 : url;
	n = strcspn(host, "/");
	if (without_port(host) < n)
		n = without_port(host);
	return strndup(host, n);
}

static bool is_host(const char *host, size_t n, const char *allowed, size_t size)
{
	return n == size && !strncasecmp(host, allowed, n);
}

static bool host_is_known(const struct http *h, const char *host)
{
	static const char *const local[] = { "localhost", "127.0.0.1", "[::1]" };
	const char *more = h->config.hosts ? h->config.hosts : "";
	size_t n = without_port(host);

	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		if (is_host(host, n, local[i], strlen(local[i])))
			return true;
	if (h->external_host && is_host(host, n, h->external_host, strlen(h->external_host)))
		return true;
	for (more += strspn(more, " ,"); *more; more += strspn(more, " ,")) {
		size_t size = strcspn(more, " ,");

		if (is_host(host, n, more, size))
			return true;
		more += size;
	}
	return false;
}

bool gate_host(struct request *r, http_result *ret)
{
	const char *host = request_header(r, "Host");

	if (host && host_is_known(r->h, host))
		return true;
	*ret = reply_detail(r, MHD_HTTP_MISDIRECTED_REQUEST,
			    "This Host is not one of ours: name it in `hosts` of serve.ini.");
	return false;
}

static bool is_in_group(int fd, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t size = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
		return false;
	for (size_t i = 0; i < size / sizeof(*groups); i++)
		if (groups[i] == group)
			return true;
	return false;
}

/* The socket's mode asks the same of whoever opens it; this asks whoever connected. */
static bool peer_is_allowed(const struct request *r)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ucred who;
	socklen_t size = sizeof(who);

	if (!info || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &who, &size))
		return false;
	return who.uid == 0 || who.uid == geteuid() || who.gid == r->h->config.group ||
	       is_in_group(info->connect_fd, r->h->config.group);
}

static bool equals(const char *a, const char *b)
{
	uint8_t x[SHA256_DIGEST_SIZE], y[SHA256_DIGEST_SIZE]; /* lengths leak nothing this way */
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, strlen(a), (const uint8_t *)a);
	sha256_digest(&sha, sizeof(x), x);
	sha256_init(&sha);
	sha256_update(&sha, strlen(b), (const uint8_t *)b);
	sha256_digest(&sha, sizeof(y), y);
	return memeql_sec(x, y, sizeof(x));
}

/* Of a browser: any user, the token as password. */
static bool basic_is_right(const char *text, const char *token)
{
	uint8_t plain[BASE64_DECODE_LENGTH(CREDENTIALS_MAX) + 1];
	struct base64_decode_ctx base64;
	size_t size = sizeof(plain) - 1;
	const char *colon;

	if (strlen(text) > CREDENTIALS_MAX)
		return false;
	base64_decode_init(&base64);
	if (!base64_decode_update(&base64, &size, plain, strlen(text), text) ||
	    !base64_decode_final(&base64))
		return false;
	plain[size] = 0;
	colon = strchr((const char *)plain, ':');
	return colon && equals(colon + 1, token);
}

static bool token_is_right(const struct request *r)
{
	const char *header = request_header(r, "Authorization"), *token = r->h->config.token;

	if (!header)
		return false;
	if (!strncasecmp(header, "Bearer ", 7))
		return equals(header + 7, token);
	return !strncasecmp(header, "Basic ", 6) && basic_is_right(header + 6, token);
}

bool gate_who(struct request *r, http_result *ret)
{
	static const char text[] = "{\"detail\":\"Authentication credentials were not provided.\"}";
	struct MHD_Response *response;

	if (r->h->config.peers && !peer_is_allowed(r)) {
		*ret = reply_detail(r, MHD_HTTP_FORBIDDEN,
				    "Only root and members of the socket's group may ask.");
		return false;
	}
	if (!r->h->config.token || token_is_right(r))
		return true;
	response =
	    MHD_create_response_from_buffer(sizeof(text) - 1, (void *)text, MHD_RESPMEM_PERSISTENT);
	if (response) {
		MHD_add_response_header(response, "Content-Type", "application/json");
		MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
		MHD_add_response_header(response, "WWW-Authenticate",
					"Basic realm=\"taskdiag-bpf\"");
	}
	*ret = reply_send(r, MHD_HTTP_UNAUTHORIZED, response);
	return false;
}
