/* listen.c - see listen.h */
#include "watch/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define BACKLOG 1024
#define SECRET_MAX 65536
#define CONNECTIONS 2048 /* a slow one keeps its place for seconds only */
#define HEADER_TIMEOUT_S 5

void listeners_none(struct listeners *l, struct web_config *web)
{
	*l = (struct listeners){};
	for (size_t i = 0; i < WEB_LISTENERS; i++)
		web->listeners[i] = -1;
}

/* A directory of its own for the socket is made, as systemd would (RuntimeDirectory). */
static void make_place(const char *path)
{
	_cleanup_free_ char *place = strdup(path);
	char *slash = place ? strrchr(place, '/') : NULL;

	if (!slash || slash == place)
		return;
	*slash = 0;
	mkdir(place, 0755);
}

static bool is_dead(const struct sockaddr_un *at)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof(*at)) &&
	       errno == ECONNREFUSED;
}

static int bind_unix(int fd, const struct sockaddr_un *at)
{
	if (!bind(fd, (const struct sockaddr *)at, sizeof(*at)))
		return 0;
	if (errno != EADDRINUSE || !is_dead(at))
		return -errno;
	/* of a daemon that was killed */
	if (unlink(at->sun_path) || bind(fd, (const struct sockaddr *)at, sizeof(*at)))
		return -errno;
	return 0;
}

static int open_unix(const struct serve_config *config, struct listeners *l, int *ret)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const struct group *group = config->socket_group ? getgrnam(config->socket_group) : NULL;
	mode_t before;
	int err;

	if (fd < 0)
		return -errno;
	if (strlen(config->socket) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	strcpy(at.sun_path, config->socket);
	make_place(config->socket);
	before = umask(0177);
	err = bind_unix(fd, &at);
	umask(before);
	if (err)
		return err;
	l->socket = strdup(config->socket);
	l->group = group ? group->gr_gid : 0;
	if (group && chown(config->socket, -1, group->gr_gid))
		return -errno;
	if (chmod(config->socket, 0660) || listen(fd, BACKLOG))
		return -errno;
	*ret = take_fd(&fd);
	return 0;
}

/* ADDRESS:PORT or [ADDRESS]:PORT, numbers only: names are asked of nobody. */
static int open_tcp(const char *text, int *ret)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
					.ai_socktype = SOCK_STREAM };
	_cleanup_free_ char *host = strdup(text);
	_cleanup_close_ int fd = -1;
	struct addrinfo *at = NULL;
	char *port = host ? strrchr(host, ':') : NULL, *name = host;
	int yes = 1, err = 0;

	if (!port)
		return -EINVAL;
	*port++ = 0;
	if (*name == '[' && name[strlen(name) - 1] == ']') {
		name[strlen(name) - 1] = 0;
		name++;
	}
	if (getaddrinfo(name, port, &hints, &at))
		return -EINVAL;
	fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    bind(fd, at->ai_addr, at->ai_addrlen) || listen(fd, BACKLOG))
		err = -errno;
	freeaddrinfo(at);
	if (!err)
		*ret = take_fd(&fd);
	return err;
}

/* Whole, without the newline at its end. */
static int read_secret(const char *path, char **ret, struct problem *problem)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_free_ char *text = calloc(1, SECRET_MAX);
	ssize_t n = fd < 0 || !text ? -1 : read(fd, text, SECRET_MAX - 1);

	if (n < 0)
		return problem_set(problem, -errno, "%s: %s", path, strerror(errno));
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		text[--n] = 0;
	if (!n)
		return problem_set(problem, -EINVAL, "%s: is empty", path);
	*ret = take_ptr(text);
	return 0;
}

static struct http_config common(const struct serve_config *config)
{
	return (struct http_config){
		.prefix = config->prefix,
		.external_url = config->external_url,
		.hosts = config->hosts,
		.url_lifetime_s = config->url_lifetime_s,
		.connections = CONNECTIONS,
		.header_timeout_s = HEADER_TIMEOUT_S,
	};
}

static int begin_tcp(const struct serve_config *config, struct listeners *l, struct web_config *web,
		     struct problem *problem)
{
	int err = 0;

	if (config->token_file)
		err = read_secret(config->token_file, &l->token, problem);
	if (!err && config->tls_certificate)
		err = read_secret(config->tls_certificate, &l->certificate, problem);
	if (!err && config->tls_key)
		err = read_secret(config->tls_key, &l->key, problem);
	if (err)
		return err;
	err = open_tcp(config->listen, &web->listeners[1]);
	if (err)
		return problem_set(problem, err, "listen on %s: %s", config->listen,
				   strerror(-err));
	web->http[1] = common(config);
	web->http[1].token = l->token;
	web->http[1].tls_certificate = l->certificate;
	web->http[1].tls_key = l->key;
	return 0;
}

int listeners_open(const struct serve_config *config, struct listeners *l, struct web_config *web,
		   struct problem *problem)
{
	int err;

	if (config->socket && *config->socket) {
		err = open_unix(config, l, &web->listeners[0]);
		if (err)
			return problem_set(problem, err, "socket %s: %s", config->socket,
					   strerror(-err));
		web->http[0] = common(config);
		web->http[0].peers = true;
		web->http[0].group = l->group;
	}
	return config->listen ? begin_tcp(config, l, web, problem) : 0;
}

void listeners_close(struct listeners *l)
{
	if (l->socket)
		unlink(l->socket);
	free(l->socket);
	free(l->token);
	free(l->certificate);
	free(l->key);
}
