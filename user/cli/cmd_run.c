/* cmd_run.c - no verb: observe a pid or a command, then say what came of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf/config.h"
#include "artifact/allocations_files.h"
#include "cli/cmd.h"
#include "cli/memray_installed.h"
#include "cli/report_output.h"
#include "collect/collector.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/size.h"
#include "session/session.h"

#define INTERVAL_DEFAULT_NS (2 * NS_PER_S)
#define INTERVAL_MIN_NS (10 * NS_PER_MS)
#define RING_BYTES_MAX (256u << 20)
#define FREQUENCY_DEFAULT_HZ 99
#define FREQUENCY_MAX_HZ 999
#define MAX_OVERHEAD_DEFAULT 5
#define SAMPLE_BYTES_MAX (1ULL << 30)

static const enum option_id allowed[] = {
	OPT_PID,
	OPT_DIAGNOSTICS,
	OPT_OUTPUT,
	OPT_INTERVAL,
	OPT_DURATION,
	OPT_FREQUENCY,
	OPT_CPU_ONLY,
	OPT_MAX_OVERHEAD,
	OPT_NATIVE_INTERNALS,
	OPT_SNAPSHOT_EVERY,
	OPT_SAMPLE_BYTES,
	OPT_PYTHON_ALLOCATORS,
	OPT_RESIDENT,
	OPT_MEMRAY_FORMAT,
	OPT_NO_CHILDREN,
	OPT_USER,
	OPT_RING_SIZE,
	OPT_JSON,
	OPT_QUIET,
	OPT_VERBOSE,
	OPT_COLOR,
	OPT_HELP,
	OPT_VERSION,
	OPT_COUNT,
};

static int parse_number(const char *text, long min, long max, long *ret)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	*ret = strtol(text, &end, 10);
	return errno || *end || *ret < min || *ret > max ? -EINVAL : 0;
}

static int take_pids(const struct options *o, struct session_options *so, struct problem *problem)
{
	if (o->pid_count > MAX_ROOTS)
		return problem_set(problem, -EINVAL,
				   "--pid: given %zu times: at most %d make one task", o->pid_count,
				   MAX_ROOTS);
	for (size_t i = 0; i < o->pid_count; i++) {
		long pid;

		if (parse_number(o->pids[i], 1, 1 << 22, &pid))
			return problem_set(
			    problem, -EINVAL,
			    "--pid %.64s: not a process id; give a number from 1 to 4194304",
			    o->pids[i]);
		if (pid == getpid())
			return problem_set(
			    problem, -EINVAL,
			    "--pid %ld: that is taskdiag-bpf itself; name another process", pid);
		for (size_t k = 0; k < so->pid_count; k++)
			if (so->pids[k] == pid)
				return problem_set(problem, -EINVAL,
						   "--pid %ld: given twice; name each process once",
						   pid);
		so->pids[so->pid_count++] = pid;
	}
	return 0;
}

static int take_time(const struct options *o, enum option_id id, uint64_t min_ns, uint64_t *ret_ns,
		     struct problem *problem)
{
	const char *text = o->value[id], *name = option_rows[id].name;
	int err = text ? duration_parse(text, ret_ns) : 0;

	if (err == -EINVAL)
		return problem_set(problem, err,
				   "--%s %.64s: not a time; write it as 500ms, 2s, 1m or 1h", name,
				   text);
	if (err || (text && *ret_ns < min_ns))
		return problem_set(problem, -EINVAL,
				   "--%s %.64s: out of range; at least %llu ms, at most ten years",
				   name, text, (unsigned long long)(min_ns / NS_PER_MS));
	return 0;
}

static int take_ring(const struct options *o, struct session_options *so, struct problem *problem)
{
	const char *text = o->value[OPT_RING_SIZE];
	long bytes = RING_BYTES_DEFAULT;

	if (text &&
	    (parse_number(text, RING_BYTES_MIN, RING_BYTES_MAX, &bytes) || bytes & (bytes - 1)))
		return problem_set(problem, -EINVAL,
				   "--ring-size %.64s: not a power of two from %d to %u", text,
				   RING_BYTES_MIN, RING_BYTES_MAX);
	so->ring_bytes = bytes;
	return 0;
}

static int take_profile(const struct options *o, struct session_options *so,
			struct problem *problem)
{
	const char *frequency = o->value[OPT_FREQUENCY], *overhead = o->value[OPT_MAX_OVERHEAD];
	long hz = FREQUENCY_DEFAULT_HZ, percent = MAX_OVERHEAD_DEFAULT;

	if (frequency && parse_number(frequency, 1, FREQUENCY_MAX_HZ, &hz))
		return problem_set(problem, -EINVAL,
				   "--frequency %.64s: not a number from 1 to %d (a second)",
				   frequency, FREQUENCY_MAX_HZ);
	if (overhead && parse_number(overhead, 0, 100, &percent))
		return problem_set(
		    problem, -EINVAL,
		    "--max-overhead %.64s: not a whole number from 0 to 100 (percent)", overhead);
	so->frequency_hz = hz;
	so->max_overhead = percent / 100.0;
	so->cpu_only = o->value[OPT_CPU_ONLY] != NULL;
	so->native_internals = o->value[OPT_NATIVE_INTERNALS] != NULL;
	return 0;
}

static int take_allocations(const struct options *o, struct session_options *so,
			    struct problem *problem)
{
	const char *format = o->value[OPT_MEMRAY_FORMAT], *sample = o->value[OPT_SAMPLE_BYTES];
	long number = 0;

	so->resident_only = o->value[OPT_RESIDENT] != NULL;
	so->python_allocators = o->value[OPT_PYTHON_ALLOCATORS] != NULL;
	if (sample &&
	    (size_parse(sample, &so->sample_bytes) || so->sample_bytes > SAMPLE_BYTES_MAX))
		return problem_set(problem, -EINVAL,
				   "--sample-bytes %.64s: not a size up to 1G, such as 512K",
				   sample);
	if (format && (parse_number(format, 1, 99, &number) || !memray_readers(number)))
		return problem_set(
		    problem, -EINVAL,
		    "--memray-format %.64s: not one that memray has; 11, 12 or 13 are", format);
	so->memray_format =
	    format ? number : memray_installed("", getenv("VIRTUAL_ENV"), &so->owner);
	return 0;
}

/* @list is split in place. */
static int take_diagnostics(char *list, struct session_options *so, struct problem *problem)
{
	size_t n = 0;
	char *save;

	for (char *name = strtok_r(list, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		const struct collector *c = collector_find(name);
		bool again = false;

		if (!c)
			return problem_set(problem, -EINVAL,
					   "--diagnostics %.64s: not known; there is: memory, "
					   "profile, allocations",
					   name);
		for (size_t i = 0; i < n; i++)
			again |= !strcmp(so->diagnostics[i], c->name);
		if (!again)
			so->diagnostics[n++] = c->name;
	}
	return n ? 0
		 : problem_set(
		       problem, -EINVAL,
		       "--diagnostics: the list is empty; there is: memory, profile, allocations");
}

static int take_subject(const struct options *o, struct session_options *so,
			struct problem *problem)
{
	if (o->rest_count && o->pid_count)
		return problem_set(problem, -EINVAL,
				   "%.64s: a command and --pid: observe one or the other",
				   o->rest[0]);
	if (!o->rest_count && !o->pid_count)
		return problem_set(
		    problem, -EINVAL,
		    "nothing to observe: give --pid PID or -- COMMAND; see: taskdiag-bpf --help");
	/* a word that is no verb is a typing error sooner than a command */
	if (o->rest_count && strcmp(o->rest[-1], "--"))
		return problem_set(problem, -EINVAL,
				   "%.64s: no such verb; to run a command: taskdiag-bpf -- %.64s",
				   o->rest[0], o->rest[0]);
	so->argv = o->rest_count ? o->rest : NULL;
	return take_pids(o, so, problem);
}

static int take_identity(const struct options *o, struct session_options *so,
			 struct problem *problem)
{
	int err = identity_invoking(&so->owner, problem);

	so->user = so->owner;
	if (err || !o->value[OPT_USER])
		return err;
	if (!so->argv)
		return problem_set(problem, -EINVAL,
				   "--user %.64s: only for a command: give -- COMMAND",
				   o->value[OPT_USER]);
	return identity_named(o->value[OPT_USER], &so->user, problem) ? -EINVAL : 0;
}

static int take_options(const struct options *o, struct session_options *so, char *list,
			struct problem *problem)
{
	int err = take_subject(o, so, problem);

	so->interval_ns = INTERVAL_DEFAULT_NS;
	if (!err)
		err = take_time(o, OPT_INTERVAL, INTERVAL_MIN_NS, &so->interval_ns, problem);
	if (!err)
		err = take_time(o, OPT_DURATION, NS_PER_MS, &so->duration_ns, problem);
	if (!err)
		err = take_time(o, OPT_SNAPSHOT_EVERY, 100 * NS_PER_MS, &so->snapshot_ns, problem);
	if (!err)
		err = take_ring(o, so, problem);
	if (!err)
		err = take_profile(o, so, problem);
	if (!err)
		err = take_diagnostics(list, so, problem);
	if (!err)
		err = take_identity(o, so, problem);
	if (!err)
		err = take_allocations(o, so, problem);
	if (!err)
		err = options_colour(o, stderr, &so->colour, problem);
	if (!err && o->value[OPT_OUTPUT] && !o->value[OPT_OUTPUT][0])
		err = problem_set(problem, -EINVAL,
				  "--output: empty; give the path of a directory to make");
	so->output = o->value[OPT_OUTPUT];
	so->follow_children = !o->value[OPT_NO_CHILDREN];
	so->verbose = o->value[OPT_VERBOSE] != NULL;
	so->live = !o->value[OPT_QUIET] && isatty(STDERR_FILENO);
	return err;
}

/* The page is made while the run directory is: the manifest lists it. */
static int add_page(struct rundir *r, json_t *manifest, struct problem *problem)
{
	_cleanup_free_ char *error = NULL;
	struct run *run = NULL;
	FILE *file = NULL;
	int err = run_open_at(rundir_fd(r), manifest, &run, &error);

	if (err)
		return problem_set(problem, err, "make report.html: %s",
				   error ? error : strerror(-err));
	file = rundir_begin(r, "report.html", problem);
	err = file ? report_html(run, &(struct report_style){}, file) : -EIO;
	run_free(run);
	if (file && rundir_end(r, file, problem))
		return -EIO;
	return err ? problem_set(problem, err, "make report.html: %s", strerror(-err)) : 0;
}

static void say(const struct options *o, const char *path, json_t *manifest)
{
	struct problem ignored = {};
	struct report_style style;
	struct run *run = NULL;
	char *error = NULL;

	if (o->value[OPT_JSON]) {
		json_dumpf(manifest, stdout, JSON_INDENT(2));
		puts("");
		fflush(stdout);
	}
	if (o->value[OPT_QUIET] || o->value[OPT_JSON] ||
	    report_style_for(o, stderr, &style, &ignored))
		return;
	if (!run_open(path, &run, &error) && !run_load_allocations(run, &error))
		report_summary(run, &style, stderr);
	free(error);
	run_free(run);
}

static int exit_status(int status)
{
	if (status < 0)
		return 0;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int observe(const struct options *o, const struct session_options *so,
		   struct problem *problem)
{
	struct session *s = NULL;
	const char *path = NULL;
	json_t *manifest = NULL;
	int status = EXIT_OBSERVER, err = session_new(so, &s, &status, problem);

	if (err)
		return complain(problem, status);
	err = session_run(s, problem);
	if (err)
		complain(problem, 0);
	session_finish(s);
	problem->text[0] = 0;
	err = session_save(s, add_page, &path, &manifest, problem);
	status = exit_status(session_command_status(s));
	if (err)
		status = complain(problem, EXIT_OBSERVER);
	if (err && path)
		fprintf(stderr, "taskdiag-bpf: the run was saved in %s instead\n", path);
	else if (err)
		fprintf(stderr, "taskdiag-bpf: the run is lost: no other place took it\n");
	if (path)
		say(o, path, manifest);
	session_free(s);
	return status;
}

int cmd_run(int argc, char **argv)
{
	struct session_options so = { .process_start_ns = clock_boot_ns() };
	struct problem problem = {};
	struct options o;
	_cleanup_free_ char *list = NULL;
	int err = options_parse(argc, argv, allowed, true, &o, &problem), status = 0;

	if (!err && o.value[OPT_HELP])
		help_print(stdout);
	else if (!err && o.value[OPT_VERSION])
		puts("taskdiag-bpf " TASKDIAG_VERSION);
	else {
		list =
		    strdup(!err && o.value[OPT_DIAGNOSTICS] ? o.value[OPT_DIAGNOSTICS] : "memory");
		if (!err)
			err = list ? take_options(&o, &so, list, &problem) : -ENOMEM;
		status = err ? complain(&problem, EXIT_USAGE) : observe(&o, &so, &problem);
	}
	options_free(&o);
	return status;
}
