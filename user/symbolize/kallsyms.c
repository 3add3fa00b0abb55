/* kallsyms.c - one pass over /proc/kallsyms: per address the nearest symbol that starts before it.
 */
#include "symbolize/kallsyms.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

/* The nearest symbol so far, among those that start behind the address before this one. */
struct nearest {
	uint64_t start;
	char *name; /* NULL: data, which ends what stands before it */
	int rank;   /* of several that start together */
};

struct line {
	uint64_t start;
	char type;
	const char *name, *module; /* module: "", or "[name]" */
};

static bool parse(char *text, struct line *ret)
{
	char *at, *name, *module;

	ret->start = strtoull(text, &at, 16);
	if (at == text || at[0] != ' ' || !at[1] || at[2] != ' ')
		return false;
	ret->type = at[1];
	name = at + 3;
	name[strcspn(name, "\n")] = '\0';
	module = strchr(name, '\t');
	if (module)
		*module++ = '\0';
	ret->name = name;
	ret->module = module ?: "";
	return *name;
}

static bool is_code(char type)
{
	return type && strchr("tTwW", type);
}

/* Code before data, global before local, then fewer leading underscores. */
static int rank_of(const struct line *line)
{
	int underscores = (int)strspn(line->name, "_");

	return (is_code(line->type) ? 1000 : 0) + (line->type == 'T' ? 500 : 0) -
	       (underscores < 100 ? underscores : 100);
}

static size_t first_at(const uint64_t *addresses, size_t count, uint64_t start)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (addresses[middle] < start)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int offer(struct nearest *n, const struct line *line)
{
	int rank = rank_of(line);
	char *name = NULL;

	if (n->start && (line->start < n->start || (line->start == n->start && rank <= n->rank)))
		return 0;
	if (is_code(line->type) &&
	    asprintf(&name, *line->module ? "%s %s" : "%s", line->name, line->module) < 0)
		return -ENOMEM;
	free(n->name);
	*n = (struct nearest){ .start = line->start, .name = name, .rank = rank };
	return 0;
}

static int read_symbols(FILE *f, const uint64_t *addresses, size_t count, struct nearest *nearest)
{
	_cleanup_free_ char *text = NULL;
	bool any = false, hidden = true;
	size_t size = 0, i;
	struct line line;
	int err = 0;

	while (!err && getline(&text, &size, f) >= 0) {
		/* absolute ones are offsets of per-CPU data */
		if (!parse(text, &line))
			continue;
		any = true;
		if (line.type == 'A' || line.type == 'a' || !line.start)
			continue;
		hidden = false;
		i = first_at(addresses, count, line.start);
		if (i < count)
			err = offer(&nearest[i], &line);
	}
	if (!err && ferror(f))
		err = -EIO;
	return err ?: any && hidden ? -EPERM : 0;
}

int kallsyms_names(const char *path, const uint64_t *addresses, size_t count, char **ret_names)
{
	_cleanup_free_ struct nearest *nearest = calloc(count + 1, sizeof(*nearest));
	_cleanup_fclose_ FILE *f = NULL;
	const char *last = NULL;
	int err = 0;

	memset(ret_names, 0, count * sizeof(*ret_names));
	if (!nearest)
		return -ENOMEM;
	f = fopen(path, "re");
	if (!f)
		return -errno;
	err = read_symbols(f, addresses, count, nearest);
	/* an address that no symbol is nearer to has the name of the address before it */
	for (size_t i = 0; !err && i < count; i++) {
		if (nearest[i].start)
			last = nearest[i].name;
		ret_names[i] = last ? strdup(last) : NULL;
		if (last && !ret_names[i])
			err = -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		free(nearest[i].name);
		if (err) {
			free(ret_names[i]);
			ret_names[i] = NULL;
		}
	}
	return err;
}
