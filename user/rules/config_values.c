/* config_values.c - values of a configuration. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "rules/config_private.h"

#define EXPRESSION_MAX 512

int config_refuse(struct config_file *f, const char *format, ...)
{
	char what[400];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	f->err = -EINVAL;
	return problem_set(f->problem, -EINVAL, "%.100s:%u: %s", f->name, f->line, what);
}

int config_text(struct config_file *f, const char *key, const char *value, void *to)
{
	char **text = to, *copy = strdup(value);

	if (!copy)
		return config_refuse(f, "%s: no memory", key);
	free(*text);
	*text = copy;
	return 0;
}

/* A number and what is behind it. */
static bool number_of(const char *value, double *ret, const char **ret_unit)
{
	char *end;

	errno = 0;
	*ret = strtod(value, &end);
	if (errno || end == value || !isfinite(*ret) || *ret < 0 || strpbrk(value, "xXpPnN"))
		return false;
	*ret_unit = end + strspn(end, " ");
	return true;
}

struct unit {
	const char *name;
	double factor;
};

static bool scaled(const char *value, const struct unit *units, double most, double *ret)
{
	const char *unit;

	if (!number_of(value, ret, &unit))
		return false;
	for (; units->name; units++)
		if (!strcmp(units->name, unit)) {
			*ret *= units->factor;
			return *ret <= most;
		}
	return false;
}

int config_size(struct config_file *f, const char *key, const char *value, void *to)
{
	static const struct unit units[] = { { "", 1 },		  { "K", 1024 },   { "M", 1048576 },
					     { "G", 1073741824 }, { "T", 0x1p40 }, {} };
	double bytes;

	if (!scaled(value, units, 0x1p60, &bytes))
		return config_refuse(f, "%s = %.64s: not a size, such as 512M or 10G", key, value);
	*(uint64_t *)to = bytes;
	return 0;
}

static int time_of(struct config_file *f, const char *key, const char *value, double *ret)
{
	static const struct unit units[] = { { "", 1 },	      { "s", 1 },
					     { "ms", 0.001 }, { "m", 60 },
					     { "min", 60 },   { "h", 3600 },
					     { "d", 86400 },  {} };

	if (!scaled(value, units, 1e9, ret))
		return config_refuse(f, "%s = %.64s: not a time, such as 90s, 30m, 24h or 7d", key,
				     value);
	return 0;
}

int config_time_s(struct config_file *f, const char *key, const char *value, void *to)
{
	double seconds = 0;
	int err = time_of(f, key, value, &seconds);

	if (!err)
		*(uint64_t *)to = seconds;
	return err;
}

int config_time_ns(struct config_file *f, const char *key, const char *value, void *to)
{
	double seconds = 0;
	int err = time_of(f, key, value, &seconds);

	if (!err && (seconds < 0.01 || seconds > 86400))
		return config_refuse(f, "%s = %.64s: must be 10ms to 1d", key, value);
	if (!err)
		*(uint64_t *)to = seconds * 1e9;
	return err;
}

int config_count(struct config_file *f, const char *key, const char *value, void *to)
{
	double count;
	const char *unit;

	if (!strncmp(value, "1 in ", 5)) /* of samples */
		value += 5;
	if (!number_of(value, &count, &unit) || *unit || count != floor(count) ||
	    count > UINT32_MAX)
		return config_refuse(f, "%s = %.64s: not a number", key, value);
	*(uint32_t *)to = count;
	return 0;
}

int config_percent(struct config_file *f, const char *key, const char *value, void *to)
{
	double percent;
	const char *unit;

	if (!number_of(value, &percent, &unit) || (*unit && strcmp(unit, "%")) || percent > 100)
		return config_refuse(f, "%s = %.64s: not a percentage, such as 5", key, value);
	*(double *)to = percent / 100;
	return 0;
}

int config_diagnostics(struct config_file *f, const char *key, const char *value, void *to)
{
	struct problem problem = {};
	char ***list = to, **fresh;

	if (diagnostics_list(value, &fresh, &problem))
		return config_refuse(f, "%s: %s", key, problem.text);
	for (char **d = *list; d && *d; d++)
		free(*d);
	free(*list);
	*list = fresh;
	return 0;
}

int config_yes_no(struct config_file *f, const char *key, const char *value, void *to)
{
	if (strcmp(value, "yes") && strcmp(value, "no"))
		return config_refuse(f, "%s = %.64s: must be yes or no", key, value);
	*(bool *)to = *value == 'y';
	return 0;
}

int config_pattern(struct config_file *f, const char *key, const char *value, void *to)
{
	struct pattern *p = to;
	char expression[EXPRESSION_MAX + 1], error[128];
	size_t n = strlen(value);
	int err;

	if (p->text)
		return config_refuse(f, "%s: given twice", key);
	if (!n || n > EXPRESSION_MAX)
		return config_refuse(f, "%s: must have 1 to %d bytes", key, EXPRESSION_MAX);
	if (n > 2 && value[0] == '/' && value[n - 1] == '/') {
		memcpy(expression, value + 1, n - 2);
		expression[n - 2] = 0;
		err = regcomp(&p->regex, expression, REG_EXTENDED);
		if (err) {
			regerror(err, &p->regex, error, sizeof(error));
			return config_refuse(f, "%s = %.64s: %s", key, value, error);
		}
	}
	p->text = strdup(value);
	return p->text ? 0 : config_refuse(f, "%s: no memory", key);
}

/* All that there is, for a person. */
static int unknown(struct config_file *f, const struct config_key *keys, const char *key)
{
	char list[320] = "";
	size_t n = 0;

	for (; keys->name && n < sizeof(list); keys++)
		n += snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", keys->name);
	return config_refuse(f, "%.32s: no such key in [%.40s]; there is: %s", key, f->section,
			     list);
}

int config_take(struct config_file *f, const struct config_key *keys, void *object, const char *key,
		const char *value)
{
	for (const struct config_key *k = keys; k->name; k++)
		if (!strcmp(k->name, key))
			return k->read(f, key, value, (char *)object + k->offset);
	return unknown(f, keys, key);
}
