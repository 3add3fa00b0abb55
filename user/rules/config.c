/* config.c - see config.h: files, sections, the keys of [serve]. */
#include "rules/config.h"

#include <errno.h>
#include <glob.h>
#include <ini.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "rules/config_private.h"

#define PLACE "/etc/taskdiag-bpf/serve.ini"
#define FILE_MAX (1 << 20)

static const struct config_key keys[] = {
	{ "task_diagnostics", config_diagnostics, offsetof(struct serve_config, diagnostics) },
	{ "state", config_text, offsetof(struct serve_config, state) },
	{ "socket", config_text, offsetof(struct serve_config, socket) },
	{ "socket_group", config_text, offsetof(struct serve_config, socket_group) },
	{ "listen", config_text, offsetof(struct serve_config, listen) },
	{ "token_file", config_text, offsetof(struct serve_config, token_file) },
	{ "tls_certificate", config_text, offsetof(struct serve_config, tls_certificate) },
	{ "tls_key", config_text, offsetof(struct serve_config, tls_key) },
	{ "prefix", config_text, offsetof(struct serve_config, prefix) },
	{ "external_url", config_text, offsetof(struct serve_config, external_url) },
	{ "hosts", config_text, offsetof(struct serve_config, hosts) },
	{ "user", config_text, offsetof(struct serve_config, user) },
	{ "key_file", config_text, offsetof(struct serve_config, key_file) },
	{ "url_lifetime", config_time_s, offsetof(struct serve_config, url_lifetime_s) },
	{ "protection_time", config_time_s, offsetof(struct serve_config, protection_s) },
	{ "max_bytes", config_size, offsetof(struct serve_config, total_bytes) },
	{ "max_task_bytes", config_size, offsetof(struct serve_config, task_bytes) },
	{ "interval", config_time_ns, offsetof(struct serve_config, interval_ns) },
	{ "frequency", config_count, offsetof(struct serve_config, frequency_hz) },
	{ "max_tasks", config_count, offsetof(struct serve_config, max_tasks) },
	{},
};

/* As fgets(). Leading blanks do not continue a line; what inih would cut is refused. */
static char *read_line(char *line, int size, void *context)
{
	struct config_file *f = context;
	_cleanup_free_ char *text = NULL;
	size_t room = 0, blank;
	ssize_t n;

	if (f->err)
		return NULL;
	n = getline(&text, &room, f->stream);
	if (n < 0)
		return NULL;
	f->line++;
	blank = strspn(text, " \t\r\v\f");
	if (strlen(text) != (size_t)n || n - blank + 2 > (size_t)size) {
		config_refuse(f, "longer than %d bytes, or not text", size - 2);
		return NULL;
	}
	strcpy(line, text + blank);
	return line;
}

static int begin_section(struct config_file *f, const char *section)
{
	if (strlen(section) >= sizeof(f->section))
		return config_refuse(f, "a section of more than %zu bytes", sizeof(f->section) - 1);
	strcpy(f->section, section);
	f->rule = NULL;
	if (!strcmp(section, "serve"))
		return 0;
	if (!strncmp(section, "rule ", 5))
		return config_rule_begin(f, section + 5 + strspn(section + 5, " \t"));
	return config_refuse(f, "[%.64s]: no such section; there is: [serve], [rule NAME]",
			     section);
}

/* For inih: 1: go on. */
static int take_key(void *context, const char *section, const char *name, const char *value)
{
	struct config_file *f = context;

	if (!f->err && strcmp(f->section, section))
		begin_section(f, section);
	if (!f->err && f->rule)
		config_rule_take(f, name, value);
	else if (!f->err)
		config_take(f, keys, f->config, name, value);
	return !f->err;
}

static int read_file(const char *path, struct serve_config *config, struct problem *problem)
{
	struct config_file f = { .name = path, .config = config, .problem = problem };
	_cleanup_fclose_ FILE *stream = fopen(path, "re");
	size_t before = config->rules.count;
	int line;

	if (!stream)
		return -errno;
	f.stream = stream;
	line = ini_parse_stream(read_line, &f, take_key, &f);
	if (!f.err && line) {
		f.line = line < 0 ? 0 : (unsigned)line;
		config_refuse(&f, "not [SECTION] and not KEY = VALUE");
	}
	for (size_t i = before; !f.err && i < config->rules.count; i++)
		config_rule_check(&f, &config->rules.rule[i]);
	return f.err;
}

/* serve.ini, then serve.d beside it, in the order of their names. */
static int read_all(const char *path, bool may_be_absent, struct serve_config *config,
		    struct problem *problem)
{
	_cleanup_free_ char *pattern = NULL;
	size_t length = strlen(path);
	glob_t files;
	int err = read_file(path, config, problem);

	if (err == -ENOENT && may_be_absent)
		err = 0;
	if (err)
		return problem_set(problem, err, "%s: %s", path, strerror(-err));
	if (length > 4 && !strcmp(path + length - 4, ".ini"))
		length -= 4;
	if (asprintf(&pattern, "%.*s.d/*.ini", (int)length, path) < 0)
		return -ENOMEM;
	if (glob(pattern, 0, NULL, &files))
		return 0;
	for (size_t i = 0; !err && i < files.gl_pathc; i++) {
		err = read_file(files.gl_pathv[i], config, problem);
		if (err)
			problem_set(problem, err, "%s: %s", files.gl_pathv[i], strerror(-err));
	}
	globfree(&files);
	return err;
}

static bool is_loopback(const char *listen)
{
	return !strncmp(listen, "127.", 4) || !strncmp(listen, "[::1]:", 6);
}

static int check(const char *path, const struct serve_config *c, struct problem *problem)
{
	const char *prefix = c->prefix;
	size_t n = strlen(prefix);

	if (n < 2 || prefix[0] != '/' || prefix[n - 1] != '/')
		return problem_set(problem, -EINVAL, "%s: prefix = %s: must begin and end with /",
				   path, prefix);
	if (c->frequency_hz < 1 || c->frequency_hz > 999)
		return problem_set(problem, -EINVAL, "%s: frequency: must be 1 to 999", path);
	if (!c->tls_certificate != !c->tls_key)
		return problem_set(problem, -EINVAL,
				   "%s: tls_certificate and tls_key: give both or none", path);
	if (c->listen && !c->token_file)
		return problem_set(problem, -EINVAL,
				   "%s: listen = %s: whoever can reach it could read all: give it "
				   "token_file",
				   path, c->listen);
	if (c->listen && !is_loopback(c->listen) && !c->tls_certificate)
		return problem_set(problem, -EINVAL,
				   "%s: listen = %s: beyond this host only with token_file, "
				   "tls_certificate and tls_key",
				   path, c->listen);
	return 0;
}

static int defaults(struct serve_config *c)
{
	*c = (struct serve_config){
		.diagnostics = calloc(1, sizeof(char *)),
		.state = strdup("/var/lib/taskdiag-bpf"),
		.socket = strdup("/run/taskdiag-bpf/http.sock"),
		.socket_group = strdup("taskdiag"),
		.prefix = strdup("/tasks/"),
		.user = strdup("taskdiag"),
		.url_lifetime_s = 3600,
		.protection_s = 24 * 3600,
		.total_bytes = 10ULL << 30,
		.task_bytes = 1ULL << 30,
		.interval_ns = 2000000000,
		.frequency_hz = 99,
		.max_tasks = 200,
	};
	return c->diagnostics && c->state && c->socket && c->socket_group && c->prefix && c->user
		   ? 0
		   : -ENOMEM;
}

int serve_config_read(const char *path, const char *environment, struct serve_config *ret,
		      struct problem *problem)
{
	struct config_file f = { .name = "TASK_DIAGNOSTICS", .problem = problem };
	int err = defaults(ret);

	if (!err)
		err = read_all(path ? path : PLACE, !path, ret, problem);
	if (!err && environment)
		err = config_diagnostics(&f, "environment", environment, &ret->diagnostics);
	if (!err)
		err = check(path ? path : PLACE, ret, problem);
	if (err)
		serve_config_release(ret);
	return err;
}

void serve_config_release(struct serve_config *c)
{
	for (char **d = c->diagnostics; d && *d; d++)
		free(*d);
	free(c->diagnostics);
	for (const struct config_key *k = keys; k->name; k++)
		if (k->read == config_text)
			free(*(char **)((char *)c + k->offset));
	rules_release(&c->rules);
	*c = (struct serve_config){};
}
