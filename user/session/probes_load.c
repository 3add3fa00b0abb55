/* probes_load.c - opens and loads the programs: all that this kernel takes. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "session/kernel_type.h"
#include "session/probes_private.h"
#include "session/uprobes.h"
#include "taskdiag.skel.h"

#define OPTIONAL_PARTS 2   /* the first of parts[]: found by trying to load */
#define PREALLOCATED 16384 /* threads, and processes, of a profile before Linux 6.1: 5 MB */
#define SLOTS_A_CPU 3	   /* enum slot_use of bpf/unwind.bpf.h */

const struct part parts[PARTS] = {
	{ "memory_rss_stat", "memory_rss_stat_old",
	  "peaks between two ticks are not seen: RSS is read at ticks only", USE_ALWAYS },
	{ "lifecycle_oom", NULL, "an OOM kill is seen as killed by signal 9", USE_ALWAYS },
	{ "profile_wake", NULL,
	  "waits have the stack of the switch away, and their time in the run queue counts as the "
	  "wait",
	  USE_WAITS },
	/* before lifecycle_exit: while its process is known */
	{ "profile_exit", NULL, NULL, USE_PROFILE },
	{ "profile_exec", NULL, NULL, USE_PROFILE },
	{ "profile_switch", NULL, NULL, USE_WAITS },
	{ "lifecycle_fork", NULL, NULL, USE_ALWAYS },
	{ "resident_fork", NULL, NULL, USE_RESIDENT }, /* after it: the child's image is there */
	{ "resident_fault_user", NULL, NULL, USE_BIRTHS },
	{ "resident_fault_kernel", NULL, NULL, USE_BIRTHS },
	{ "resident_fault_user_old", NULL, NULL, USE_FAULTS },
	{ "resident_fault_kernel_old", NULL, NULL, USE_FAULTS },
	{ "watch_fork", NULL, NULL, USE_WATCH }, /* after it: its children are its own */
	{ "lifecycle_exec", NULL, NULL, USE_ALWAYS },
	{ "watch_exec", NULL, NULL, USE_WATCH },
	{ "lifecycle_exit", NULL, NULL, USE_ALWAYS },
	{ "lifecycle_moved", NULL, NULL, USE_CGROUP },
	{ "lifecycle_rmdir", NULL, NULL, USE_CGROUP },
	{ "cache_added", NULL, "page cache is not told by file", USE_CACHE },
	{ "cache_removed", NULL, "page cache is not told by file", USE_CACHE },
};

const char *const syscall_parts[SYSCALL_PARTS] = {
	"resident_munmap",
	"resident_madvise",
	"resident_brk",
	"resident_mmap",
	"resident_mremap",
	"resident_mremapped",
	/* from SYSCALLS_WALKING on: they walk stacks in claimed slots */
	"resident_mmapped",
	"resident_mlock",
};

const char *const call_programs[CALL_PROGRAMS] = {
	[CALL_ENTRY] = "heap_call",
	[CALL_RETURN] = "heap_returned",
	[CALL_USDT_ALLOC] = "heap_usdt_alloc",
	[CALL_USDT_FREE] = "heap_usdt_free",
};

static bool print_verbose;

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	if (!print_verbose || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, format, args);
}

int probes_limit_add(struct probes *p, const struct part *part, int err)
{
	if (p->limit_count == LIMITS_MAX)
		return 0;
	if (asprintf(&p->limits[p->limit_count], "%s (%s: %s)", part->limit, part->name,
		     strerror(-err)) < 0)
		return -ENOMEM;
	p->limits_of[p->limit_count] = part->use <= USE_CACHE ? PROBES_OF_MEMORY
				       : part->use >= USE_RESIDENT && part->use != USE_WATCH
					   ? PROBES_OF_RESIDENT
					   : PROBES_OF_PROFILE;
	p->limit_count++;
	return 0;
}

/* bpf(2) charged locked memory before 5.11. */
static void memlock_raise(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
}

struct bpf_program *probes_program(const struct probes *p, size_t i)
{
	const char *name = p->choices[i] == CHOOSE_OLDER ? parts[i].older : parts[i].name;

	return bpf_object__find_program_by_name(p->skel->obj, name);
}

static bool part_is_used(const struct probes *p, size_t i)
{
	if (parts[i].use == USE_ALWAYS)
		return true;
	if (parts[i].use == USE_CGROUP)
		return p->cgroup;
	if (parts[i].use == USE_CACHE)
		return p->cache;
	if (parts[i].use == USE_WATCH)
		return p->watch;
	if (!strcmp(parts[i].name, "profile_wake") && !p->wakes)
		return false;
	if (parts[i].use == USE_BIRTHS || parts[i].use == USE_FAULTS)
		return p->resident && p->by_faults == (parts[i].use == USE_FAULTS);
	if (parts[i].use == USE_RESIDENT)
		return p->resident;
	return parts[i].use == USE_PROFILE ? p->profile : p->waits;
}

/* A clock event may come while memory is handed out: before 6.1, which has an allocator that can
 * be asked even then, the kernel wants all of the room for its hashes to be there from the start.
 */
static int preallocate(struct probes *p)
{
	struct bpf_map *const maps[] = { p->skel->maps.threads, p->skel->maps.unwind_processes };
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(maps) / sizeof(maps[0]); i++) {
		err = bpf_map__set_map_flags(maps[i],
					     bpf_map__map_flags(maps[i]) & ~BPF_F_NO_PREALLOC);
		if (!err)
			err = bpf_map__set_max_entries(maps[i], PREALLOCATED);
	}
	return err;
}

/* Maps that nothing uses would only take room: the programs then never reach them. */
static int maps_leave_out(struct probes *p)
{
	const struct {
		struct bpf_map *map;
		bool used;
	} maps[] = {
		{ p->skel->maps.chunks, p->stacks },
		{ p->skel->maps.unwind_mappings, p->stacks },
		{ p->skel->maps.unwind_processes, p->stacks },
		{ p->skel->maps.unwind_slots, p->stacks },
		{ p->skel->maps.stacks_seen, p->stacks },
		{ p->skel->maps.python_layouts, p->stacks },
		{ p->skel->maps.codes_seen, p->stacks },
		{ p->skel->maps.code_records, p->stacks },
		{ p->skel->maps.threads, p->profile },
		{ p->skel->maps.cached_files, p->cache },
		{ p->skel->maps.slot_owners, p->resident || p->heap },
		{ p->skel->maps.heap_calls, p->calls },
		{ p->skel->maps.calls_open, p->calls },
		{ p->skel->maps.task_numbers, p->watch },
		{ p->skel->maps.task_lines, p->watch },
		{ p->skel->maps.released, p->watch },
	};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(maps) / sizeof(maps[0]); i++)
		if (!maps[i].used)
			err = bpf_map__set_autocreate(maps[i].map, false);
	return err;
}

static int open_uprobe(struct probes *p, const char *name, bool wanted)
{
	struct bpf_program *program = bpf_object__find_program_by_name(p->skel->obj, name);
	int err = bpf_program__set_autoload(program, wanted);

	return err || !wanted ? err : uprobes_expect(program);
}

static int skel_open_parts(struct probes *p)
{
	bool is_old = !kernel_type_exists(KERNEL_MEM_ALLOC); /* before 6.1 */
	uint32_t slots = p->nr_cpus * SLOTS_A_CPU + (p->resident || p->heap ? SLOTS_CLAIMED : 0);
	int err = maps_leave_out(p);

	if (!err && p->stacks && is_old)
		err = preallocate(p);
	if (!err)
		err = bpf_map__set_max_entries(p->skel->maps.unwind_slots, slots);
	if (!err)
		err = bpf_map__set_max_entries(p->skel->maps.code_records, slots);
	for (size_t i = 0; !err && i < SYSCALL_PARTS; i++)
		err = bpf_program__set_autoload(
		    bpf_object__find_program_by_name(p->skel->obj, syscall_parts[i]),
		    p->resident && (i < SYSCALLS_WALKING || !is_old));
	for (size_t i = 0; !err && i < WATCH_SYSCALLS; i++)
		err = bpf_program__set_autoload(
		    bpf_object__find_program_by_name(p->skel->obj, watch_syscalls[i]), p->watch);
	if (!err)
		err = bpf_program__set_autoload(p->skel->progs.watch_release, p->watch);
	for (size_t i = 0; !err && i < HEAP_PARTS; i++)
		err = open_uprobe(p, heap_parts[i].name, p->heap);
	for (size_t i = 0; !err && i < CALL_PROGRAMS; i++)
		err = open_uprobe(p, call_programs[i], p->calls);
	for (size_t i = OPTIONAL_PARTS; !err && i < PARTS; i++)
		err = bpf_program__set_autoload(probes_program(p, i), part_is_used(p, i));
	if (!err)
		err = bpf_program__set_autoload(p->skel->progs.profile_clock, p->profile);
	if (!err)
		err = bpf_program__set_autoload(p->skel->progs.profile_threads, p->profile);
	return err;
}

static int skel_open(struct probes *p, const struct probes_config *config)
{
	struct taskdiag_bpf *skel = taskdiag_bpf__open();
	int err;

	if (!skel)
		return -errno;
	p->skel = skel;
	skel->rodata->config.nr_cpus = p->nr_cpus;
	skel->rodata->config.follow_children = config->follow_children;
	skel->rodata->config.ring_wake_bytes = config->ring_bytes / 4;
	skel->rodata->config.period_ns = config->period_ns;
	skel->rodata->config.waits = p->waits;
	skel->rodata->config.wake_hook = p->wakes;
	skel->rodata->config.stacks = p->stacks;
	skel->rodata->config.resident = p->resident && !p->by_faults;
	skel->rodata->config.hold = config->hold;
	skel->rodata->config.calls = !p->calls	       ? CALLS_BY_NOTHING
				     : uprobes_multi() ? CALLS_BY_MULTI
						       : CALLS_BY_EVENTS;
	skel->rodata->config.cgroup_scope = config->cgroup_scope;
	skel->rodata->config.cgroup_hierarchy = config->cgroup_hierarchy;
	skel->rodata->config.cgroup_id = config->cgroup_id;
	skel->rodata->config.tasks = p->tasks;
	skel->rodata->config.watch_rules = p->watch ? WATCH_RULES_MAX : 0;
	for (size_t i = 0; i < config->rule_count && i < WATCH_RULES_MAX; i++)
		skel->bss->watch_rules[i] = config->rules[i];
	skel->rodata->config.thread_size = 16384; /* x86-64 without KASAN */
	skel->rodata->page_shift = __builtin_ctzl(sysconf(_SC_PAGESIZE));
	err = bpf_map__set_max_entries(skel->maps.events, config->ring_bytes);
	if (!err)
		err = bpf_map__set_value_size(skel->maps.images, image_bytes(p->nr_cpus));
	if (!err)
		err = bpf_map__set_value_size(skel->maps.image_zero, image_bytes(p->nr_cpus));
	if (!err)
		err = bpf_map__set_value_size(skel->maps.tasks, task_state_bytes(p->nr_cpus));
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.tasks, p->tasks);
	return err ? err : skel_open_parts(p);
}

static int skel_try(struct probes *p, const struct probes_config *config)
{
	int err = skel_open(p, config);

	for (size_t i = 0; !err && i < OPTIONAL_PARTS; i++) {
		bpf_program__set_autoload(
		    bpf_object__find_program_by_name(p->skel->obj, parts[i].name), false);
		bpf_program__set_autoload(probes_program(p, i), p->choices[i] != CHOOSE_NONE);
	}
	if (!err && config->stats)
		err = probes_stats_want(p);
	if (!err)
		err = taskdiag_bpf__load(p->skel);
	if (!err)
		return 0;
	probes_stats_forget(p);
	taskdiag_bpf__destroy(p->skel);
	p->skel = NULL;
	return err;
}

/* Digit i of @number, to the base CHOICES, is the choice for parts[i]. */
static bool choose(struct probes *p, const struct probes_config *config, unsigned number)
{
	for (size_t i = 0; i < OPTIONAL_PARTS; i++, number /= CHOICES) {
		bool unwanted = config->without && strstr(config->without, parts[i].name);

		p->choices[i] = number % CHOICES;
		if (p->choices[i] != CHOOSE_NONE && unwanted)
			return false;
		if (p->choices[i] == CHOOSE_OLDER && !parts[i].older)
			return false;
	}
	return true;
}

/* What a kernel has is found by trying: all of it first, then with less and less. */
static int skel_load(struct probes *p, const struct probes_config *config)
{
	int cause = -ENOTSUP, err = -ENOTSUP;

	for (unsigned number = 0; number < CHOICES * CHOICES; number++) {
		if (!choose(p, config, number))
			continue;
		err = skel_try(p, config);
		if (!err || err == -EPERM)
			break;
		cause = err;
	}
	for (size_t i = 0; !err && i < OPTIONAL_PARTS; i++)
		if (p->choices[i] == CHOOSE_NONE)
			probes_limit_add(p, &parts[i], cause);
	return err;
}

static int load_problem(struct problem *problem, int err)
{
	if (err == -EPERM)
		return problem_set(problem, err,
				   "load BPF programs: %s: needs root, or CAP_BPF and CAP_PERFMON; "
				   "see: taskdiag-bpf doctor",
				   strerror(-err));
	return problem_set(
	    problem, err,
	    "load BPF programs: %s: this kernel refuses them; see: taskdiag-bpf doctor",
	    strerror(-err));
}

int probes_call_program(const struct probes *p, enum call_program which)
{
	if (!p->calls)
		return -1;
	return bpf_program__fd(
	    bpf_object__find_program_by_name(p->skel->obj, call_programs[which]));
}

static const struct part *part_find(const char *name)
{
	for (size_t i = 0; i < PARTS; i++)
		if (!strcmp(parts[i].name, name))
			return &parts[i];
	return NULL;
}

static bool wake_hook_exists(const struct probes_config *config)
{
	if (config->without && strstr(config->without, "profile_wake"))
		return false;
	return kernel_type_exists(KERNEL_EXIT_TP);
}

/* rss_stat tells of each page since 6.2, which has lost this type. */
static bool births_by_faults(const struct probes_config *config)
{
	if (config->without && strstr(config->without, "resident_fault_user"))
		return true;
	return kernel_type_exists(KERNEL_RSS_STAT);
}

int probes_new(const struct probes_config *config, struct probes **ret, struct problem *problem)
{
	int cpus = libbpf_num_possible_cpus(), err;
	struct probes *p;

	if (cpus > MAX_CPUS)
		return problem_set(problem, -E2BIG,
				   "this host: %d possible CPUs: only %d are supported", cpus,
				   MAX_CPUS);
	if (cpus < 0)
		return problem_set(problem, cpus, "possible CPUs: %s: is /sys mounted?",
				   strerror(-cpus));
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->nr_cpus = cpus;
	p->profile = config->period_ns > 0;
	p->stacks = config->stacks;
	p->resident = config->resident;
	/* compare-and-swap in programs, and maps that allocate anywhere */
	p->heap = config->heap && kernel_type_exists(KERNEL_MEM_ALLOC);
	p->calls = config->calls && kernel_type_exists(KERNEL_MEM_ALLOC);
	p->cgroup = config->cgroup_scope;
	p->cache = config->cgroup_id != 0;
	p->tasks = config->tasks ? config->tasks : 1;
	p->watch = p->tasks > 1;
	p->by_faults = births_by_faults(config);
	p->waits = p->profile && config->waits;
	p->wakes = p->waits && wake_hook_exists(config);
	if (p->waits && !p->wakes)
		probes_limit_add(p, part_find("profile_wake"), -ENOENT);
	p->buffer = malloc(SAMPLE_BUFFER);
	print_verbose = config->verbose;
	libbpf_set_print(print_libbpf);
	memlock_raise();
	err = p->buffer ? skel_load(p, config) : -ENOMEM;
	if (err) {
		probes_free(p);
		return load_problem(problem, err);
	}
	malloc_trim(0); /* the kernel's BTF was read to relocate: 10 MB that nobody needs again */
	*ret = p;
	return 0;
}
