/* config.h - the daemon's configuration: INI (libinih), /etc/taskdiag-bpf/serve.ini and, in the
 * order of their names, serve.d/ *.ini beside it. docs/serve.md has every key.
 *
 *   [serve]        keys of struct serve_config
 *   [rule NAME]    keys of struct rule
 *
 * Sizes are as "512M", "10G"; times as "90", "90s", "30m", "24h", "7d"; lists with commas.
 */
#ifndef TASKDIAG_RULES_CONFIG_H
#define TASKDIAG_RULES_CONFIG_H

#include "rules/rules.h"

struct serve_config {
	char **diagnostics; /* TASK_DIAGNOSTICS; ends with NULL; empty: nothing is collected */
	char *state;	    /* /var/lib/taskdiag-bpf */
	char *socket;	    /* /run/taskdiag-bpf/http.sock; "": none */
	char *socket_group; /* taskdiag */
	char *listen;	    /* ADDRESS:PORT; NULL: none */
	char *token_file;   /* bearer; NULL: none */
	char *tls_certificate, *tls_key; /* files, PEM */
	char *prefix;			 /* /tasks/ */
	char *external_url;
	char *hosts;	/* further values of Host */
	char *user;	/* of the web process: taskdiag */
	char *key_file; /* NULL: url.key in the state directory */
	uint64_t url_lifetime_s, protection_s, total_bytes, task_bytes;
	uint64_t interval_ns; /* of the memory diagnostic */
	uint32_t frequency_hz;
	uint32_t max_tasks; /* at once, all rules; 0: no limit */
	char *push;	    /* URL of an OTLP receiver; NULL: none */
	uint64_t push_queue_bytes;
	char *pushgateway; /* URL; NULL: none */
	struct rules rules;
};

/**
 * Reads @path (NULL: the default place, which may be absent). @environment: value of
 * TASK_DIAGNOSTICS, which beats the file's; NULL: not set. An unknown section, key, value or
 * diagnostic is -EINVAL, and the problem says file, line, what is wrong and what is allowed;
 * address beyond loopback without token and TLS is -EINVAL as well.
 */
int serve_config_read(const char *path, const char *environment, struct serve_config *ret,
		      struct problem *problem);
void serve_config_release(struct serve_config *c);

/** "memory, pyinstrument" or "['memory', 'pyinstrument']" or `["memory"]` → names of collectors
 * without repetition (the seed's names are taken too); "" and "[]": none. -EINVAL with a problem.
 */
int diagnostics_list(const char *text, char ***ret, struct problem *problem);

#endif
