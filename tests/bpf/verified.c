/* verified.c - how many instructions this kernel's verifier walks for each program, as a run loads
 *them.
 *
 *	verified	a line for each: NAME NUMBER; "absent NAME": a program that no run loads on
 *this kernel
 *
 * Runs are made as taskdiag-bpf makes them, by session/probes.h; nothing is attached. Needs root.
 */
#include <bpf/libbpf.h>
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bpf/config.h"
#include "bpf/state.h"
#include "session/probes.h"
#include "taskdiag.skel.h"

#define PERIOD_NS 10101010
#define PROGRAMS_MAX 128

static struct {
	char name[64];
	unsigned instructions;
} seen[PROGRAMS_MAX];
static size_t seen_count;

/* The most of all runs: rodata decides what is walked. */
static void see(void *context, const char *program, unsigned instructions)
{
	size_t i = 0;

	(void)context;
	while (i < seen_count && strcmp(seen[i].name, program))
		i++;
	if (i == PROGRAMS_MAX)
		errx(2, "more than %d programs", PROGRAMS_MAX);
	if (i == seen_count)
		snprintf(seen[seen_count++].name, sizeof(seen[i].name), "%s", program);
	if (instructions > seen[i].instructions)
		seen[i].instructions = instructions;
}

static bool is_seen(const char *program)
{
	for (size_t i = 0; i < seen_count; i++)
		if (!strcmp(seen[i].name, program))
			return true;
	return false;
}

static void load(const struct probes_config *config, bool needed)
{
	struct problem problem = {};
	struct probes *p;

	if (probes_new(config, &p, &problem)) {
		if (needed)
			errx(1, "%s", problem.text);
		return;
	}
	probes_stats(p, see, NULL);
	probes_free(p);
}

int main(void)
{
	const struct probes_config all = { .ring_bytes = RING_BYTES_DEFAULT,
					   .follow_children = true,
					   .stats = true,
					   .period_ns = PERIOD_NS,
					   .waits = true,
					   .hold = true,
					   .stacks = true,
					   .resident = true,
					   .heap = true,
					   .calls = true,
					   .cgroup_scope = true,
					   .cgroup_id = 1 };
	const struct probes_config memory = { .ring_bytes = RING_BYTES_DEFAULT,
					      .follow_children = true,
					      .stats = true };
	static const struct watch_rule rules[WATCH_RULES_MAX] = {
		{ .moments = WATCH_FORK | WATCH_EXEC | WATCH_CHDIR },
	};
	struct probes_config host = all;
	struct taskdiag_bpf *skel;
	struct bpf_program *program;

	load(&memory, true);
	load(&all, true);
	host.hold = host.heap = host.calls = host.cgroup_scope = false;
	host.cgroup_id = 0;
	host.tasks = TASK_SLOTS_MAX;
	host.rules = rules;
	host.rule_count = WATCH_RULES_MAX;
	load(&host, false); /* needs Linux 5.11 */
	skel = taskdiag_bpf__open();
	if (!skel)
		err(2, "open");
	bpf_object__for_each_program (program, skel->obj)
		if (!is_seen(bpf_program__name(program)))
			printf("absent %s\n", bpf_program__name(program));
	taskdiag_bpf__destroy(skel);
	for (size_t i = 0; i < seen_count; i++)
		printf("%s %u\n", seen[i].name, seen[i].instructions);
	return 0;
}
