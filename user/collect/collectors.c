/* collectors.c - the table of diagnostics: one row each. */
#include "collect/collector.h"

#include <string.h>

#include "collect/allocations.h"
#include "collect/memory.h"
#include "collect/profile.h"

const struct collector collectors[] = {
	MEMORY_COLLECTOR,
	PROFILE_COLLECTOR,
	ALLOCATIONS_COLLECTOR,
	{},
};

const struct collector *collector_find(const char *name)
{
	for (const struct collector *c = collectors; c->name; c++)
		if (!strcmp(c->name, name) || (c->alias && !strcmp(c->alias, name)))
			return c;
	return NULL;
}
