/* uprobe_walk.c - stacks walked by a uprobe's program in claimed slots, against the chains that
 * tests/targets/uprobe_chains.c tells.
 *
 *	uprobe_walk [--held N] [--shared] -- TARGET ARG…
 *
 * --held: N of the claimed slots have an owner that never lets go; --shared: all walks of a CPU in
 * one slot, as must not be. A clock interrupts walks by walks of its own, every 50 us. Prints a
 *line NAME NUMBER for each of: calls (the target's own count), offered, walked, slots_full,
 *ring_full, nested_offered and nested_walked (those of the clock), checked, wrong (of these:
 *another chain than the argument's), incomplete (walks with another outcome), owned (slots that
 *were not let go). Exits with 3 when this kernel has no uprobes. Needs root.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf/events.h"
#include "bpf/state.h"
#include "lib/clock.h"
#include "tests/bpf/uprobe_walk.h"
#include "unwind/unwinder.h"
#include "uprobe_walk.skel.h"

#define NO_UPROBES 3
#define SLOTS_A_CPU 3  /* enum slot_use of bpf/unwind.bpf.h */
#define CLOCK_NS 50000 /* of CPU time */
#define START_NS 12345 /* any number: the program takes it from targets */
#define PATIENCE_NS (60 * NS_PER_S)
#define UPROBE_TYPE "/sys/bus/event_source/devices/uprobe/type"

enum part { PART_PROBE, PART_A, PART_B, PART_RUN, PARTS };

struct target_truth {
	pid_t pid;
	FILE *says;
	int to; /* its stdin */
	char path[PATH_MAX];
	uint64_t start[PARTS], end[PARTS], probe;
	int depth;
};

struct test {
	struct target_truth t;
	struct uprobe_walk_bpf *skel;
	struct inspect *inspect;
	struct unwinder *u;
	struct bpf_link *clocks[MAX_CPUS];
	uint64_t checked, wrong, incomplete;
};

static void target_start(struct target_truth *t, char **argv)
{
	int to[2], from[2];

	if (!realpath(argv[0], t->path) || pipe(to) || pipe(from))
		err(2, "%s", argv[0]);
	t->pid = fork();
	if (t->pid < 0)
		err(2, "fork");
	if (!t->pid) {
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		close_range(3, ~0U, 0);
		execv(t->path, argv);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	t->to = to[1];
	t->says = fdopen(from[0], "r");
	if (!t->says)
		err(2, "pipe");
}

/* Up to the line that says where its probe is. */
static void target_read(struct target_truth *t)
{
	static const char *const names[PARTS] = { "probe", "a", "b", "run" };
	char line[256], name[16];
	uint64_t start, end;

	while (fgets(line, sizeof(line), t->says)) {
		if (sscanf(line, "range %15s %" SCNx64 " %" SCNx64, name, &start, &end) == 3)
			for (int i = 0; i < PARTS; i++)
				if (!strcmp(name, names[i])) {
					t->start[i] = start;
					t->end[i] = end;
				}
		sscanf(line, "depth %d", &t->depth);
		if (sscanf(line, "probe %" SCNx64, &t->probe) == 1)
			return;
	}
	errx(2, "%s does not say where its probe is", t->path);
}

static bool is_in(const struct test *test, uint64_t frame, enum part part)
{
	const struct unwind_file *file = unwinder_file(test->u, FRAME_FILE(frame));
	uint64_t address = FRAME_ADDRESS(frame);

	return file && !strcmp(file->path, test->t.path) && !(frame & FRAME_HEURISTIC) &&
	       address >= test->t.start[part] && address < test->t.end[part];
}

/* probed, the steps by the bits of the chain, chain_run, and two of libc. */
static bool is_chain(const struct test *test, const struct walk_record *r)
{
	const uint64_t *frames = (const uint64_t *)(r + 1);
	int depth = test->t.depth;

	if ((int)r->frame_count != depth + 4 || !is_in(test, frames[0], PART_PROBE) ||
	    !is_in(test, frames[depth + 1], PART_RUN))
		return false;
	for (int i = 0; i < depth; i++)
		if (!is_in(test, frames[i + 1], r->chain >> i & 1 ? PART_B : PART_A))
			return false;
	return true;
}

static int on_walk(void *context, void *record, size_t bytes)
{
	const struct walk_record *r = record;
	struct test *test = context;

	if (bytes < sizeof(*r) ||
	    bytes !=
		sizeof(*r) + (r->frame_count > WALK_FRAMES_MAX ? WALK_FRAMES_MAX : r->frame_count) *
				 sizeof(uint64_t)) {
		test->wrong++; /* two walks in one slot may well do that */
	} else if (r->outcome != UNWIND_COMPLETE) {
		test->incomplete++;
	} else {
		test->wrong += !is_chain(test, r);
	}
	test->checked++;
	return 0;
}

static int no_execs(void *context, uint32_t tgid, uint64_t start_ns, uint32_t *ret)
{
	(void)context, (void)tgid, (void)start_ns;
	*ret = 0;
	return 0;
}

static void load(struct test *test, bool shared)
{
	int cpus = libbpf_num_possible_cpus();
	struct uprobe_walk_bpf *skel = uprobe_walk_bpf__open();

	if (!skel || cpus < 1 || cpus > MAX_CPUS)
		err(2, "open");
	test->skel = skel;
	skel->rodata->config.nr_cpus = cpus;
	skel->rodata->shared_slots = shared;
	if (bpf_map__set_max_entries(skel->maps.unwind_slots, cpus * SLOTS_A_CPU + SLOTS_CLAIMED) ||
	    bpf_map__set_max_entries(skel->maps.code_records, cpus * SLOTS_A_CPU + SLOTS_CLAIMED))
		err(2, "sizes of maps");
	if (uprobe_walk_bpf__load(skel))
		err(1, "load");
}

/* The product's own tables of the target, in the maps of the test's object. */
static void tables(struct test *test)
{
	struct unwinder_config config = {
		.maps = { .chunks = bpf_map__fd(test->skel->maps.chunks),
			  .mappings = bpf_map__fd(test->skel->maps.unwind_mappings),
			  .processes = bpf_map__fd(test->skel->maps.unwind_processes),
			  .pythons = bpf_map__fd(test->skel->maps.python_layouts) },
		.execs = no_execs,
	};
	struct target target = { .start_ns = START_NS };
	struct problem problem = {};
	__u32 tgid = test->t.pid;

	if (inspect_new(NULL, &test->inspect))
		err(2, "worker");
	config.inspect = test->inspect;
	if (unwinder_new(&config, &test->u, &problem))
		errx(2, "%s", problem.text);
	if (unwinder_process(test->u, tgid, tgid, START_NS, true) ||
	    unwinder_settle(test->u, PATIENCE_NS) ||
	    bpf_map_update_elem(bpf_map__fd(test->skel->maps.targets), &tgid, &target, BPF_ANY))
		errx(2, "no tables of the target");
}

static void hold(struct test *test, __u32 held)
{
	__u64 owner = 1;

	for (__u32 i = 0; i < held && i < SLOTS_CLAIMED; i++)
		if (bpf_map_update_elem(bpf_map__fd(test->skel->maps.slot_owners), &i, &owner, 0))
			err(2, "slot_owners");
}

static __u64 owned(struct test *test)
{
	__u64 count = 0, owner;

	for (__u32 i = 0; i < SLOTS_CLAIMED; i++)
		count +=
		    !bpf_map_lookup_elem(bpf_map__fd(test->skel->maps.slot_owners), &i, &owner) &&
		    owner;
	return count;
}

static __u64 dropped(struct test *test, __u32 cause)
{
	int cpus = libbpf_num_possible_cpus();
	__u64 *each = calloc(cpus, sizeof(*each)), sum = 0;

	if (!each || bpf_map_lookup_elem(bpf_map__fd(test->skel->maps.drops), &cause, each))
		err(2, "drops");
	for (int i = 0; i < cpus; i++)
		sum += each[i];
	free(each);
	return sum;
}

static void clocks_start(struct test *test)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = CLOCK_NS,
	};

	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++) {
		int fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

		if (fd < 0 && errno == ENODEV) /* possible, but not online */
			continue;
		if (fd < 0 || !(test->clocks[cpu] = bpf_program__attach_perf_event(
				    test->skel->progs.interrupt, fd)))
			err(2, "clock of CPU %d", cpu);
	}
}

/* The target calls, we read, until it says how often it has called. */
static unsigned long long observe(struct test *test)
{
	struct ring_buffer *ring =
	    ring_buffer__new(bpf_map__fd(test->skel->maps.walks), on_walk, test, NULL);
	struct pollfd said = { .fd = fileno(test->t.says), .events = POLLIN };
	unsigned long long calls;
	char line[256];

	if (!ring || write(test->t.to, "g", 1) != 1)
		err(2, "start");
	do {
		ring_buffer__poll(ring, 10);
	} while (!poll(&said, 1, 0));
	if (!fgets(line, sizeof(line), test->t.says) || sscanf(line, "calls %llu", &calls) != 1)
		errx(2, "the target does not say how often it has called");
	ring_buffer__consume(ring);
	ring_buffer__free(ring);
	return calls;
}

static void say(struct test *test, unsigned long long calls)
{
	printf("calls %llu\n", calls);
	printf("offered %llu\n", test->skel->bss->offered);
	printf("walked %llu\n", test->skel->bss->walked);
	printf("slots_full %llu\n", dropped(test, DROP_SLOTS_FULL));
	printf("ring_full %llu\n", test->skel->bss->ring_full);
	printf("nested_offered %llu\n", test->skel->bss->nested_offered);
	printf("nested_walked %llu\n", test->skel->bss->nested_walked);
	printf("checked %" PRIu64 "\n", test->checked);
	printf("wrong %" PRIu64 "\n", test->wrong);
	printf("incomplete %" PRIu64 "\n", test->incomplete);
	printf("owned %llu\n", owned(test));
}

int main(int argc, char **argv)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	static struct test test;
	unsigned long long calls;
	struct bpf_link *link;
	bool shared = false;
	__u32 held = 0;
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "--shared"))
			shared = true;
		else if (!strcmp(argv[i], "--held") && i + 1 < argc)
			held = atoi(argv[++i]);
	}
	if (i + 1 >= argc)
		errx(2, "use: uprobe_walk [--held N] [--shared] -- TARGET ARG…");
	if (access(UPROBE_TYPE, R_OK))
		err(NO_UPROBES, UPROBE_TYPE);
	setrlimit(RLIMIT_MEMLOCK, &unlimited); /* bpf(2) charged locked memory before 5.11 */
	target_start(&test.t, argv + i + 1);
	target_read(&test.t);
	load(&test, shared);
	tables(&test);
	hold(&test, held);
	link =
	    bpf_program__attach_uprobe(test.skel->progs.walk, false, -1, test.t.path, test.t.probe);
	if (!link)
		err(NO_UPROBES, "uprobe");
	clocks_start(&test);
	calls = observe(&test);
	bpf_link__destroy(link);
	for (int cpu = 0; cpu < MAX_CPUS; cpu++)
		bpf_link__destroy(test.clocks[cpu]);
	say(&test, calls); /* when no walk goes on any more */
	close(test.t.to);
	waitpid(test.t.pid, NULL, 0);
	inspect_free(test.inspect);
	unwinder_free(test.u);
	uprobe_walk_bpf__destroy(test.skel);
	return 0;
}
