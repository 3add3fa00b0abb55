/* options.c - see options.h */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define FIRST_ID 256 /* getopt_long's values: above every letter */

const struct option_row option_rows[OPT_COUNT] = {
	[OPT_PID] = { 'p', "pid", "PID",
		      "observe this process and its descendants; repeat for several: one task" },
	[OPT_CGROUP] = { 0, "cgroup", "PATH",
			 "observe the processes of a cgroup, those that enter it later too; a path "
			 "from "
			 "/sys/fs/cgroup, or as /proc/PID/cgroup has it" },
	[OPT_CONTAINER] = { 0, "container", "NAME",
			    "the same by id (or its beginning) or name of a docker, podman, "
			    "containerd, "
			    "CRI-O or runc container, or by the name of a systemd unit" },
	[OPT_MEMORY_LIMIT] = { 0, "memory-limit", "BYTES",
			       "start the command in a cgroup of its own that may use so much "
			       "memory, such as "
			       "512M" },
	[OPT_DIAGNOSTICS] = { 'd', "diagnostics", "LIST",
			      "what to collect, separated by commas: memory, profile, allocations "
			      "(default: memory)" },
	[OPT_OUTPUT] = { 'o', "output", "PATH",
			 "run directory, or the file a report is written to" },
	[OPT_INTERVAL] = { 'i', "interval", "TIME",
			   "time between two rows of the memory log (default: 2s, at least 10ms)" },
	[OPT_DURATION] = { 0, "duration", "TIME",
			   "stop observing after this time; a started command runs on" },
	[OPT_FREQUENCY] = { 'F', "frequency", "HZ",
			    "marks of the profile a second and thread (default: 99, at most 999)" },
	[OPT_CPU_ONLY] = { 0, "cpu-only", NULL, "a profile of running time only, without waits" },
	[OPT_MAX_OVERHEAD] = { 0, "max-overhead", "PERCENT",
			       "of the task's time for looking at its context switches (default: "
			       "5; beyond, waits are read from outside) and at its allocations "
			       "(default: 25; beyond, they are sampled; of a running process, left "
			       "alone); 100: no limit" },
	[OPT_NATIVE_INTERNALS] = { 0, "native-internals", NULL,
				   "stacks of Python also with the interpreter's own frames" },
	[OPT_SNAPSHOT_EVERY] = { 0, "snapshot-every", "TIME",
				 "write what the run has so far to PATH.snapshot-1, -2 and so on; "
				 "with "
				 "allocations SIGUSR1 does it, too" },
	[OPT_SAMPLE_BYTES] = { 0, "sample-bytes", "SIZE",
			       "of a started command's heap look at one allocation in so many "
			       "bytes, such as 512K (default: at each)" },
	[OPT_EXACT] = { 0, "exact", NULL,
			"allocations of a running process: every call of malloc & co. by uprobes, "
			"beside its pages (a trap each: microseconds); of a started command: never "
			"sampled" },
	[OPT_PYTHON_ALLOCATORS] = { 0, "python-allocators", NULL,
				    "of a started command: see each small object of CPython, not "
				    "the arenas "
				    "that they are in (PYTHONMALLOC=malloc)" },
	[OPT_MEMRAY_FORMAT] = { 0, "memray-format", "NUMBER",
				"of memray.bin: 11 (memray 1.11 to 1.18), 12 (1.19) or 13 (1.20); "
				"default: what the installed memray reads, else 13" },
	[OPT_NO_CHILDREN] = { 0, "no-children", NULL,
			      "only the named processes, not their descendants" },
	[OPT_USER] = { 'u', "user", "USER", "run COMMAND as this user (default: who called sudo)" },
	[OPT_RING_SIZE] = { 0, "ring-size", "BYTES",
			    "room for records on their way from the kernel (default: 524288)" },
	[OPT_JSON] = { 0, "json", NULL,
		       "print the manifest, what doctor found, or a view of allocations as JSON" },
	[OPT_QUIET] = { 'q', "quiet", NULL, "print nothing but errors" },
	[OPT_VERBOSE] = { 'v', "verbose", NULL, "also what the BPF loader says" },
	[OPT_COLOR] = { 0, "color", "WHEN",
			"auto, always or never (default: auto; NO_COLOR is honoured)" },
	[OPT_FULL] = { 0, "full", NULL,
		       "tree, top, table, leaks, diff: everything, also what is small or of a "
		       "library" },
	[OPT_LINES] = { 0, "lines", NULL,
			"tree, top, flamegraph: source lines and inlined functions, from debug "
			"files of this host" },
	[OPT_DEBUGINFOD] = { 0, "debuginfod", NULL,
			     "source lines also from the servers of DEBUGINFOD_URLS" },
	[OPT_ALLOCATIONS] = { 0, "allocations", NULL,
			      "tree, top, flamegraph: who held the memory, not where the time "
			      "went" },
	[OPT_LEAKS] = { 0, "leaks", NULL,
			"of allocations, what was live at the end, not at the peak" },
	[OPT_TEMPORARY] = { 0, "temporary", NULL,
			    "of allocations, what the next call of the thread has freed" },
	[OPT_RESIDENT] = { 0, "resident", NULL,
			   "of allocations, resident pages and who touched them first, not the "
			   "heap; of a run, without the malloc shim" },
	[OPT_BUDGET] = { 0, "budget", "FILE",
			 "ci, check: what the task may use, as INI (docs/ci.md of the source)" },
	[OPT_RUNS] = { 0, "runs", "NUMBER",
		       "ci: run the command so many times; the median counts (default: 1)" },
	[OPT_FAIL_ON] = { 0, "fail-on", "RULE",
			  "diff: what may not grow by more, such as peak+10%, rss+5M, wall+2s, "
			  "leaked, cpu, faults; repeat for several" },
	[OPT_FORMAT] = { 0, "format", "FORMAT",
			 "ci, check, diff: verdicts as text (default), markdown, junit, github, "
			 "gitlab or json" },
	[OPT_REPORT] = { 0, "report", "FORMAT=FILE",
			 "ci, check, diff: the same also into a file; repeat for several" },
	[OPT_CONFIG] = { 0, "config", "FILE",
			 "serve, cleanup: the configuration (default: "
			 "/etc/taskdiag-bpf/serve.ini)" },
	[OPT_STATE] = { 0, "state", "DIR",
			"cleanup: the daemon's directory (default: as configured)" },
	[OPT_DRY_RUN] = { 0, "dry-run", NULL, "cleanup: only say what would be removed" },
	[OPT_HELP] = { 'h', "help", NULL, "print this help" },
	[OPT_VERSION] = { 'V', "version", NULL, "print the version" },
};

const struct exit_row exit_rows[] = {
	{ "0", "done; for COMMAND its own status, 128+N if signal N ended it" },
	{ "1", "a report could not be made, or doctor found the memory diagnostic refused" },
	{ "2", "bad usage: an option or an operand that cannot be; nothing was observed" },
	{ "3", "ci, check: over the budget; diff: grown by more than a rule allows" },
	{ "4", "ci, check, diff: nothing is over, but a limit could not be measured" },
	{ "125",
	  "taskdiag-bpf failed: nothing to observe, or the run not saved where it should be" },
	{ "126", "COMMAND was found but could not be executed" },
	{ "127", "COMMAND was not found" },
	{},
};

const struct example_row example_rows[] = {
	{ "how the memory of a running process and its children grows, until Ctrl-C",
	  "sudo taskdiag-bpf --pid 1234" },
	{ "a command from its first page to its last, as yourself",
	  "sudo taskdiag-bpf -o run -- make -j8" },
	{ "a container, by name or id, with who held its memory",
	  "sudo taskdiag-bpf -d memory,allocations -o run --container shop" },
	{ "where the time of a running process goes, for ten seconds",
	  "sudo taskdiag-bpf -d profile --duration 10s -o run --pid 1234 && taskdiag-bpf tree "
	  "run" },
	{ "the same run as one page to open in a browser", "taskdiag-bpf html run -o report.html" },
	{ "where its time went, as a tree of calls; see also top, flamegraph",
	  "taskdiag-bpf tree run" },
	{ "who held its memory at the peak; see also table, leaks",
	  "taskdiag-bpf tree --allocations run" },
	{ "what grew since another run, for a check that fails beyond 1 MiB",
	  "taskdiag-bpf diff --json before after | jq -e '.change.bytes < 1048576'" },
	{ "a job that fails when the tests use more than their budget allows",
	  "sudo taskdiag-bpf ci --budget budget.ini --report junit=taskdiag.xml -- make test" },
	{},
};

static const char *const colour_words[] = { "auto", "always", "never", NULL };

static void fill_getopt(const enum option_id *allowed, bool command, struct option *longs,
			char *shorts)
{
	size_t n = 0;

	if (command)
		*shorts++ = '+'; /* what follows the first operand belongs to the command */
	*shorts++ = ':';
	for (; *allowed != OPT_COUNT; allowed++) {
		const struct option_row *row = &option_rows[*allowed];

		longs[n++] =
		    (struct option){ row->name, row->argument ? required_argument : no_argument,
				     NULL, FIRST_ID + *allowed };
		if (!row->letter)
			continue;
		*shorts++ = row->letter;
		if (row->argument)
			*shorts++ = ':';
	}
	longs[n] = (struct option){};
	*shorts = 0;
}

static enum option_id id_of(int value)
{
	int id = 0;

	if (value >= FIRST_ID)
		return value - FIRST_ID;
	while (id < OPT_COUNT && option_rows[id].letter != value)
		id++;
	return id;
}

static int refuse(int value, char **argv, struct problem *problem)
{
	const char *word = argv[optind - 1];
	char letter[3] = { '-', optopt < FIRST_ID ? optopt : '?', 0 };

	if (value == ':')
		return problem_set(problem, -EINVAL,
				   "%.100s: needs an argument; see: taskdiag-bpf --help", word);
	if (optopt >= FIRST_ID)
		return problem_set(problem, -EINVAL,
				   "%.100s: takes no argument; see: taskdiag-bpf --help", word);
	if (optopt)
		word = letter;
	return problem_set(problem, -EINVAL,
			   "%.100s: no such option here; see: taskdiag-bpf --help", word);
}

int options_parse(int argc, char **argv, const enum option_id *allowed, bool command,
		  struct options *ret, struct problem *problem)
{
	struct option longs[OPT_COUNT + 1];
	char shorts[2 * OPT_COUNT + 3];
	int value;

	*ret = (struct options){ .pids = calloc(argc + 1, sizeof(*ret->pids)),
				 .given = calloc(argc + 1, sizeof(*ret->given)) };
	if (!ret->pids || !ret->given)
		return -ENOMEM;
	fill_getopt(allowed, command, longs, shorts);
	optind = 0;
	opterr = 0;
	while ((value = getopt_long(argc, argv, shorts, longs, NULL)) >= 0) {
		enum option_id id = id_of(value);

		if (value == '?' || value == ':' || id == OPT_COUNT)
			return refuse(value, argv, problem);
		ret->value[id] = optarg ? optarg : "";
		if (optarg) /* a word has one argument at most: there is room */
			ret->given[ret->given_count++] = (struct option_given){ id, optarg };
		if (id == OPT_PID)
			ret->pids[ret->pid_count++] = optarg;
	}
	ret->rest = argv + optind;
	ret->rest_count = argc - optind;
	return 0;
}

void options_free(struct options *o)
{
	free(o->pids);
	free(o->given);
}

int options_colour(const struct options *o, FILE *stream, bool *ret, struct problem *problem)
{
	const char *word = o->value[OPT_COLOR] ? o->value[OPT_COLOR] : "auto",
		   *off = getenv("NO_COLOR");
	size_t i = 0;

	while (colour_words[i] && strcmp(colour_words[i], word))
		i++;
	if (!colour_words[i])
		return problem_set(problem, -EINVAL,
				   "--color %.32s: not known; give auto, always or never", word);
	*ret = i == 1 || (i == 0 && isatty(fileno(stream)) && !(off && *off));
	return 0;
}
