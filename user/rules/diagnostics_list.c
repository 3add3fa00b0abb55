/* diagnostics_list.c - TASK_DIAGNOSTICS as its users write it: Pulp's settings take a list of
 * Python, an environment has a string with commas. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/config.h"

static const struct {
	const char *name, *alias;
} known[] = {
	{ "memory", NULL },
	{ "profile", "pyinstrument" },
	{ "allocations", "memray" },
};

#define KNOWN (sizeof(known) / sizeof(known[0]))
#define SEPARATORS " \t\r\n,[]()'\""

static const char *name_of(const char *word, size_t n)
{
	for (size_t i = 0; i < KNOWN; i++) {
		const char *const names[] = { known[i].name, known[i].alias };

		for (size_t k = 0; k < 2; k++)
			if (names[k] && strlen(names[k]) == n && !strncmp(names[k], word, n))
				return known[i].name;
	}
	return NULL;
}

static bool has(char *const *list, const char *name)
{
	for (; *list; list++)
		if (!strcmp(*list, name))
			return true;
	return false;
}

int diagnostics_list(const char *text, char ***ret, struct problem *problem)
{
	char **list = calloc(KNOWN + 1, sizeof(*list));
	size_t count = 0, n;

	if (!list)
		return -ENOMEM;
	for (text += strspn(text, SEPARATORS); *text; text += n, text += strspn(text, SEPARATORS)) {
		const char *name;

		n = strcspn(text, SEPARATORS);
		name = name_of(text, n);
		if (!name) {
			problem_set(problem, -EINVAL,
				    "%.*s: no such diagnostic; there is: memory, profile (or "
				    "pyinstrument), allocations (or memray)",
				    (int)(n < 64 ? n : 64), text);
			goto refused;
		}
		if (has(list, name))
			continue;
		list[count] = strdup(name);
		if (!list[count++])
			goto refused;
	}
	*ret = list;
	return 0;

refused:
	for (size_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
	return problem->text[0] ? -EINVAL : -ENOMEM;
}
