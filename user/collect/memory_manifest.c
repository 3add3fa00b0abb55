/* memory_manifest.c - diagnostics.memory of manifest.json; keys are defined in
 * docs/artifact-format.md. */
#include "collect/memory_manifest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "collect/peak_ledger.h"
#include "lib/cleanup.h"

static const char *const end_names[] = {
	[END_RUNNING] = "running", [END_EXITED] = "exited",   [END_SIGNAL] = "killed-by-signal",
	[END_OOM] = "oom",	   [END_UNKNOWN] = "unknown", [END_LEFT] = "left",
};

static json_t *seconds(const struct memory *m, uint64_t time_ns)
{
	return json_real(((double)time_ns - (double)m->o->start_ns) / 1e9);
}

static json_t *process_json(const struct memory *m, const struct process *p)
{
	bool ended = p->end != END_RUNNING && p->end != END_UNKNOWN && p->end != END_LEFT;
	json_t *o = json_object();

	json_object_set_new(o, "pid", json_integer(p->pid));
	json_object_set_new(o, "inner_pid",
			    p->inner_pid ? json_integer(p->inner_pid) : json_null());
	json_object_set_new(o, "name", json_text(p->name));
	json_object_set_new(o, "start_s", seconds(m, p->key.start_ns));
	json_object_set_new(o, "end_s", p->end_ns ? seconds(m, p->end_ns) : json_null());
	json_object_set_new(o, "rss_at_peak_bytes",
			    json_integer(p->epoch == m->epoch ? p->share_bytes : 0));
	json_object_set_new(o, "peak_rss_bytes", json_integer(p->peak_bytes));
	json_object_set_new(o, "peak_time_s", p->peak_ns ? seconds(m, p->peak_ns) : json_null());
	json_object_set_new(o, "end", json_string(end_names[p->end]));
	json_object_set_new(o, "exit_status",
			    ended && WIFEXITED(p->status) ? json_integer(WEXITSTATUS(p->status))
							  : json_null());
	json_object_set_new(o, "signal",
			    ended && WIFSIGNALED(p->status) ? json_integer(WTERMSIG(p->status))
							    : json_null());
	return o;
}

static void processes_json(const struct memory *m, json_t *memory, uint64_t *ret_told)
{
	const struct processes_omitted *dropped = processes_omitted(m->o->processes);
	uint64_t told = 0, omitted = dropped->count;
	uint64_t share = dropped->epoch == m->epoch ? dropped->share_bytes : 0;
	_cleanup_free_ struct process **list = NULL;
	json_t *array = json_array();
	size_t n = 0;

	if (processes_sorted(m->o->processes, m->epoch, &list, &n))
		n = 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t held = list[i]->epoch == m->epoch ? list[i]->share_bytes : 0;

		if (i < PROCESSES_LISTED) {
			json_array_append_new(array, process_json(m, list[i]));
			told += held;
			continue;
		}
		omitted++;
		share += held;
	}
	json_object_set_new(memory, "processes", array);
	json_object_set_new(memory, "processes_omitted", json_integer(omitted));
	json_object_set_new(memory, "omitted_at_peak_bytes", json_integer(share));
	*ret_told = told + share;
}

static json_t *gaps_json(const struct memory *m)
{
	json_t *gaps = json_array();

	for (size_t i = 0; i < series_length(m->series); i++) {
		const struct series_point *p = series_at(m->series, i);

		if (p->gap_ns)
			json_array_append_new(
			    gaps, json_pack("{s:o, s:f, s:s}", "time_s", seconds(m, p->time_ns),
					    "seconds", p->gap_ns / 1e9, "cause",
					    p->gap_suspend ? "suspend" : "observer not running"));
	}
	return gaps;
}

/* Page cache by file at the same look. */
static json_t *files_json(const struct memory *m)
{
	uint64_t bytes = 0;
	json_t *list = m->files ? file_cache_json(m->files, &bytes) : NULL;

	if (!list)
		return json_null();
	return json_pack("{s:I,s:o}", "bytes", (json_int_t)bytes, "largest", list);
}

static json_t *cgroup_json(const struct memory *m)
{
	json_t *o = memcg_manifest(m->memcg, m->o->start_ns), *ledger;
	const struct peak_ledger_moments moments = { m->usage_tick, m->epoch, m->peak_ns };
	struct memcg_peak peak;
	const char *moment;

	memcg_peak(m->memcg, &peak);
	ledger = peak_ledger_json(&peak, m->o->processes, &moments, &moment);
	json_object_set_new(o, "ledger", ledger);
	json_object_set_new(o, "ledger_moment", json_string(moment));
	json_object_set_new(o, "files", files_json(m));
	return o;
}

json_t *memory_manifest(void *self, json_t *limits)
{
	const struct memory *m = self;
	json_t *o = json_object();
	uint64_t told;

	processes_json(m, o, &told);
	/* half a percent: two threads that change at the very moment of the peak */
	if (m->ticks && told + m->peak_bytes / 200 < m->peak_bytes)
		json_array_append_new(limits,
				      json_sprintf("%.1f of %.1f MB at the peak have no holder: "
						   "the records of who held them were lost",
						   (m->peak_bytes - told) / 1048576.0,
						   m->peak_bytes / 1048576.0));
	if (m->peak_missed)
		json_array_append_new(
		    limits, json_sprintf("the kernel kept the RSS probe from its peak: it is that "
					 "of the highest tick (probe_missed: %" PRIu64 ")",
					 m->o->probe_missed));
	if (m->pss_failed && m->pss_bytes == NOT_MEASURED)
		json_array_append_new(limits,
				      json_string("PSS: /proc/PID/smaps_rollup could not be read"));
	if (m->no_memcg[0])
		json_array_append_new(limits,
				      json_sprintf("counters of the cgroup: %s", m->no_memcg));
	json_object_set_new(o, "status",
			    json_string(!m->ticks		  ? "failed"
					: json_array_size(limits) ? "limited"
								  : "ok"));
	json_object_set(o, "limits", limits);
	json_object_set_new(o, "source", json_string(m->o->event_driven ? "rss_stat" : "ticks"));
	json_object_set_new(o, "resolution_bytes", json_integer(m->o->resolution_bytes));
	json_object_set_new(o, "interval_s", json_real(m->o->interval_ns / 1e9));
	json_object_set_new(o, "peak_rss_bytes", json_integer(m->peak_bytes));
	json_object_set_new(o, "peak_time_s", m->peak_ns ? seconds(m, m->peak_ns) : json_null());
	json_object_set_new(o, "final_rss_bytes", json_integer(m->tick.rss_bytes));
	json_object_set_new(o, "tracked_rss_bytes",
			    m->o->event_driven ? json_integer(m->tracked_bytes) : json_null());
	json_object_set_new(o, "pss_bytes",
			    m->pss_bytes == NOT_MEASURED ? json_null()
							 : json_integer(m->pss_bytes));
	json_object_set_new(o, "pss_time_s",
			    m->pss_bytes == NOT_MEASURED ? json_null() : seconds(m, m->pss_ns));
	json_object_set_new(o, "swap_peak_bytes", json_integer(m->swap_peak_bytes));
	json_object_set_new(o, "minor_faults", json_integer(m->minor_faults));
	json_object_set_new(o, "major_faults", json_integer(m->major_faults));
	json_object_set_new(o, "ticks", json_integer(m->ticks));
	json_object_set_new(o, "gaps", gaps_json(m));
	if (m->memcg)
		json_object_set_new(o, "cgroup", cgroup_json(m));
	return o;
}
