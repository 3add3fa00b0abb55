/* probes.c - see probes.h: attaching, detaching, the ring. */
#include "session/probes.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/clock_events.h"
#include "session/endings.h"
#include "session/probes_private.h"
#include "session/uprobes.h"
#include "taskdiag.skel.h"

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
	for (size_t i = 0; i < PARTS; i++) {
		struct bpf_program *program = probes_program(p, i);
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
		probes_limit_add(p, &parts[i], err);
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
	if (!err && p->profile)
		err = attach_profile(p, problem);
	if (!err && p->resident)
		err = probes_attach_syscalls(p);
	return err;
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

static void link_end(void *link)
{
	bpf_link__destroy(link);
}

/* Those that last. What is told of processes stays for longer than what is told of their memory. */
static void end_slow_links(struct probes *p)
{
	struct endings e = {};

	while (p->shim_count)
		uprobes_end_with(&e, p->shim[--p->shim_count]);
	while (p->syscall_count)
		endings_add(&e, link_end, p->syscalls[--p->syscall_count]);
	endings_wait(&e);
}

void probes_detach(struct probes *p)
{
	clock_events_free(p->clock);
	p->clock = NULL;
	leave_switches(p);
	end_slow_links(p);
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
	bpf_link__destroy(p->release);
	ring_buffer__free(p->ring);
	taskdiag_bpf__destroy(p->skel);
	probes_stats_forget(p);
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
