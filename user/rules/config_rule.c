/* config_rule.c - [rule NAME]: which processes are a task. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "rules/config_private.h"

static int read_allocations(struct config_file *f, const char *key, const char *value, void *to)
{
	if (strcmp(value, "resident"))
		return config_refuse(f, "%s = %.32s: must be resident", key, value);
	*(enum rule_allocations *)to = RULE_RESIDENT;
	return 0;
}

static const struct config_key keys[] = {
	{ "comm", config_pattern, offsetof(struct rule, comm) },
	{ "exe", config_pattern, offsetof(struct rule, exe) },
	{ "command", config_pattern, offsetof(struct rule, command) },
	{ "parent", config_pattern, offsetof(struct rule, parent) },
	{ "fork", config_yes_no, offsetof(struct rule, fork) },
	{ "directory", config_pattern, offsetof(struct rule, directory) },
	{ "cgroup", config_pattern, offsetof(struct rule, cgroup) },
	{ "unit", config_pattern, offsetof(struct rule, unit) },
	{ "id_cgroup", config_pattern, offsetof(struct rule, id_cgroup) },
	{ "id_stderr", config_pattern, offsetof(struct rule, id_stderr) },
	{ "id_helper", config_text, offsetof(struct rule, id_helper) },
	{ "helper_user", config_text, offsetof(struct rule, helper_user) },
	{ "diagnostics", config_diagnostics, offsetof(struct rule, diagnostics) },
	{ "allocations", read_allocations, offsetof(struct rule, allocations) },
	{ "max_tasks", config_count, offsetof(struct rule, max_tasks) },
	{ "sample", config_count, offsetof(struct rule, sample_one_in) },
	{},
};

static bool name_is_valid(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return n && n <= RULE_NAME_MAX && !name[n];
}

int config_rule_begin(struct config_file *f, const char *name)
{
	struct rules *rules = &f->config->rules;

	if (!name_is_valid(name))
		return config_refuse(f, "[rule %.64s]: a name has letters, digits, _ and -", name);
	for (size_t i = 0; i < rules->count; i++)
		if (!strcmp(rules->rule[i].name, name))
			return config_refuse(f, "[rule %s]: there is one of that name", name);
	if (rules->count == RULES_MAX)
		return config_refuse(f, "more than %d rules", RULES_MAX);
	f->rule = &rules->rule[rules->count++];
	*f->rule = (struct rule){ .sample_one_in = 1 };
	strcpy(f->rule->name, name);
	return 0;
}

int config_rule_take(struct config_file *f, const char *key, const char *value)
{
	return config_take(f, keys, f->rule, key, value);
}

static bool has_group(const struct pattern *p)
{
	size_t n = p->text ? strlen(p->text) : 0;

	return !p->text ||
	       (n > 2 && p->text[0] == '/' && p->text[n - 1] == '/' && p->regex.re_nsub >= 1);
}

int config_rule_check(struct config_file *f, const struct rule *r)
{
	if (!r->comm.text && !r->exe.text && !r->command.text && !r->parent.text &&
	    !r->directory.text && !r->cgroup.text && !r->unit.text)
		return config_refuse(f,
				     "[rule %s]: says nothing of a process; give it: comm, exe, "
				     "command, parent, directory, cgroup or unit",
				     r->name);
	if (r->fork && !r->parent.text)
		return config_refuse(f, "[rule %s]: fork = yes: whose child? give it: parent",
				     r->name);
	if (!has_group(&r->id_cgroup) || !has_group(&r->id_stderr))
		return config_refuse(
		    f,
		    "[rule %s]: id_cgroup, id_stderr: needs /EXPRESSION/ with one (group), the id",
		    r->name);
	if (!r->sample_one_in)
		return config_refuse(f, "[rule %s]: sample: must be 1 or more", r->name);
	return 0;
}
