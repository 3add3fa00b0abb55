/* rules.c - see rules.h: the questions. What a rule is made of comes from config_rule.c. */
#include "rules/rules.h"

#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 4096 /* bytes of a text that an expression is given */

static bool is_expression(const struct pattern *p)
{
	size_t n = strlen(p->text);

	return n > 2 && p->text[0] == '/' && p->text[n - 1] == '/';
}

/* A rule that asks what is not known does not match. */
static bool matches(const struct pattern *p, const char *text)
{
	if (!p->text)
		return true;
	if (!text || strlen(text) > INPUT_MAX)
		return false;
	return is_expression(p) ? !regexec(&p->regex, text, 0, NULL, 0) : !strcmp(p->text, text);
}

/* "/system.slice/cron.service" → "cron.service" */
static const char *unit_of(const char *cgroup)
{
	const char *slash = cgroup ? strrchr(cgroup, '/') : NULL;

	return slash ? slash + 1 : cgroup;
}

enum rule_moment rule_moment(const struct rule *r)
{
	if (r->directory.text)
		return RULE_AT_CHDIR;
	return r->fork ? RULE_AT_FORK : RULE_AT_EXEC;
}

static bool rule_matches(const struct rule *r, const struct rule_process *p)
{
	return rule_moment(r) == p->moment && matches(&r->comm, p->comm) &&
	       matches(&r->parent, p->parent_comm) && matches(&r->exe, p->exe) &&
	       matches(&r->command, p->command) && matches(&r->directory, p->directory) &&
	       matches(&r->cgroup, p->cgroup) && matches(&r->unit, unit_of(p->cgroup));
}

const struct rule *rules_match(const struct rules *r, const struct rule_process *p)
{
	for (size_t i = 0; i < r->count; i++)
		if (rule_matches(&r->rule[i], p))
			return &r->rule[i];
	return NULL;
}

static bool is_id_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

bool rule_id(const struct pattern *p, const char *text, size_t bytes, char ret[65])
{
	char copy[INPUT_MAX + 1];
	regmatch_t groups[2];
	size_t length;

	if (!p->text || !is_expression(p) || p->regex.re_nsub < 1)
		return false;
	bytes = strnlen(text, bytes < INPUT_MAX ? bytes : INPUT_MAX);
	memcpy(copy, text, bytes);
	copy[bytes] = 0;
	if (regexec(&p->regex, copy, 2, groups, 0) || groups[1].rm_so < 0)
		return false;
	length = groups[1].rm_eo - groups[1].rm_so;
	if (!length || length > 64)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_id_byte(copy[groups[1].rm_so + i]))
			return false;
	memcpy(ret, copy + groups[1].rm_so, length);
	ret[length] = 0;
	return ret[0] != '-' && ret[0] != '_';
}

bool rule_sampled(const struct rule *r, uint64_t number)
{
	return r->sample_one_in <= 1 || number % r->sample_one_in == 0;
}

static void pattern_release(struct pattern *p)
{
	if (p->text && is_expression(p))
		regfree(&p->regex);
	free(p->text);
	p->text = NULL;
}

void rules_release(struct rules *r)
{
	for (size_t i = 0; i < r->count; i++) {
		struct rule *rule = &r->rule[i];
		struct pattern *const patterns[] = {
			&rule->comm,   &rule->exe,	 &rule->command,
			&rule->parent, &rule->directory, &rule->cgroup,
			&rule->unit,   &rule->id_cgroup, &rule->id_stderr,
		};

		for (size_t k = 0; k < sizeof(patterns) / sizeof(patterns[0]); k++)
			pattern_release(patterns[k]);
		for (char **d = rule->diagnostics; d && *d; d++)
			free(*d);
		free(rule->diagnostics);
		free(rule->id_helper);
		free(rule->helper_user);
	}
	r->count = 0;
}
