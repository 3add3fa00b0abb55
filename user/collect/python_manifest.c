/* python_manifest.c - diagnostics.profile.python of manifest.json; keys are defined in
 * docs/artifact-format.md. */
#include "collect/profile.h"
#include "collect/python_codes.h"
#include "unwind/unwinder.h"

/* NULL: all that could be read was. A thread that never ran Python is no failure. */
static const char *cause_of(const struct profile_collector *c, const struct unwinder_python *p)
{
	if (p->problem)
		return p->problem;
	if (p->refused)
		return "more interpreters at once than there is room for";
	if (c->stacks->python_stacks)
		return NULL;
	if (p->counts[PYTHON_NOT_ITS_OWN])
		return "the interpreter's threads are not where this version has them";
	if (p->counts[PYTHON_NOT_CODE])
		return "what its frames run are no code objects of this version";
	if (p->counts[PYTHON_NOT_READABLE])
		return "the interpreter's memory could not be read";
	return NULL;
}

void python_limits(const struct profile_collector *c, json_t *limits)
{
	struct python_codes_stats codes;
	struct unwinder_python p;
	const char *cause;

	unwinder_python(c->o->unwinder, &p);
	python_codes_stats(c->stacks->codes, &codes);
	cause = cause_of(c, &p);
	if (cause)
		json_array_append_new(limits, json_sprintf("python frames unavailable: %s", cause));
	if (codes.gone)
		json_array_append_new(
		    limits, json_sprintf("%llu Python frames have no name: [python code gone]",
					 (unsigned long long)codes.gone));
}

json_t *python_manifest(const struct profile_collector *c)
{
	struct python_codes_stats codes;
	struct unwinder_python p;
	const char *cause;

	unwinder_python(c->o->unwinder, &p);
	python_codes_stats(c->stacks->codes, &codes);
	cause = cause_of(c, &p);
	return json_pack(
	    "{s:s, s:s?, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "status",
	    cause		     ? "unavailable"
	    : p.counts[PYTHON_WALKS] ? "ok"
				     : "none",
	    "cause", cause, "walks", (json_int_t)p.counts[PYTHON_WALKS], "stacks",
	    (json_int_t)c->stacks->python_stacks, "without_state",
	    (json_int_t)p.counts[PYTHON_NO_STATE], "not_its_own",
	    (json_int_t)p.counts[PYTHON_NOT_ITS_OWN], "not_code",
	    (json_int_t)p.counts[PYTHON_NOT_CODE], "not_readable",
	    (json_int_t)p.counts[PYTHON_NOT_READABLE], "codes", (json_int_t)codes.codes,
	    "codes_lost", (json_int_t)p.counts[PYTHON_CODE_LOST], "gone", (json_int_t)codes.gone,
	    "nameless", (json_int_t)codes.nameless, "lineless", (json_int_t)codes.lineless,
	    "ambiguous", (json_int_t)codes.ambiguous);
}
