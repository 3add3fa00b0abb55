/* profile_build.c - samples and names → struct profile. */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect/profile.h"
#include "collect/stack_build.h"
#include "lib/cleanup.h"
#include "symbolize/kallsyms.h"
#include "symbolize/symbolize.h"
#include "unwind/unwinder.h"

struct build {
	struct profile_collector *c;
	struct profile *p;
	struct stack_build *stacks;
	uint64_t *kernel; /* addresses, sorted */
	char **kernel_names;
	size_t kernel_count;
};

static const char *const cause_names[CAUSE_MAX] = {
	[CAUSE_CPU] = "cpu",
	[CAUSE_KERNEL] = "cpu",
	[CAUSE_UNSAMPLED] = "[not sampled]",
	[CAUSE_RUN_QUEUE] = "[run queue]",
	[CAUSE_THROTTLED] = "[throttled]",
	[CAUSE_LOCK] = "[lock]",
	[CAUSE_GIL] = "[GIL]",
	[CAUSE_SLEEP] = "[sleep]",
	[CAUSE_EPOLL] = "[epoll]",
	[CAUSE_POLL] = "[poll]",
	[CAUSE_SOCKET] = "[socket]",
	[CAUSE_PIPE] = "[pipe]",
	[CAUSE_DISK] = "[disk]",
	[CAUSE_TTY] = "[tty]",
	[CAUSE_PAGE_FAULT] = "[page fault]",
	[CAUSE_CHILD] = "[child]",
	[CAUSE_SIGNAL] = "[signal]",
	[CAUSE_RECLAIM] = "[reclaim]",
	[CAUSE_STOPPED] = "[stopped]",
	[CAUSE_FROZEN] = "[frozen]",
	[CAUSE_SYSCALL] = "[syscall]",
	[CAUSE_UNKNOWN] = "[unknown wait]",
};

void profile_cause_name(uint32_t cause, uint64_t detail, char *ret, size_t size)
{
	char *name = NULL;

	if (cause == CAUSE_SYSCALL)
		name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, detail);
	if (name)
		snprintf(ret, size, "[%s]", name);
	else
		snprintf(ret, size, "%s", cause_names[cause < CAUSE_MAX ? cause : CAUSE_UNKNOWN]);
	free(name);
}

static int add_threads(struct build *b)
{
	uint64_t start = b->c->o->start_ns;
	char name[NAME_BYTES + 16];

	for (size_t i = 0; i < b->c->stacks->proc_count; i++) {
		const struct stack_process *p = b->c->stacks->procs[i];

		snprintf(name, sizeof(name), "%s-%u", p->name, p->pid);
		if (profile_process(b->p, &(struct profile_process){
					      .name = name, .pid = p->pid }) == PROFILE_NONE)
			return -ENOMEM;
	}
	for (size_t i = 0; i < b->c->thr_count; i++) {
		const struct profile_thr *t = b->c->thrs[i];
		struct profile_thread thread = {
			.name = t->name,
			.process = t->proc,
			.tid = t->tid,
			.start_ns = t->begin_ns > start ? t->begin_ns - start : 0,
			.end_ns = t->end_ns > start ? t->end_ns - start : 0,
			.cpu_ns = t->exact_ns[TIME_CPU],
			.run_queue_ns = t->exact_ns[TIME_RUN_QUEUE],
			.blocked_ns = t->exact_ns[TIME_BLOCKED],
			.cpu_marks = t->recorded[TIME_CPU],
			.run_queue_marks = t->recorded[TIME_RUN_QUEUE],
			.blocked_marks = t->recorded[TIME_BLOCKED],
			.marks = t->marks,
		};

		if (profile_thread(b->p, &thread) == PROFILE_NONE)
			return -ENOMEM;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int take_kernel_address(void *context, const struct samples_cell *cell)
{
	struct build *b = context;
	uint64_t *grown;

	if (cell->cause != CAUSE_KERNEL)
		return 0;
	if (!(b->kernel_count & (b->kernel_count - 1))) {
		grown = reallocarray(b->kernel, b->kernel_count ? b->kernel_count * 2 : 1,
				     sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		b->kernel = grown;
	}
	b->kernel[b->kernel_count++] = cell->detail;
	return 0;
}

static int name_kernel(struct build *b)
{
	int err = samples_each(b->c->samples, take_kernel_address, b);
	size_t n = 0;

	if (err || !b->kernel_count)
		return err;
	qsort(b->kernel, b->kernel_count, sizeof(*b->kernel), compare);
	for (size_t i = 0; i < b->kernel_count; i++)
		if (!n || b->kernel[n - 1] != b->kernel[i])
			b->kernel[n++] = b->kernel[i];
	b->kernel_count = n;
	b->kernel_names = calloc(n, sizeof(*b->kernel_names));
	if (!b->kernel_names)
		return -ENOMEM;
	err = kallsyms_names("/proc/kallsyms", b->kernel, n, b->kernel_names);
	if (err)
		task_stacks_problem(
		    b->c->stacks, "kernel functions have no names: /proc/kallsyms: %s%s",
		    strerror(-err), err == -EPERM ? " (kernel.kptr_restrict hides addresses)" : "");
	return 0;
}

/* As `perf script` and the flame graph tools mark them. */
static uint32_t push_kernel(struct build *b, uint32_t stack, uint64_t address)
{
	uint64_t *at = bsearch(&address, b->kernel, b->kernel_count, sizeof(address), compare);
	const char *name = at && b->kernel_names ? b->kernel_names[at - b->kernel] : NULL;
	char text[256];

	if (!name)
		return stack_build_name(b->stacks, stack, "[kernel]");
	snprintf(text, sizeof(text), "%.240s_[k]", name);
	return stack_build_name(b->stacks, stack, text);
}

static int add_cell(void *context, const struct samples_cell *cell)
{
	struct build *b = context;
	bool running = cell->cause == CAUSE_CPU || cell->cause == CAUSE_KERNEL;
	uint32_t stack = stack_build_stack(b->stacks, cell->node), cause;
	char name[64];

	profile_cause_name(cell->cause, cell->detail, name, sizeof(name));
	cause =
	    profile_cause(b->p, running ? "cpu" : name, profile_time_kind(cell->cause) == TIME_CPU);
	if (cell->cause == CAUSE_KERNEL)
		stack = push_kernel(b, stack, cell->detail);
	else if (cell->cause == CAUSE_UNSAMPLED) /* that of a wait is added by who writes it */
		stack = stack_build_name(b->stacks, stack, name);
	else if (stack == PROFILE_NO_STACK)
		stack = stack_build_name(b->stacks, stack, "[unknown]");
	if (stack == PROFILE_NO_STACK || cause == PROFILE_NONE)
		return -ENOMEM;
	return profile_add(b->p, stack, cell->thread, cause, cell->slice, cell->marks);
}

static void build_free(struct build *b)
{
	for (size_t i = 0; b->kernel_names && i < b->kernel_count; i++)
		free(b->kernel_names[i]);
	free(b->kernel_names);
	free(b->kernel);
	stack_build_free(b->stacks);
}

int profile_build(struct profile_collector *c, struct profile **ret)
{
	struct build b = { .c = c };
	int err = -ENOMEM;

	b.p = profile_new(c->o->period_ns, samples_slice_ns(c->samples));
	if (b.p)
		err = stack_build_new(c->stacks, b.p, &b.stacks);
	if (!err)
		err = add_threads(&b);
	if (!err)
		err = name_kernel(&b);
	if (!err)
		err = samples_each(c->samples, add_cell, &b);
	if (!err && stack_build_failed(b.stacks))
		err = -ENOMEM;
	build_free(&b);
	if (err)
		profile_free(b.p);
	else
		*ret = b.p;
	return err;
}
