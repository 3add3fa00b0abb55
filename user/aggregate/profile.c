/* profile.c - see profile.h */
#include "aggregate/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/intern.h"

struct stack {
	uint32_t parent, frame;
};

struct profile {
	uint64_t period_ns, slice_ns, marks;
	struct strings
	    strings; /* equal strings are one pointer, so structs of them compare by byte */
	struct intern mappings, processes, threads;
	struct intern frames, causes, stacks, samples;
};

struct profile *profile_new(uint64_t period_ns, uint64_t slice_ns)
{
	struct profile *p;

	if (!period_ns || !slice_ns) {
		errno = EINVAL;
		return NULL;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->period_ns = period_ns;
	p->slice_ns = slice_ns;
	strings_init(&p->strings);
	intern_init(&p->mappings, sizeof(struct profile_mapping), 0);
	intern_init(&p->processes, sizeof(struct profile_process), 0);
	intern_init(&p->threads, sizeof(struct profile_thread), 0);
	intern_init(&p->frames, sizeof(struct profile_frame), sizeof(struct profile_frame));
	intern_init(&p->causes, sizeof(struct profile_cause), sizeof(char *));
	intern_init(&p->stacks, sizeof(struct stack), sizeof(struct stack));
	intern_init(&p->samples, sizeof(struct profile_sample),
		    offsetof(struct profile_sample, marks));
	return p;
}

void profile_free(struct profile *p)
{
	if (!p)
		return;
	intern_clear(&p->samples);
	intern_clear(&p->stacks);
	intern_clear(&p->causes);
	intern_clear(&p->frames);
	intern_clear(&p->threads);
	intern_clear(&p->processes);
	intern_clear(&p->mappings);
	strings_clear(&p->strings);
	free(p);
}

/* Our copy of @s in *@ret, NULL stays NULL. false: no memory. */
static bool keep(struct profile *p, const char *s, const char **ret)
{
	uint32_t i = s ? strings_add(&p->strings, s) : INTERN_NONE;

	*ret = i == INTERN_NONE ? NULL : strings_at(&p->strings, i);
	return !s || *ret;
}

uint32_t profile_mapping(struct profile *p, const struct profile_mapping *m)
{
	struct profile_mapping copy = *m;

	if (!keep(p, m->path ? m->path : "", &copy.path) || !keep(p, m->build_id, &copy.build_id))
		return PROFILE_NONE;
	return intern_append(&p->mappings, &copy);
}

uint32_t profile_frame(struct profile *p, const struct profile_frame *f)
{
	struct profile_frame key;

	if (f->mapping != PROFILE_NONE && f->mapping >= p->mappings.count)
		return PROFILE_NONE;
	memset(&key, 0, sizeof(key)); /* the padding is compared, too */
	if (!keep(p, f->name ? f->name : "", &key.name) ||
	    !keep(p, f->system_name, &key.system_name) || !keep(p, f->file, &key.file))
		return PROFILE_NONE;
	key.line = f->line;
	key.mapping = f->mapping;
	key.address = f->address;
	key.heuristic = f->heuristic;
	key.inlined = f->inlined;
	key.first_line = f->first_line;
	key.python = f->python;
	return intern_add(&p->frames, &key);
}

uint32_t profile_process(struct profile *p, const struct profile_process *x)
{
	struct profile_process copy = *x;

	if (!keep(p, x->name ? x->name : "", &copy.name))
		return PROFILE_NONE;
	return intern_append(&p->processes, &copy);
}

uint32_t profile_thread(struct profile *p, const struct profile_thread *t)
{
	struct profile_thread copy = *t;

	if (t->process >= p->processes.count || !keep(p, t->name ? t->name : "", &copy.name))
		return PROFILE_NONE;
	return intern_append(&p->threads, &copy);
}

uint32_t profile_cause(struct profile *p, const char *name, bool running)
{
	struct profile_cause key = { 0 };
	uint32_t known = p->causes.count, i;

	if (!keep(p, name, &key.name))
		return PROFILE_NONE;
	i = intern_add(&p->causes, &key);
	if (i == known && i != INTERN_NONE) /* new: what came first counts */
		((struct profile_cause *)intern_at(&p->causes, i))->running = running;
	return i;
}

uint32_t profile_stack(struct profile *p, uint32_t parent, uint32_t frame)
{
	struct stack key = { .parent = parent, .frame = frame };

	if (frame >= p->frames.count || (parent != PROFILE_NO_STACK && parent >= p->stacks.count))
		return PROFILE_NONE;
	return intern_add(&p->stacks, &key);
}

int profile_add(struct profile *p, uint32_t stack, uint32_t thread, uint32_t cause, uint32_t slice,
		uint64_t marks)
{
	struct profile_sample key = {
		.stack = stack, .thread = thread, .cause = cause, .slice = slice
	};
	uint64_t total, wall_ns;
	uint32_t i;

	if ((stack != PROFILE_NO_STACK && stack >= p->stacks.count) || thread >= p->threads.count ||
	    cause >= p->causes.count)
		return -EINVAL;
	/* every time in every format then fits a signed 64-bit number */
	if (__builtin_add_overflow(p->marks, marks, &total) ||
	    __builtin_mul_overflow(total, p->period_ns, &wall_ns) || wall_ns > INT64_MAX - 1000 ||
	    slice > INT64_MAX / p->slice_ns)
		return -EOVERFLOW;
	if (!marks)
		return 0;
	i = intern_add(&p->samples, &key);
	if (i == INTERN_NONE)
		return -ENOMEM;
	((struct profile_sample *)intern_at(&p->samples, i))->marks += marks;
	p->marks = total;
	return 0;
}

uint64_t profile_period_ns(const struct profile *p)
{
	return p->period_ns;
}

uint64_t profile_slice_ns(const struct profile *p)
{
	return p->slice_ns;
}

uint64_t profile_marks(const struct profile *p)
{
	return p->marks;
}

size_t profile_mapping_count(const struct profile *p)
{
	return p->mappings.count;
}

size_t profile_frame_count(const struct profile *p)
{
	return p->frames.count;
}

size_t profile_process_count(const struct profile *p)
{
	return p->processes.count;
}

size_t profile_thread_count(const struct profile *p)
{
	return p->threads.count;
}

size_t profile_cause_count(const struct profile *p)
{
	return p->causes.count;
}

size_t profile_stack_count(const struct profile *p)
{
	return p->stacks.count;
}

size_t profile_sample_count(const struct profile *p)
{
	return p->samples.count;
}

const struct profile_mapping *profile_mapping_at(const struct profile *p, uint32_t i)
{
	return intern_at(&p->mappings, i);
}

const struct profile_frame *profile_frame_at(const struct profile *p, uint32_t i)
{
	return intern_at(&p->frames, i);
}

const struct profile_process *profile_process_at(const struct profile *p, uint32_t i)
{
	return intern_at(&p->processes, i);
}

const struct profile_thread *profile_thread_at(const struct profile *p, uint32_t i)
{
	return intern_at(&p->threads, i);
}

const struct profile_cause *profile_cause_at(const struct profile *p, uint32_t i)
{
	return intern_at(&p->causes, i);
}

const struct profile_sample *profile_sample_at(const struct profile *p, uint32_t i)
{
	return intern_at(&p->samples, i);
}

uint32_t profile_stack_parent(const struct profile *p, uint32_t stack)
{
	return ((struct stack *)intern_at(&p->stacks, stack))->parent;
}

uint32_t profile_stack_frame(const struct profile *p, uint32_t stack)
{
	return ((struct stack *)intern_at(&p->stacks, stack))->frame;
}
