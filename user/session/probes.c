/* probes.c - see probes.h */
#include "session/probes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bpf/state.h"
#include "lib/cleanup.h"
#include "session/clock_events.h"
#include "session/kernel_type.h"
#include "taskdiag.skel.h"

#define LIMITS_MAX 8
#define LINKS_MAX 16
#define SAMPLE_BUFFER 65536
#define OPTIONAL_PARTS 2 /* the first of parts[]: found by trying to load */
#define SLOTS_A_CPU 2	 /* enum slot_use of bpf/unwind.bpf.h */

/* Which runs load a program. */
enum use { USE_ALWAYS, USE_PROFILE, USE_WAITS };

/* A program, and what to do on a kernel that refuses it. */
struct part {
	const char *name;
	const char *older; /* does the same for older kernels; or NULL */
	const char *limit; /* what is lost without; NULL: no run without it */
	enum use use;
};

static const struct part parts[] = {
	{ "memory_rss_stat", "memory_rss_stat_old",
	  "peaks between two ticks are not seen: RSS is read at ticks only", USE_ALWAYS },
	{ "lifecycle_oom", NULL, "an OOM kill is seen as killed by signal 9", USE_ALWAYS },
	{ "profile_wake", NULL,
	  "stacks of waits are those of the switch away, at most one a period and thread: shares "
	  "of "
	  "short waits may be wrong",
	  USE_WAITS },
	/* before lifecycle_exit: while its process is known */
	{ "profile_exit", NULL, NULL, USE_PROFILE },
	{ "profile_exec", NULL, NULL, USE_PROFILE },
	{ "profile_switch", NULL, NULL, USE_WAITS },
	{ "lifecycle_fork", NULL, NULL, USE_ALWAYS },
	{ "lifecycle_exec", NULL, NULL, USE_ALWAYS },
	{ "lifecycle_exit", NULL, NULL, USE_ALWAYS },
};

enum choice { CHOOSE_IT, CHOOSE_OLDER, CHOOSE_NONE, CHOICES };

struct probes {
	struct taskdiag_bpf *skel;
	struct ring_buffer *ring;
	struct bpf_link *links[LINKS_MAX];
	size_t link_count;
	struct bpf_link *switches[2]; /* profile_switch, profile_wake */
	struct bpf_link *adopt, *sample, *threads;
	struct clock_events *clock;
	record_fn fn;
	void *context;
	enum choice choices[sizeof(parts) / sizeof(parts[0])];
	bool event_driven;
	bool profile, waits, wakes;
	char *limits[LIMITS_MAX];
	bool limits_profile[LIMITS_MAX]; /* it is the profile's, not of memory */
	size_t limit_count;
	uint32_t nr_cpus;
	unsigned char *buffer; /* of SAMPLE_BUFFER bytes */
};

static bool print_verbose;

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	if (!print_verbose || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, format, args);
}

static int limit_add(struct probes *p, const struct part *part, int err)
{
	if (p->limit_count == LIMITS_MAX)
		return 0;
	if (asprintf(&p->limits[p->limit_count], "%s (%s: %s)", part->limit, part->name,
		     strerror(-err)) < 0)
		return -ENOMEM;
	p->limits_profile[p->limit_count] = part->use != USE_ALWAYS;
	p->limit_count++;
	return 0;
}

/* bpf(2) charged locked memory before 5.11. */
static void memlock_raise(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
}

static struct bpf_program *program_of(const struct probes *p, size_t i)
{
	const char *name = p->choices[i] == CHOOSE_OLDER ? parts[i].older : parts[i].name;

	return bpf_object__find_program_by_name(p->skel->obj, name);
}

static bool part_is_used(const struct probes *p, size_t i)
{
	if (parts[i].use == USE_ALWAYS)
		return true;
	if (!strcmp(parts[i].name, "profile_wake") && !p->wakes)
		return false;
	return parts[i].use == USE_PROFILE ? p->profile : p->waits;
}

/* Without a profile its maps would only take room: the programs then never reach them. */
static int skel_open_profile(struct probes *p)
{
	struct bpf_map *const maps[] = {
		p->skel->maps.chunks,		p->skel->maps.unwind_mappings,
		p->skel->maps.unwind_processes, p->skel->maps.unwind_slots,
		p->skel->maps.threads,		p->skel->maps.stacks_seen,
	};
	int err = 0;

	for (size_t i = 0; !err && !p->profile && i < sizeof(maps) / sizeof(maps[0]); i++)
		err = bpf_map__set_autocreate(maps[i], false);
	if (!err)
		err =
		    bpf_map__set_max_entries(p->skel->maps.unwind_slots, p->nr_cpus * SLOTS_A_CPU);
	for (size_t i = OPTIONAL_PARTS; !err && i < sizeof(parts) / sizeof(parts[0]); i++)
		err = bpf_program__set_autoload(program_of(p, i), part_is_used(p, i));
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
	skel->rodata->config.hold = config->hold;
	skel->rodata->config.thread_size = 16384; /* x86-64 without KASAN */
	skel->rodata->page_shift = __builtin_ctzl(sysconf(_SC_PAGESIZE));
	err = bpf_map__set_max_entries(skel->maps.events, config->ring_bytes);
	if (!err)
		err = bpf_map__set_value_size(skel->maps.images, image_bytes(p->nr_cpus));
	if (!err)
		err = bpf_map__set_value_size(skel->maps.image_zero, image_bytes(p->nr_cpus));
	if (!err)
		err = bpf_map__set_value_size(skel->maps.tasks, task_state_bytes(p->nr_cpus));
	return err ? err : skel_open_profile(p);
}

static int skel_try(struct probes *p, const struct probes_config *config)
{
	int err = skel_open(p, config);

	for (size_t i = 0; !err && i < OPTIONAL_PARTS; i++) {
		bpf_program__set_autoload(
		    bpf_object__find_program_by_name(p->skel->obj, parts[i].name), false);
		bpf_program__set_autoload(program_of(p, i), p->choices[i] != CHOOSE_NONE);
	}
	if (!err)
		err = taskdiag_bpf__load(p->skel);
	if (!err)
		return 0;
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
			limit_add(p, &parts[i], cause);
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

static const struct part *part_find(const char *name)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!strcmp(parts[i].name, name))
			return &parts[i];
	return NULL;
}

static bool wake_hook_exists(const struct probes_config *config)
{
	if (config->without && strstr(config->without, "profile_wake"))
		return false;
	return kernel_type_exists("btf_trace_sched_exit_tp");
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
	p->waits = p->profile && config->waits;
	p->wakes = p->waits && wake_hook_exists(config);
	if (p->waits && !p->wakes)
		limit_add(p, part_find("profile_wake"), -ENOENT);
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

static int on_record(void *context, void *data, size_t bytes)
{
	struct probes *p = context;

	p->fn(p->context, data, bytes);
	return 0;
}

static void keep_link(struct probes *p, const struct part *part, struct bpf_link *link)
{
	if (!strcmp(part->name, "profile_switch"))
		p->switches[0] = link;
	else if (!strcmp(part->name, "profile_wake"))
		p->switches[1] = link;
	else
		p->links[p->link_count++] = link;
	p->event_driven |= !strcmp(part->name, "memory_rss_stat");
}

static int attach_parts(struct probes *p, struct problem *problem)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct bpf_program *program = program_of(p, i);
		struct bpf_link *link;
		int err;

		if (!bpf_program__autoload(program))
			continue;
		link = bpf_program__attach(program);
		if (link) {
			keep_link(p, &parts[i], link);
			continue;
		}
		err = -errno;
		if (!parts[i].limit)
			return problem_set(problem, err, "attach %s: %s: see: taskdiag-bpf doctor",
					   parts[i].name, strerror(-err));
		limit_add(p, &parts[i], err);
	}
	return 0;
}

static int attach_profile(struct probes *p, struct problem *problem)
{
	uint64_t period_ns = p->skel->rodata->config.period_ns;
	int err;

	p->threads = bpf_program__attach_iter(p->skel->progs.profile_threads, NULL);
	if (!p->threads)
		return problem_set(problem, -errno, "thread iterator: %s", strerror(errno));
	err = clock_events_new(p->skel->progs.profile_clock, period_ns, &p->clock);
	return err ? problem_set(problem, err,
				 "clock event (perf_event_open): %s: needs CAP_PERFMON; see: "
				 "taskdiag-bpf doctor",
				 strerror(-err))
		   : 0;
}

int probes_attach(struct probes *p, record_fn fn, void *context, struct problem *problem)
{
	int err;

	p->fn = fn;
	p->context = context;
	p->ring = ring_buffer__new(bpf_map__fd(p->skel->maps.events), on_record, p, NULL);
	if (!p->ring)
		return problem_set(problem, -errno, "ring buffer: %s", strerror(errno));
	p->adopt = bpf_program__attach_iter(p->skel->progs.lifecycle_adopt, NULL);
	if (p->adopt)
		p->sample = bpf_program__attach_iter(p->skel->progs.memory_sample, NULL);
	if (!p->sample) {
		err = -errno;
		return problem_set(problem, err,
				   "task iterator: %s: needs Linux 5.8; see: taskdiag-bpf doctor",
				   strerror(-err));
	}
	err = attach_parts(p, problem);
	return err || !p->profile ? err : attach_profile(p, problem);
}

static void leave_switches(struct probes *p)
{
	for (size_t i = 0; i < sizeof(p->switches) / sizeof(p->switches[0]); i++) {
		bpf_link__destroy(p->switches[i]);
		p->switches[i] = NULL;
	}
}

void probes_leave_switches(struct probes *p)
{
	p->skel->bss->profile_outside = 1;
	leave_switches(p);
}

void probes_detach(struct probes *p)
{
	clock_events_free(p->clock);
	p->clock = NULL;
	leave_switches(p);
	while (p->link_count)
		bpf_link__destroy(p->links[--p->link_count]);
	if (p->sample)
		probes_sample(p, NULL, NULL); /* settles the images, see memory.bpf.c */
}

void probes_free(struct probes *p)
{
	if (!p)
		return;
	probes_detach(p);
	bpf_link__destroy(p->adopt);
	bpf_link__destroy(p->sample);
	bpf_link__destroy(p->threads);
	ring_buffer__free(p->ring);
	taskdiag_bpf__destroy(p->skel);
	for (size_t i = 0; i < p->limit_count; i++)
		free(p->limits[i]);
	free(p->buffer);
	free(p);
}

int probes_ring_fd(const struct probes *p)
{
	return ring_buffer__epoll_fd(p->ring);
}

int probes_drain(struct probes *p)
{
	int n = ring_buffer__consume(p->ring);

	return n < 0 ? n : 0;
}

/* Hands out the records of a chunk; returns how many bytes of an unfinished one are left at its
 * end. */
static ssize_t samples_split(unsigned char *chunk, size_t length, record_fn fn, void *context)
{
	size_t at = 0;

	while (length - at >= sizeof(struct sample_header)) {
		struct sample_header h;

		memcpy(&h, chunk + at, sizeof(h));
		if (h.size < sizeof(h) || h.size > 4096)
			return -EBADMSG;
		if (h.size > length - at)
			break;
		fn(context, chunk + at, h.size);
		at += h.size;
	}
	memmove(chunk, chunk + at, length - at);
	return length - at;
}

static int iterate(struct probes *p, struct bpf_link *link, record_fn fn, void *context)
{
	_cleanup_close_ int fd = bpf_iter_create(bpf_link__fd(link));
	ssize_t n, kept = 0;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, p->buffer + kept, SAMPLE_BUFFER - kept)) != 0) {
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		kept = fn ? samples_split(p->buffer, kept + n, fn, context) : 0;
		if (kept < 0)
			return kept;
	}
	return 0;
}

int probes_sample(struct probes *p, record_fn fn, void *context)
{
	return iterate(p, p->sample, fn, context);
}

int probes_threads(struct probes *p, record_fn fn, void *context)
{
	return iterate(p, p->threads, fn, context);
}

void probes_unwind_maps(const struct probes *p, int *ret_chunks, int *ret_mappings,
			int *ret_processes)
{
	*ret_chunks = bpf_map__fd(p->skel->maps.chunks);
	*ret_mappings = bpf_map__fd(p->skel->maps.unwind_mappings);
	*ret_processes = bpf_map__fd(p->skel->maps.unwind_processes);
}

int probes_execs(const struct probes *p, uint32_t tgid, uint64_t start_ns, uint32_t *ret)
{
	struct target target;

	if (bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.targets), &tgid, &target) ||
	    target.start_ns != start_ns)
		return -ESRCH;
	*ret = target.execs;
	return 0;
}

bool probes_wakes(const struct probes *p)
{
	return p->wakes;
}

static uint64_t control_adopted(const struct probes *p, uint64_t *ret_seen)
{
	struct control control = {};
	__u32 zero = 0;

	bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.control), &zero, &control);
	*ret_seen = control.roots_seen;
	return control.adopted;
}

int probes_adopt(struct probes *p, const struct root *roots, size_t count, uint64_t *ret_seen,
		 struct problem *problem)
{
	uint64_t before, after;
	int err;

	for (__u32 i = 0; i < count; i++)
		if (bpf_map_update_elem(bpf_map__fd(p->skel->maps.roots), &i, &roots[i], BPF_ANY))
			return problem_set(problem, -errno, "name the task's processes: %s",
					   strerror(errno));
	after = control_adopted(p, ret_seen);
	do { /* a whole pass after the last one that was adopted: see lifecycle_adopt */
		before = after;
		err = iterate(p, p->adopt, NULL, NULL);
		if (err)
			return problem_set(problem, err, "scan of processes: %s", strerror(-err));
		after = control_adopted(p, ret_seen);
		probes_drain(p);
	} while (after != before);
	return 0;
}

void probes_task_peak(const struct probes *p, uint64_t *ret_bytes, uint64_t *ret_ns,
		      uint64_t *ret_epoch)
{
	_cleanup_free_ struct task_state *state = calloc(1, sizeof(*state));
	__u32 index = 0;

	*ret_bytes = *ret_ns = *ret_epoch = 0;
	if (!state || !p->event_driven ||
	    bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.tasks), &index, state))
		return;
	*ret_bytes = state->peak_pages > 0 ? state->peak_pages * sysconf(_SC_PAGESIZE) : 0;
	*ret_ns = state->peak_ns;
	*ret_epoch = state->epoch;
}

static int64_t image_pages(const struct image *image, uint32_t nr_cpus)
{
	int64_t pages = image->count[0] + image->count[1] + image->count[3];

	for (uint32_t i = 0; i < nr_cpus; i++)
		pages += image->cpu[i].local[0] + image->cpu[i].local[1] + image->cpu[i].local[3];
	return pages > 0 ? pages : 0;
}

void probes_images(const struct probes *p, record_fn fn, void *context)
{
	_cleanup_free_ struct image *image = calloc(1, sizeof(*image));
	uint64_t page = sysconf(_SC_PAGESIZE), peak_bytes, peak_ns, epoch, mm, next;
	int fd = bpf_map__fd(p->skel->maps.images);
	const void *key = NULL;

	probes_task_peak(p, &peak_bytes, &peak_ns, &epoch);
	for (; image && !bpf_map_get_next_key(fd, key, &next); mm = next, key = &mm) {
		struct image_event e = { .h = { .type = EV_IMAGE_END, .size = sizeof(e) } };
		uint64_t pages;

		if (bpf_map_lookup_elem(fd, &next, image))
			continue;
		pages = image_pages(image, p->nr_cpus);
		e.h.start_ns = image->start_ns;
		e.h.tgid = image->tgid;
		e.h.pid = image->pid;
		e.h.task = image->task;
		e.peak_bytes = image->peak_pages > 0 ? image->peak_pages * page : 0;
		e.peak_ns = image->peak_ns;
		e.epoch = epoch;
		e.share_bytes = image->epoch == epoch ? image->share_pages * page : pages * page;
		fn(context, &e, sizeof(e));
	}
}

void probes_drops(const struct probes *p, uint64_t ret[DROP_MAX])
{
	_cleanup_free_ uint64_t *per_cpu = calloc(p->nr_cpus, sizeof(*per_cpu));

	for (__u32 cause = 0; cause < DROP_MAX; cause++) {
		ret[cause] = 0;
		if (!per_cpu ||
		    bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.drops), &cause, per_cpu))
			continue;
		for (uint32_t i = 0; i < p->nr_cpus; i++)
			ret[cause] += per_cpu[i];
	}
}

uint64_t probes_missed(const struct probes *p)
{
	struct bpf_program *program;
	uint64_t missed = 0;

	bpf_object__for_each_program (program, p->skel->obj) {
		struct bpf_prog_info info = {};
		__u32 length = sizeof(info);

		if (bpf_program__fd(program) >= 0 &&
		    !bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length))
			missed += info.recursion_misses;
	}
	return missed;
}

uint64_t probes_resolution(const struct probes *p)
{
	struct control control = {};
	__u32 zero = 0;

	bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.control), &zero, &control);
	return control.rss_percpu || !p->event_driven ? 0 : 64 * sysconf(_SC_PAGESIZE);
}

bool probes_event_driven(const struct probes *p)
{
	return p->event_driven;
}

const char *probes_limit(const struct probes *p, bool profile, size_t index)
{
	for (size_t i = 0; i < p->limit_count; i++)
		if (p->limits_profile[i] == profile && !index--)
			return p->limits[i];
	return NULL;
}
