/* config_private.h - a configuration file while it is read: config.c reads lines and the keys of
 * [serve], config_rule.c those of [rule NAME], config_values.c what stands behind the '='. */
#ifndef TASKDIAG_RULES_CONFIG_PRIVATE_H
#define TASKDIAG_RULES_CONFIG_PRIVATE_H

#include "rules/config.h"

struct config_file {
	const char *name;
	FILE *stream;
	unsigned line; /* the last one read */
	struct serve_config *config;
	struct rule *rule; /* of the section; NULL: [serve] */
	char section[128];
	struct problem *problem;
	int err;
};

/** "FILE:LINE: what": keeps the first. Returns -EINVAL. */
int config_refuse(struct config_file *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* How a value is read; @to: the member. 0, or config_refuse(). */
typedef int config_value_fn(struct config_file *f, const char *key, const char *value, void *to);

config_value_fn config_text, config_size, config_time_s, config_time_ns, config_count,
    config_diagnostics, config_yes_no, config_pattern, config_percent;

/* A key, and the member that its value goes to. */
struct config_key {
	const char *name;
	config_value_fn *read;
	size_t offset;
};

/** @keys ends with a NULL name. */
int config_take(struct config_file *f, const struct config_key *keys, void *object, const char *key,
		const char *value);

/** [rule NAME] begins. */
int config_rule_begin(struct config_file *f, const char *name);
int config_rule_take(struct config_file *f, const char *key, const char *value);
/** What a rule must have. */
int config_rule_check(struct config_file *f, const struct rule *r);

#endif
