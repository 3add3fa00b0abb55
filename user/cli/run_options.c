/* run_options.c - see run_options.h */
#include "cli/run_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "artifact/allocations_files.h"
#include "bpf/config.h"
#include "cli/memray_installed.h"
#include "collect/collector.h"
#include "lib/clock.h"
#include "lib/size.h"

#define INTERVAL_DEFAULT_NS (2 * NS_PER_S)
#define INTERVAL_MIN_NS (10 * NS_PER_MS)
#define RING_BYTES_MAX (256u << 20)
#define FREQUENCY_DEFAULT_HZ 99
#define FREQUENCY_MAX_HZ 999
#define MAX_OVERHEAD_DEFAULT 5
#define HEAP_OVERHEAD_DEFAULT 25
#define SAMPLE_BYTES_MAX (1ULL << 30)
#define MEMORY_LIMIT_MIN (1ULL << 20)

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
	so->heap_overhead = overhead ? so->max_overhead : HEAP_OVERHEAD_DEFAULT / 100.0;
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
	so->exact = o->value[OPT_EXACT] != NULL;
	if (so->exact && (so->resident_only || sample))
		return problem_set(problem, -EINVAL, "--exact: not together with --%s",
				   sample ? "sample-bytes" : "resident");
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

static int take_cgroup(const struct options *o, struct session_options *so, struct problem *problem)
{
	const char *limit = o->value[OPT_MEMORY_LIMIT];

	so->cgroup = o->value[OPT_CGROUP];
	so->container = o->value[OPT_CONTAINER];
	if ((so->cgroup || so->container) && o->value[OPT_NO_CHILDREN])
		return problem_set(problem, -EINVAL,
				   "--no-children: who is in a cgroup is its task: leave it out");
	if ((so->cgroup && !so->cgroup[0]) || (so->container && !so->container[0]))
		return problem_set(problem, -EINVAL, "--%s: empty; give %s",
				   so->cgroup ? "cgroup" : "container",
				   so->cgroup ? "a path" : "an id or a name");
	if (limit && !so->argv)
		return problem_set(problem, -EINVAL,
				   "--memory-limit %.64s: only for a command: give -- COMMAND",
				   limit);
	if (limit && (size_parse(limit, &so->memory_limit) || so->memory_limit < MEMORY_LIMIT_MIN))
		return problem_set(problem, -EINVAL,
				   "--memory-limit %.64s: not a size of 1M or more, such as 512M",
				   limit);
	return 0;
}

static int take_subject(const struct options *o, struct session_options *so,
			struct problem *problem)
{
	const struct {
		const char *what;
		bool given;
	} subjects[] = {
		{ "a command", o->rest_count > 0 },
		{ "--pid", o->pid_count > 0 },
		{ "--cgroup", o->value[OPT_CGROUP] != NULL },
		{ "--container", o->value[OPT_CONTAINER] != NULL },
	};
	const char *first = NULL;

	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		if (subjects[i].given && first)
			return problem_set(
			    problem, -EINVAL, "%.64s: %s and %s: observe one or the other",
			    o->rest_count ? o->rest[0] : "a run", first, subjects[i].what);
		first = subjects[i].given ? subjects[i].what : first;
	}
	if (!first)
		return problem_set(problem, -EINVAL,
				   "nothing to observe: give --pid PID, --cgroup PATH, "
				   "--container NAME or -- COMMAND; see: taskdiag-bpf --help");
	/* a word that is no verb is a typing error sooner than a command */
	if (o->rest_count && strcmp(o->rest[-1], "--"))
		return problem_set(problem, -EINVAL,
				   "%.64s: no such verb; to run a command: taskdiag-bpf -- %.64s",
				   o->rest[0], o->rest[0]);
	so->argv = o->rest_count ? o->rest : NULL;
	if (take_cgroup(o, so, problem))
		return -EINVAL;
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

int run_options_take(const struct options *o, struct session_options *so, char *list,
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
