/* verified.c - how many instructions this kernel's verifier walks for each program of the profile.
 *
 *	verified	a line for each: NAME NUMBER, or NAME absent: this kernel lacks the hook
 *
 * The number is from the verifier's own log: bpf_prog_info has none before Linux 5.16. The programs
 * are configured as in user/session/probes.c, and loaded together; nothing is attached. Needs root.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bpf/events.h"
#include "bpf/state.h"
#include "session/kernel_type.h"
#include "taskdiag.skel.h"

#define LOG_STATS 4 /* BPF_LOG_STATS of the kernel: the numbers alone, since Linux 5.2 */
#define LOG_BYTES 65536
#define PERIOD_NS 10101010
#define SLOTS_A_CPU 3 /* enum slot_use of bpf/unwind.bpf.h */

static bool is_profile(const struct bpf_program *program)
{
	return !strncmp(bpf_program__name(program), "profile_", strlen("profile_"));
}

static void configure(struct taskdiag_bpf *skel, bool wakes)
{
	int cpus = libbpf_num_possible_cpus();

	if (cpus < 1 || cpus > MAX_CPUS)
		errx(2, "%d possible CPUs: this program is for 1 to %d", cpus, MAX_CPUS);
	skel->rodata->config.nr_cpus = cpus;
	skel->rodata->config.follow_children = 1;
	skel->rodata->config.ring_wake_bytes = RING_BYTES_DEFAULT / 4;
	skel->rodata->config.period_ns = PERIOD_NS;
	skel->rodata->config.waits = 1;
	skel->rodata->config.wake_hook = wakes;
	skel->rodata->config.hold = 1;
	skel->rodata->config.thread_size = 16384;
	skel->rodata->page_shift = __builtin_ctzl(sysconf(_SC_PAGESIZE));
	if (bpf_map__set_value_size(skel->maps.images, image_bytes(cpus)) ||
	    bpf_map__set_value_size(skel->maps.image_zero, image_bytes(cpus)) ||
	    bpf_map__set_value_size(skel->maps.tasks, task_state_bytes(cpus)) ||
	    bpf_map__set_max_entries(skel->maps.unwind_slots, cpus * SLOTS_A_CPU))
		err(2, "sizes of maps");
}

/* Before 6.1 a perf_event program may use hashes only whose room is all there: see probes.c. */
static void preallocate(struct taskdiag_bpf *skel)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, skel->obj)
	{
		__u32 flags = bpf_map__map_flags(map);

		if (bpf_map__type(map) == BPF_MAP_TYPE_HASH && flags & BPF_F_NO_PREALLOC &&
		    bpf_map__set_map_flags(map, flags & ~BPF_F_NO_PREALLOC))
			err(2, "flags of %s", bpf_map__name(map));
	}
}

/* Every program of the profile that this kernel has a hook for gets a log of its own. */
static void choose(struct taskdiag_bpf *skel, bool wakes)
{
	struct bpf_program *program;
	char *log;

	bpf_object__for_each_program (program, skel->obj) {
		bool wanted = is_profile(program) && (program != skel->progs.profile_wake || wakes);

		bpf_program__set_autoload(program, wanted);
		if (!wanted)
			continue;
		log = calloc(1, LOG_BYTES);
		if (!log || bpf_program__set_log_buf(program, log, LOG_BYTES) ||
		    bpf_program__set_log_level(program, LOG_STATS))
			err(2, "log of %s", bpf_program__name(program));
	}
}

static void say(const struct bpf_program *program)
{
	size_t bytes = 0;
	const char *log = bpf_program__log_buf(program, &bytes);
	const char *processed = log ? strstr(log, "processed ") : NULL;
	unsigned insns;

	if (!bpf_program__autoload(program))
		printf("%s absent\n", bpf_program__name(program));
	else if (processed && sscanf(processed, "processed %u insns", &insns) == 1)
		printf("%s %u\n", bpf_program__name(program), insns);
	else
		printf("%s unknown\n", bpf_program__name(program));
}

int main(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	bool wakes = kernel_type_exists("btf_trace_sched_exit_tp");
	struct taskdiag_bpf *skel = taskdiag_bpf__open();
	struct bpf_program *program;

	if (!skel)
		err(2, "open");
	setrlimit(RLIMIT_MEMLOCK, &unlimited); /* bpf(2) charged locked memory before 5.11 */
	configure(skel, wakes);
	if (!kernel_type_exists("bpf_mem_alloc"))
		preallocate(skel);
	choose(skel, wakes);
	if (taskdiag_bpf__load(skel))
		err(1, "load");
	bpf_object__for_each_program (program, skel->obj)
		if (is_profile(program))
			say(program);
	taskdiag_bpf__destroy(skel);
	return 0;
}
