/* profile_speedscope.c - profile.speedscope.json: one profile per thread, in the order of time (see
 * profile_files.h) */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "artifact/profile_files.h"
#include "artifact/profile_samples.h"
#include "artifact/speedscope.h"
#include "lib/cleanup.h"

#define MAX_SAMPLES 2000000

struct entry {
	uint32_t thread, slice, number, node;
	uint64_t marks;
};

struct entries {
	struct entry *list;
	size_t count;
};

static int by_thread_and_time(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->thread != y->thread)
		return x->thread > y->thread ? 1 : -1;
	if (x->slice != y->slice)
		return x->slice > y->slice ? 1 : -1;
	return (x->number > y->number) - (x->number < y->number);
}

/* How many samples may be written, judged by their mean depth. 0: no memory. */
static size_t limit_of(struct profile_walk *w)
{
	size_t count = profile_sample_count(w->profile), frames = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t node = profile_walk_leaf(w, profile_sample_at(w->profile, i));

		if (node == INTERN_NONE)
			return 0;
		frames += profile_walk_depth(w, node);
	}
	if (frames <= SPEEDSCOPE_MAX_FRAMES)
		return MAX_SAMPLES;
	count = SPEEDSCOPE_MAX_FRAMES / (frames / count);
	return count > MAX_SAMPLES ? MAX_SAMPLES : count < 1 ? 1 : count;
}

static int take_entries(struct profile_walk *w, const struct profile_samples *samples,
			struct entries *ret)
{
	size_t count = profile_samples_count(samples);

	ret->list = calloc(count + 1, sizeof(*ret->list));
	if (!ret->list)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		const struct profile_sample *s = profile_samples_at(samples, i);
		uint32_t node = profile_walk_leaf(w, s);

		if (node == INTERN_NONE)
			return -ENOMEM;
		ret->list[i] = (struct entry){
			.thread = s->thread,
			.slice = s->slice,
			.number = i,
			.node = node,
			.marks = s->marks,
		};
	}
	ret->count = count;
	qsort(ret->list, count, sizeof(*ret->list), by_thread_and_time);
	return 0;
}

static int take_samples(struct profile_walk *w, struct entries *ret)
{
	struct profile_samples samples;
	size_t limit = limit_of(w);
	int err;

	if (!limit)
		return -ENOMEM;
	err = profile_samples_init(&samples, w->profile, limit);
	if (!err)
		err = take_entries(w, &samples, ret);
	profile_samples_clear(&samples);
	return err;
}

/* A new string; NULL without memory. */
static char *name_of(const struct profile *p, uint32_t thread)
{
	const struct profile_thread *t = profile_thread_at(p, thread);
	const struct profile_process *x = profile_process_at(p, t->process);
	_cleanup_free_ char *process = profile_name_with_id(x->name, x->pid);
	_cleanup_free_ char *name = profile_name_with_id(t->name, t->tid);
	char *both;

	if (!process || !name || asprintf(&both, "%s / %s", process, name) < 0)
		return NULL;
	return both;
}

/* @e: all of one thread. */
static int write_thread(struct profile_walk *w, const struct entry *e, size_t count, FILE *out)
{
	_cleanup_free_ char *name = name_of(w->profile, e->thread);
	uint64_t period_ns = profile_period_ns(w->profile), marks = 0;

	if (!name)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		marks += e[i].marks;
	speedscope_begin(name, "nanoseconds", marks * period_ns, out);
	for (size_t i = 0; i < count; i++)
		if (speedscope_sample(w, i, INTERN_NONE, e[i].node, out))
			return -ENOMEM;
	speedscope_weights(out);
	for (size_t i = 0; i < count; i++)
		speedscope_weight(i, e[i].marks * period_ns, out);
	speedscope_end(out);
	return 0;
}

static int write_threads(struct profile_walk *w, const struct entries *entries, FILE *out)
{
	size_t next;

	for (size_t i = 0; i < entries->count; i = next) {
		const struct entry *e = &entries->list[i];
		int err;

		for (next = i + 1; next < entries->count; next++)
			if (entries->list[next].thread != e->thread)
				break;
		if (i)
			fputs(",\n", out);
		err = write_thread(w, e, next - i, out);
		if (err)
			return err;
	}
	if (!entries->count) { /* its reader takes a file without any profile for a broken one */
		speedscope_begin("empty", "nanoseconds", 0, out);
		speedscope_weights(out);
		speedscope_end(out);
	}
	speedscope_tail(out);
	return 0;
}

int profile_write_speedscope(const struct profile *p, const struct profile_run *run, FILE *out)
{
	struct entries entries = { 0 };
	struct profile_walk w;
	int err = profile_walk_init(&w, p, speedscope_show);

	if (!err)
		err = take_samples(&w, &entries);
	if (!err)
		err = speedscope_head(&w, run->command, out);
	if (!err)
		err = write_threads(&w, &entries, out);
	free(entries.list);
	profile_walk_clear(&w);
	return err ? err : ferror(out) ? -EIO : 0;
}
