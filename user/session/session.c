/* session.c - see session.h: how a run begins, and how it ends. The loop between is pump.c, what is
 * left of it save.c. */
#include "session/session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "session/pump.h"
#include "session/snapshot.h"
#include "collect/stacks.h"
#include "session/scope.h"
#include "session/state.h"
#include "session/target.h"
#include "unwind/unwinder.h"

#define OUTPUT_TRIES 100
#define COMMAND_HELD_NS (2 * NS_PER_S) /* at most, for its tables */

/* As a shell would take it again. */
static void quote(FILE *out, const char *arg)
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=,@%+-";

	if (*arg && !arg[strspn(arg, plain)]) {
		fputs(arg, out);
		return;
	}
	fputc('\'', out);
	for (; *arg; arg++)
		fputs(*arg == '\'' ? "'\\''" : (char[]){ *arg, 0 }, out);
	fputc('\'', out);
}

static int join_arguments(struct session *s)
{
	size_t size;
	FILE *text = open_memstream(&s->command_line, &size);

	if (!text)
		return -ENOMEM;
	if (s->by_cgroup)
		fprintf(text, "%s %s", s->options.container ? "container" : "cgroup",
			s->options.container ?: cgroup_path(s->o.cgroup));
	else if (!s->options.argv)
		fputs(s->name, text); /* a command line that we were not given may hold secrets */
	for (char *const *arg = s->options.argv; arg && *arg; arg++) {
		if (arg != s->options.argv)
			fputc(' ', text);
		quote(text, *arg);
	}
	return fclose(text) ? -ENOMEM : 0;
}

static int open_pids(struct session *s, struct problem *problem)
{
	for (size_t i = 0; i < s->options.pid_count; i++) {
		char name[16];
		int err = target_open(s->options.pids[i], &s->pidfds[i], name, problem);

		if (err)
			return err;
		s->roots[s->root_count++] = s->options.pids[i];
		if (i == 0)
			memcpy(s->name, name, sizeof(s->name));
	}
	return 0;
}

static bool wants_stacks(const struct session *s)
{
	for (size_t i = 0; s->options.diagnostics[i]; i++)
		if (collector_find(s->options.diagnostics[i])->stacks)
			return true;
	return false;
}

static bool wants_heap(const struct session *s)
{
	for (size_t i = 0; s->options.diagnostics[i]; i++)
		if (!strcmp(s->options.diagnostics[i], "allocations"))
			return !s->options.resident_only;
	return false;
}

static int hold_command(struct session *s, struct problem *problem)
{
	const char *slash = strrchr(s->options.argv[0], '/');
	int err = wants_heap(s) ? shim_new(s->options.python_allocators, &s->shim, problem) : 0;

	if (!err)
		err = command_new(s->options.argv, &s->options.user, &s->mask, wants_stacks(s),
				  s->shim, &s->command, problem);
	if (err)
		return err;
	err = scope_enter(s, problem);
	if (err)
		return err;
	s->roots[s->root_count++] = command_pid(s->command);
	snprintf(s->name, sizeof(s->name), "%.15s", slash ? slash + 1 : s->options.argv[0]);
	return 0;
}

int session_default_output(const struct session *s, const char *place, int attempt, char *ret,
			   size_t size)
{
	char id[64], utc[32], suffix[16] = "";
	time_t now = clock_utc_ns() / NS_PER_S;
	struct tm tm;

	session_task_id(s, id, sizeof(id));
	gmtime_r(&now, &tm);
	strftime(utc, sizeof(utc), "%Y%m%dT%H%M%SZ", &tm);
	if (attempt)
		snprintf(suffix, sizeof(suffix), "-%d", attempt + 1);
	return snprintf(ret, size, "%s%staskdiag-%s-%s%s", place, *place ? "/" : "", id, utc,
			suffix) < (int)size
		   ? 0
		   : -ENAMETOOLONG;
}

static int make_output(struct session *s, struct problem *problem)
{
	int err = -EEXIST;

	if (s->options.output)
		return rundir_new(s->options.output, &s->options.owner, &s->rundir, problem);
	for (int attempt = 0; err == -EEXIST && attempt < OUTPUT_TRIES; attempt++) {
		char path[256];

		problem->text[0] = 0;
		session_default_output(s, "", attempt, path, sizeof(path));
		err = rundir_new(path, &s->options.owner, &s->rundir, problem);
	}
	return err;
}

int session_collectors(struct session *s)
{
	s->o.native_internals = s->options.native_internals;
	s->o.memray_format = s->options.memray_format;
	s->o.sample_bytes = s->options.sample_bytes;
	s->o.heap = s->shim != NULL;
	s->o.heap_overhead = s->options.exact ? 1 : s->options.heap_overhead;
	s->o.heap_calls = s->options.exact && !s->options.argv && wants_heap(s);
	s->o.python_allocators = s->options.python_allocators;
	s->o.heap_oracle = getenv("TASKDIAG_HEAP_ORACLE") != NULL;
	if (wants_stacks(s)) {
		s->o.stacks = task_stacks_new(&s->o);
		if (!s->o.stacks)
			return -ENOMEM;
	}
	for (size_t i = 0; s->options.diagnostics[i]; i++) {
		const struct collector *c = collector_find(s->options.diagnostics[i]);

		s->stream.selves[i] = c->new (&s->o);
		if (!s->stream.selves[i])
			return -ENOMEM;
		s->stream.collectors[i] = c;
		s->resident |= !strcmp(c->name, "allocations");
		if (!strcmp(c->name, "profile")) {
			s->o.period_ns = NS_PER_S / s->options.frequency_hz;
			s->o.frequency_hz = s->options.frequency_hz;
			s->o.waits = !s->options.cpu_only;
		}
	}
	return 0;
}

static int calls_begin(struct session *s, struct problem *problem)
{
	const struct heap_calls_config config = {
		.probes = s->probes,
		.inspect = s->o.inspect,
		.max_overhead = s->options.heap_overhead,
		.tell = session_last_state,
		.context = s,
	};

	if (probes_call_program(s->probes, CALL_ENTRY) < 0)
		return problem_set(problem, -ENOTSUP,
				   "--exact of a running process: needs Linux 6.1; leave it out: "
				   "its pages are told");
	s->calls = heap_calls_new(&config);
	s->stream.calls = s->calls;
	s->stream.calls_record = heap_calls_record;
	s->stream.calls_sample = heap_calls_sample;
	return s->calls ? 0 : -ENOMEM;
}

static int attach(struct session *s, struct problem *problem)
{
	const struct probes_config config = {
		.ring_bytes =
		    (s->shim || s->o.heap_calls) && s->options.ring_bytes == RING_BYTES_DEFAULT
			? RING_BYTES_HEAP
			: s->options.ring_bytes,
		.follow_children = s->options.follow_children,
		.without = getenv("TASKDIAG_WITHOUT"),
		.verbose = s->options.verbose,
		.period_ns = s->o.period_ns,
		.waits = s->o.waits,
		.stacks = s->o.stacks != NULL,
		.resident = s->resident,
		.heap = s->shim != NULL,
		.calls = s->o.heap_calls,
		.hold = s->command && command_will_hold(s->command),
		.cgroup_scope = s->by_cgroup,
		.cgroup_hierarchy = s->o.cgroup ? cgroup_hierarchy(s->o.cgroup) : 0,
		.cgroup_id = s->o.cgroup ? cgroup_id(s->o.cgroup) : 0,
	};
	struct root roots[MAX_ROOTS] = {};
	uint64_t seen = 0;
	int err = probes_new(&config, &s->probes, problem);

	if (!err && probes_counts_files(s->probes)) {
		s->o.cached_context = s->probes;
		s->o.cached_files = probes_cached_files;
	}
	if (!err && profiling_is_on(s))
		err = profiling_new(s, problem);
	if (!err)
		err = probes_attach(s->probes, stream_record, &s->stream, problem);
	if (!err && s->o.heap_calls)
		err = calls_begin(s, problem);
	if (!err && s->shim)
		err = probes_attach_shim(s->probes, shim_path(s->shim));
	if (err)
		return err;
	for (size_t i = 0; i < s->root_count; i++)
		roots[i] = (struct root){ .pid = s->roots[i], .armed = s->command != NULL };
	s->o.start_ns = clock_boot_ns();
	err = probes_adopt(s->probes, roots, s->root_count, &seen, problem);
	for (size_t i = 0; !err && i < s->root_count; i++)
		if (!(seen & 1ULL << i))
			err = problem_set(problem, -ESRCH,
					  "pid %d: ended while we attached; start it with: "
					  "taskdiag-bpf -- COMMAND",
					  s->roots[i]);
	if (!err && profiling_is_on(s))
		err = profiling_begin(s, problem);
	if (!err)
		pump_drain(s); /* the first probes at allocators */
	s->o.event_driven = probes_event_driven(s->probes);
	s->o.resolution_bytes = probes_resolution(s->probes);
	s->attached_ns = clock_boot_ns();
	return err;
}

/* Time 0 of a command is its exec: before it, what is in the process is ours. */
static int release(struct session *s, int *ret_exit, struct problem *problem)
{
	int err = command_release(s->command, ret_exit, problem);

	if (err)
		return err;
	probes_drain(s->probes);
	if (profiling_is_on(s)) { /* its first instruction is unwound, too */
		unwinder_pump(s->o.unwinder);
		unwinder_settle(s->o.unwinder, COMMAND_HELD_NS);
	}
	command_continue(s->command);
	s->o.start_ns = s->stream.root_exec_ns ? s->stream.root_exec_ns : clock_boot_ns();
	return 0;
}

static int prepare(struct session *s, int *ret_exit, struct problem *problem)
{
	int err = pump_block_signals(&s->mask, problem);

	if (!err)
		err = scope_open(s, problem);
	if (!err)
		err = s->options.argv ? hold_command(s, problem) : open_pids(s, problem);
	if (!err)
		err = join_arguments(s);
	if (!err)
		err = make_output(s, problem);
	if (!err)
		err = session_collectors(s);
	if (!err)
		err = attach(s, problem);
	if (!err && s->command)
		err = release(s, ret_exit, problem);
	if (err)
		return err;
	s->o.start_utc_ns = clock_utc_ns() - (clock_boot_ns() - s->o.start_ns);
	return pump_open(s, problem);
}

int session_new(const struct session_options *options, struct session **ret, int *ret_exit,
		struct problem *problem)
{
	struct session *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->options = *options;
	s->epoll = s->timer = s->signals = s->profile_timer = s->status = -1;
	s->snapshot_timer = s->calls_timer = s->usage_timer = -1;
	for (size_t i = 0; i < MAX_ROOTS; i++)
		s->pidfds[i] = -1;
	s->stream.o = &s->o;
	s->o.interval_ns = options->interval_ns;
	s->o.processes = processes_new();
	err = s->o.processes ? prepare(s, ret_exit, problem) : -ENOMEM;
	s->o.command = s->command_line;
	if (err) {
		problem_set(problem, err, "start of the run: %s", strerror(-err));
		session_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	command_free(s->command); /* a held command ends with its gate, before the probes go */
	heap_calls_free(s->calls);
	if (!s->shares)
		probes_free(s->probes);
	shim_free(s->shim);
	rundir_free(s->rundir);
	for (size_t i = 0; s->stream.collectors[i]; i++)
		s->stream.collectors[i]->free(s->stream.selves[i]);
	if (!s->shares)
		profiling_free(s);
	task_stacks_free(s->o.stacks);
	processes_free(s->o.processes);
	scope_free(s);
	for (size_t i = 0; i < MAX_ROOTS; i++)
		if (s->pidfds[i] >= 0)
			close(s->pidfds[i]);
	if (s->epoll >= 0)
		close(s->epoll);
	if (s->timer >= 0)
		close(s->timer);
	if (s->snapshot_timer >= 0)
		close(s->snapshot_timer);
	if (s->calls_timer >= 0)
		close(s->calls_timer);
	if (s->usage_timer >= 0)
		close(s->usage_timer);
	if (s->signals >= 0)
		close(s->signals);
	json_decref(s->manifest);
	free(s->command_line);
	free(s->saved_path);
	free(s);
}

int session_run(struct session *s, struct problem *problem)
{
	return pump_run(s, problem);
}

void session_last_state(void *context, const void *record, size_t bytes)
{
	struct session *s = context;

	(void)bytes;
	if (s->o.stacks)
		task_stacks_record(s->o.stacks, record);
	for (size_t i = 0; s->stream.collectors[i]; i++)
		if (s->stream.collectors[i]->record)
			s->stream.collectors[i]->record(s->stream.selves[i], record);
}

void session_totals(struct session *s)
{
	uint64_t peak_bytes, peak_ns;

	probes_task_peak(s->probes, s->task, &peak_bytes, &peak_ns, &s->o.epoch);
	for (size_t i = 0; s->stream.collectors[i]; i++)
		if (s->stream.collectors[i]->totals)
			s->stream.collectors[i]->totals(s->stream.selves[i], peak_bytes, peak_ns,
							s->o.epoch);
}

void session_finish(struct session *s)
{
	snapshot_wait(s);
	status_clear(s);
	if (s->calls)
		heap_calls_end(s->calls);
	probes_detach(s->probes);
	probes_drain(s->probes);
	stream_forget(&s->stream, 1);
	s->o.end_ns = clock_boot_ns();
	if (profiling_is_on(s))
		profiling_end(s);
	probes_drops(s->probes, s->drops);
	s->o.lost_marks = s->drops[NOTE_LOST_MARKS];
	s->o.heap_lost = s->drops[NOTE_HEAP_LOST];
	s->o.calls_lost = s->drops[NOTE_CALLS_LOST];
	s->o.calls_nested = s->drops[NOTE_CALLS_NESTED];
	s->o.probe_missed = probes_missed(s->probes);
	probes_images(s->probes, s->task, session_last_state, s);
	session_totals(s);
	pump_release_signals();
}

int session_command_status(const struct session *s)
{
	return s->status;
}
