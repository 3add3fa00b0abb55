/* findings_oom.c - a process was killed for want of memory: who, and what held the memory. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "lib/cleanup.h"
#include "report/cgroup_ledger.h"
#include "report/facts.h"
#include "report/findings_private.h"

static bool ended_by_oom(const json_t *object)
{
	const char *end = run_member_string(object, "end");

	return end && !strcmp(end, "oom");
}

static const json_t *victim_of(const struct run *r)
{
	json_t *process;
	size_t i;

	json_array_foreach(run_get(r, "diagnostics.memory.processes"), i,
			   process) if (ended_by_oom(process)) return process;
	return NULL;
}

/* The function that held most of what was live at the peak; "" when it is not known. */
static int holder_text(char **ret, const struct run *r)
{
	const struct allocations *a = r->allocations ? r->allocations : r->resident;
	_cleanup_free_ char *name = NULL;
	struct places places;
	double value = NAN;
	int err;

	if (!a)
		return finding_text(ret, "%s", "");
	err = places_init(&places, allocations_names(a));
	if (err)
		return err;
	for (size_t i = 0; i < allocations_count(a); i++)
		places_add(&places, allocations_at(a, i)->stack,
			   (double)allocations_at(a, i)->peak.bytes);
	err = places_largest(&places, &name, &value);
	places_done(&places);
	if (err == -ENOMEM)
		return err;
	return err ? finding_text(ret, "%s", "")
		   : finding_text(ret, "; %s held most, %s", name, fact_mb(value).s);
}

int finding_oom(struct finding *ret, const struct run *r, unsigned part)
{
	const json_t *victim = victim_of(r),
		     *kill = json_array_get(run_get(r, "task.oom_kills"), 0);
	_cleanup_free_ char *holder = NULL;
	const char *name;
	double bytes;
	int err;

	(void)part;
	if (!victim && !kill && !ended_by_oom(run_get(r, "task")))
		return 0;
	err = holder_text(&holder, r);
	if (err)
		return err;
	name = run_member_string(kill ? kill : victim, "name");
	bytes = kill ? run_member_number(kill, "rss_bytes")
		     : run_member_number(victim, "peak_rss_bytes");
	if (kill || victim)
		err =
		    finding_text(&ret->sentence, "%s-%.0f was killed for want of memory, with %s%s",
				 name ? name : "?", run_member_number(kill ? kill : victim, "pid"),
				 fact_mb(bytes).s, holder);
	else
		err = finding_text(&ret->sentence, "the task was killed for want of memory%s",
				   holder);
	ret->from_s = ret->to_s = run_member_number(kill, "time_s");
	ret->sure = true;
	if (!err)
		err = finding_text(&ret->evidence, "processes by their share of the peak");
	return err ? err : finding_text(&ret->why, "the kernel told it");
}
