/* probes_watch.c - many tasks at once: rules that make processes tasks, and the slots of these. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "session/probes_private.h"
#include "session/syscall_events.h"
#include "taskdiag.skel.h"

const char *const watch_syscalls[WATCH_SYSCALLS] = { "watch_chdir", "watch_write" };

/* The slot belongs to @number from now on, and nobody knows that yet but who asks for a number. */
static int slot_give(struct probes *p, uint32_t number)
{
	_cleanup_free_ struct task_state *state = calloc(1, sizeof(*state));
	__u32 slot = task_slot(number);

	if (!state)
		return -ENOMEM;
	state->number = number;
	if (bpf_map_update_elem(bpf_map__fd(p->skel->maps.tasks), &slot, state, BPF_ANY) ||
	    bpf_map_update_elem(bpf_map__fd(p->skel->maps.task_numbers), NULL, &number, BPF_ANY))
		return -errno;
	return 0;
}

int probes_task_free(struct probes *p, uint32_t number)
{
	return slot_give(p, number + TASK_SLOTS_MAX);
}

static int attach_syscalls(struct probes *p)
{
	struct syscall_events *events;
	int err = syscall_events_new(&events);

	if (err)
		return err;
	for (size_t i = 0; !err && i < WATCH_SYSCALLS; i++) {
		struct bpf_program *program =
		    bpf_object__find_program_by_name(p->skel->obj, watch_syscalls[i]);

		err = syscall_events_attach(events, program, &p->links[p->link_count]);
		if (!err)
			p->link_count++;
	}
	syscall_events_free(events);
	return err;
}

int probes_watch(struct probes *p, struct problem *problem)
{
	struct root none = {};
	uint64_t seen;
	int err = 0;

	/* number 0 is a run's of its own: no slot begins with it */
	for (uint32_t slot = 0; !err && slot < p->tasks; slot++)
		err = slot_give(p, slot + TASK_SLOTS_MAX);
	if (!err)
		err = attach_syscalls(p);
	if (err)
		return problem_set(problem, err, "watch for tasks: %s; see: taskdiag-bpf doctor",
				   strerror(-err));
	p->release = bpf_program__attach_iter(p->skel->progs.watch_release, NULL);
	if (!p->release)
		return problem_set(problem, -errno, "task iterator: %s", strerror(errno));
	return probes_adopt(p, &none, 1, &seen, problem); /* fills control: the rules begin */
}

void probes_rules(struct probes *p, const struct watch_rule *rules, size_t count)
{
	const struct watch_rule none = {};

	for (size_t i = 0; i < WATCH_RULES_MAX; i++)
		p->skel->bss->watch_rules[i] = i < count ? rules[i] : none;
}

bool probes_task_sample(const struct probes *p, uint32_t number, struct task_sample *ret)
{
	_cleanup_free_ struct task_state *state = calloc(1, sizeof(*state));
	uint64_t page = sysconf(_SC_PAGESIZE);
	__u32 slot = task_slot(number);
	int64_t pages = 0;

	if (!state || bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.tasks), &slot, state) ||
	    state->number != number)
		return false;
	for (uint32_t i = 0; i < p->nr_cpus; i++)
		pages += state->cpu[i].pages;
	*ret = (struct task_sample){
		.h = { SAMPLE_TASK, sizeof(*ret) },
		.time_ns = clock_boot_ns(),
		.rss_bytes = pages > 0 ? pages * page : 0,
		.interval_peak_bytes =
		    state->interval_peak_pages > 0 ? state->interval_peak_pages * page : 0,
		.interval_peak_ns = state->interval_peak_ns,
		.task = number,
	};
	return true;
}

static int run_release(struct probes *p)
{
	_cleanup_close_ int fd = bpf_iter_create(bpf_link__fd(p->release));
	char none[64];
	ssize_t n;

	if (fd < 0)
		return -errno;
	do
		n = read(fd, none, sizeof(none));
	while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	return n < 0 ? -errno : 0;
}

int probes_release(struct probes *p, const uint32_t *numbers, size_t count)
{
	int fd = bpf_map__fd(p->skel->maps.released), err = 0;
	uint32_t one = 1;

	for (size_t i = 0; !err && i < count; i++)
		if (bpf_map_update_elem(fd, &numbers[i], &one, BPF_ANY))
			err = -errno;
	/* twice: a child that was forked meanwhile may be linked behind the first pass */
	for (int pass = 0; !err && pass < 2; pass++)
		err = run_release(p);
	for (size_t i = 0; i < count; i++)
		bpf_map_delete_elem(fd, &numbers[i]);
	return err;
}

void probes_lines_end(struct probes *p, uint32_t number)
{
	uint32_t slot = task_slot(number), none = 0;

	bpf_map_update_elem(bpf_map__fd(p->skel->maps.task_lines), &slot, &none, BPF_ANY);
}
