/* listen.h - the daemon's sockets: a unix socket by default, TCP where it is asked for. */
#ifndef TASKDIAG_WATCH_LISTEN_H
#define TASKDIAG_WATCH_LISTEN_H

#include "rules/config.h"
#include "serve/web.h"

struct listeners {
	char *socket;			 /* path that was made; removed at the end */
	char *token, *certificate, *key; /* contents of files that only root may read */
	uint32_t group;
};

void listeners_none(struct listeners *l, struct web_config *web);
/** Opens what the configuration asks for, and fills @web's part of it (borrowed from @l and
 * @config). */
int listeners_open(const struct serve_config *config, struct listeners *l, struct web_config *web,
		   struct problem *problem);
void listeners_close(struct listeners *l);

#endif
