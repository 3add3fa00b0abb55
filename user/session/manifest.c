/* manifest.c - manifest.json of a run, but for its artifacts; keys are defined in
 * docs/artifact-format.md. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "session/state.h"

#define MANIFEST_FORMAT 1

void session_task_id(const struct session *s, char *ret, size_t size)
{
	size_t n = 0;

	if (s->options.task_id) {
		snprintf(ret, size, "%s", s->options.task_id);
		return;
	}
	for (const char *c = s->name; *c && n < 24 && n + 1 < size; c++) {
		bool plain = isascii(*c) && isalnum(*c);

		if (plain || (n && (*c == '_' || *c == '-' || *c == '.')))
			ret[n++] = *c == '.' ? '_' : *c;
	}
	if (!n)
		n = snprintf(ret, size, "task");
	if (s->by_cgroup)
		snprintf(ret + n, size - n, "-cg%llu", (unsigned long long)cgroup_id(s->o.cgroup));
	else
		snprintf(ret + n, size - n, "-%d", s->root_count ? s->roots[0] : 0);
}

/* The process that speaks for the task: the named one that ended last, or one that still runs. */
static const struct process *root_of(const struct session *s)
{
	const struct process *last = NULL;

	for (const struct process *p = processes_first(s->o.processes); p; p = p->hh.next) {
		if (!p->root)
			continue;
		if (!last || p->end == END_RUNNING ||
		    (last->end != END_RUNNING && p->end_ns > last->end_ns))
			last = p;
	}
	return last;
}

/* The kernel's exit record says most; a started command's status is known even when that record was
 * lost. */
static const char *task_end(const struct session *s, int *ret_status)
{
	const struct process *root = root_of(s);

	*ret_status = s->status;
	if (s->status < 0 && root && root->end != END_RUNNING && root->end != END_UNKNOWN)
		*ret_status = root->status;
	if (s->stop != STOP_ENDED)
		return "detached";
	if (s->by_cgroup)
		return s->stream.oom_count ? "oom" : "exited";
	if (root && root->oom && *ret_status >= 0 && WIFSIGNALED(*ret_status))
		return "oom";
	return *ret_status >= 0 && WIFSIGNALED(*ret_status) ? "killed-by-signal" : "exited";
}

/* A task that ended by itself lasted until its last process did; what came after that was ours. */
static uint64_t end_ns_of(const struct session *s)
{
	if (s->stop != STOP_ENDED || processes_alive(s->o.processes) || s->stream.exits_forgotten ||
	    s->stream.last_end_ns <= s->o.start_ns)
		return s->o.end_ns;
	return s->stream.last_end_ns;
}

static json_t *utc_text(uint64_t utc_ns)
{
	time_t seconds = utc_ns / NS_PER_S;
	char text[40], whole[64];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(whole, sizeof(whole), "%s.%03uZ", text, (unsigned)(utc_ns % NS_PER_S / NS_PER_MS));
	return json_string(whole);
}

/* Bytes that a kernel or a run without a cgroup does not tell are 0 in the record. */
static json_t *bytes_json(uint64_t bytes)
{
	return bytes ? json_integer((json_int_t)bytes) : json_null();
}

static json_t *oom_json(const struct session *s)
{
	json_t *array = json_array();

	for (size_t i = 0; i < s->stream.oom_count && i < OOMS_KEPT; i++) {
		const struct oom_kill *k = &s->stream.ooms[i];
		const struct oom_event *e = &k->event;
		json_t *o = json_object();

		json_object_set_new(
		    o, "time_s", json_real(((double)e->h.time_ns - (double)s->o.start_ns) / 1e9));
		json_object_set_new(o, "pid", json_integer(k->pid));
		json_object_set_new(o, "name", json_text(k->name));
		json_object_set_new(o, "rss_bytes", bytes_json(e->rss_bytes));
		json_object_set_new(o, "cgroup_bytes", bytes_json(e->cgroup_bytes));
		json_object_set_new(o, "cgroup_limit_bytes", bytes_json(e->cgroup_limit_bytes));
		json_object_set_new(o, "asked_by_pid", json_integer(e->asker_pid));
		json_object_set_new(o, "asked_by_name", json_text(e->asker_name));
		json_array_append_new(array, o);
	}
	return array;
}

static json_t *cgroup_json(const struct session *s)
{
	json_t *o;

	if (!s->o.cgroup)
		return json_null();
	o = json_object();
	json_object_set_new(o, "path", json_text(cgroup_path(s->o.cgroup)));
	json_object_set_new(o, "version", json_integer(cgroup_version(s->o.cgroup)));
	json_object_set_new(o, "id", json_integer((json_int_t)cgroup_id(s->o.cgroup)));
	json_object_set_new(o, "scope", json_boolean(s->by_cgroup));
	if (s->options.container) {
		json_object_set_new(o, "runtime", json_text(s->container.runtime));
		json_object_set_new(o, "container_id", json_text(s->container.id));
		json_object_set_new(o, "container_name", json_text(s->container.name));
	}
	return o;
}

static json_t *task_json(const struct session *s)
{
	json_t *task = json_object(), *pids = json_array();
	int status;
	const char *end = task_end(s, &status);
	char id[72];

	session_task_id(s, id, sizeof(id));
	for (size_t i = 0; i < s->root_count; i++)
		json_array_append_new(pids, json_integer(s->roots[i]));
	json_object_set_new(task, "id", json_string(id));
	json_object_set_new(task, "command", json_text(s->command_line));
	json_object_set_new(task, "pids", pids);
	json_object_set_new(task, "start_utc", utc_text(s->o.start_utc_ns));
	json_object_set_new(task, "duration_s", json_real((end_ns_of(s) - s->o.start_ns) / 1e9));
	json_object_set_new(task, "end", json_string(end));
	json_object_set_new(task, "exit_status",
			    status >= 0 && WIFEXITED(status) ? json_integer(WEXITSTATUS(status))
							     : json_null());
	json_object_set_new(task, "signal",
			    status >= 0 && WIFSIGNALED(status) ? json_integer(WTERMSIG(status))
							       : json_null());
	json_object_set_new(task, "processes_seen", json_integer(processes_seen(s->o.processes)));
	json_object_set_new(task, "processes_left", json_integer(processes_alive(s->o.processes)));
	json_object_set_new(task, "cgroup", cgroup_json(s));
	json_object_set_new(task, "oom_kills", oom_json(s));
	json_object_set_new(task, "oom_kills_seen", json_integer((json_int_t)s->stream.oom_count));
	return task;
}

static enum probes_of probes_of(const struct collector *c)
{
	if (!c->stacks)
		return PROBES_OF_MEMORY;
	return c->shift ? PROBES_OF_RESIDENT : PROBES_OF_PROFILE;
}

static json_t *limits_json(const struct session *s, const struct collector *c)
{
	bool profile = probes_of(c) == PROBES_OF_PROFILE;
	json_t *limits = json_array();
	const char *limit;

	for (size_t i = 0; (limit = probes_limit(s->probes, probes_of(c), i)); i++)
		json_array_append_new(limits, json_string(limit));
	if (s->drops[DROP_IMAGES_FULL] || s->drops[DROP_TARGETS_FULL] ||
	    (profile && s->drops[DROP_THREADS_FULL]))
		json_array_append_new(
		    limits,
		    json_string("more processes at once than there is room for: see ledger.lost"));
	return limits;
}

static json_t *diagnostics_json(struct session *s)
{
	json_t *diagnostics = json_object();

	for (size_t i = 0; s->stream.collectors[i]; i++) {
		json_t *limits = limits_json(s, s->stream.collectors[i]);

		json_object_set_new(diagnostics, s->stream.collectors[i]->name,
				    s->stream.collectors[i]->manifest(s->stream.selves[i], limits));
		json_decref(limits);
	}
	return diagnostics;
}

static json_t *ledger_json(const struct session *s)
{
	json_t *ledger = json_object(), *lost = json_object(), *notes = json_object();

	json_object_set_new(ledger, "offered",
			    json_integer(s->drops[DROP_OFFERED] + s->o.probe_missed));
	json_object_set_new(ledger, "recorded", json_integer(s->stream.recorded));
	json_object_set_new(lost, "ring_full", json_integer(s->drops[DROP_RING_FULL]));
	json_object_set_new(lost, "targets_full", json_integer(s->drops[DROP_TARGETS_FULL]));
	json_object_set_new(lost, "images_full", json_integer(s->drops[DROP_IMAGES_FULL]));
	json_object_set_new(lost, "threads_full", json_integer(s->drops[DROP_THREADS_FULL]));
	json_object_set_new(lost, "malformed", json_integer(s->stream.malformed));
	json_object_set_new(lost, "late", json_integer(s->stream.late));
	json_object_set_new(lost, "probe_missed", json_integer(s->o.probe_missed));
	json_object_set_new(ledger, "lost", lost);
	json_object_set_new(notes, "exits_forgotten", json_integer(s->stream.exits_forgotten));
	json_object_set_new(notes, "stale_processes", json_integer(s->drops[NOTE_STALE_TARGETS]));
	json_object_set_new(notes, "stale_images", json_integer(s->drops[NOTE_STALE_IMAGES]));
	json_object_set_new(notes, "healed_images", json_integer(s->drops[NOTE_HEALED_IMAGES]));
	json_object_set_new(notes, "untold_switches", json_integer(s->drops[NOTE_UNTOLD_SWITCHES]));
	json_object_set_new(notes, "walks_without_slot", json_integer(s->drops[DROP_SLOTS_FULL]));
	json_object_set_new(notes, "foreign_pages", json_integer(s->drops[NOTE_FOREIGN_PAGES]));
	json_object_set_new(notes, "samples_failed", json_integer(s->samples_failed));
	json_object_set_new(notes, "snapshots_skipped", json_integer(s->snapshots_skipped));
	json_object_set_new(ledger, "notes", notes);
	return ledger;
}

/* VmHWM, not ru_maxrss: that one remembers what our parent held before exec. */
static uint64_t own_peak_bytes(void)
{
	_cleanup_fclose_ FILE *status = fopen("/proc/self/status", "re");
	uint64_t kilobytes = 0;
	char line[256];

	while (status && fgets(line, sizeof(line), status))
		if (!strncmp(line, "VmHWM:", 6))
			kilobytes = strtoull(line + 6, NULL, 10);
	return kilobytes * 1024;
}

static json_t *observer_json(const struct session *s)
{
	json_t *observer = json_object();
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	json_object_set_new(observer, "cpu_s",
			    json_real(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
				      (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6));
	json_object_set_new(observer, "rss_peak_bytes", json_integer(own_peak_bytes()));
	json_object_set_new(observer, "attach_s",
			    json_real((s->attached_ns - s->options.process_start_ns) / 1e9));
	return observer;
}

json_t *session_manifest(struct session *s)
{
	json_t *manifest = json_object();
	struct utsname host = {};

	if (!manifest)
		return NULL;
	uname(&host);
	json_object_set_new(manifest, "format", json_integer(MANIFEST_FORMAT));
	json_object_set_new(manifest, "tool_version", json_string(TASKDIAG_VERSION));
	json_object_set_new(manifest, "kernel", json_text(host.release));
	json_object_set_new(manifest, "task", task_json(s));
	json_object_set_new(manifest, "diagnostics", diagnostics_json(s));
	json_object_set_new(manifest, "ledger", ledger_json(s));
	json_object_set_new(manifest, "observer", observer_json(s));
	return manifest;
}
