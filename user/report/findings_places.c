/* findings_places.c - which function of the program has most of something: bytes, marks. */
#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "report/findings_private.h"

int places_init(struct places *ret, const struct profile *names)
{
	struct places p = { .names = names };
	int err = functions_init(&p.functions, names, false);

	if (err)
		return err;
	p.values = calloc(p.functions.n + 1, sizeof(*p.values));
	if (!p.values) {
		functions_done(&p.functions);
		return -ENOMEM;
	}
	*ret = p;
	return 0;
}

void places_done(struct places *p)
{
	free(p->values);
	functions_done(&p->functions);
	*p = (struct places){};
}

/* A person can change the program, not its libraries: the innermost of its own functions counts;
 * where there is none, the innermost of all. */
void places_add(struct places *p, uint32_t stack, double value)
{
	uint32_t function = PROFILE_NONE;

	p->total += value;
	for (uint32_t s = stack; s != PROFILE_NO_STACK; s = profile_stack_parent(p->names, s)) {
		uint32_t here = p->functions.of_frame[profile_stack_frame(p->names, s)];
		enum function_kind kind = p->functions.all[here].kind;

		if (function == PROFILE_NONE)
			function = here;
		if (kind != FUNCTION_OWN && kind != FUNCTION_PYTHON)
			continue;
		function = here;
		break;
	}
	if (function != PROFILE_NONE)
		p->values[function] += value;
}

int places_largest(const struct places *p, char **ret_name, double *ret_value)
{
	_cleanup_free_ char *where = NULL;
	size_t best = 0;

	for (size_t i = 1; i < p->functions.n; i++)
		best = p->values[i] > p->values[best] ? i : best;
	if (!p->functions.n || !(p->values[best] > 0))
		return -ENODATA;
	where = function_place(&p->functions.all[best]);
	if (!where)
		return -ENOMEM;
	*ret_value = p->values[best];
	return finding_text(ret_name, *where ? "%s (%s)" : "%s%s", p->functions.all[best].name,
			    where);
}

const json_t *finding_holder(const struct run *r)
{
	return json_array_get(run_get(r, "diagnostics.memory.processes"), 0);
}
