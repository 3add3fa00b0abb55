/* pprof.c - see pprof.h
 *
 *	start ──► survey: period, slice ──► frames ──► samples
 */
#include "report/pprof.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "report/gzip.h"
#include "report/pprof_reader.h"

/* What makes a profile of the samples. */
struct marks {
	uint64_t period_ns, slice_ns, times_gcd;
	int count_at, wall_at; /* among a sample's values; -1: not there */
};

/* What the samples as a whole tell: wall time of a mark, length of a slice. */
static int survey(struct pprof_reader *r, void *context)
{
	const struct pprof_sample *s = &r->sample;
	struct marks *m = context;
	uint64_t a, b, rest;

	if (!m->period_ns && m->wall_at >= 0 && s->values[m->count_at])
		m->period_ns = s->values[m->wall_at] / s->values[m->count_at];
	for (a = m->times_gcd, b = s->labels[PPROF_TIME]; b; a = b, b = rest)
		rest = a % b;
	m->times_gcd = a;
	return 0;
}

/* Leaf: the stack's first location is the cause itself, and no frame. */
static int cause_of(struct pprof_reader *r, uint32_t *ret, bool *ret_leaf)
{
	const struct pprof_sample *s = &r->sample;
	const char *word = pprof_string(r, s->labels[PPROF_CAUSE]);
	const struct profile_frame *leaf = NULL;
	_cleanup_free_ char *name = NULL;
	bool running;

	if (s->depth && r->locations.entries[s->locations[0]].n == 1)
		leaf = profile_frame_at(r->profile,
					r->frames[r->locations.entries[s->locations[0]].at]);
	if (leaf && (leaf->mapping != PROFILE_NONE || leaf->address || *leaf->name != '['))
		leaf = NULL;
	if (!*word)
		word = leaf ? leaf->name : "cpu";
	running = !strcmp(word, "cpu") || !strcmp(word, "[cpu]");
	if (running)
		word = "cpu";
	if (asprintf(&name, *word == '[' || running ? "%s" : "[%s]", word) < 0)
		return -ENOMEM;
	*ret_leaf = leaf && !strcmp(leaf->name, running ? "[cpu]" : name);
	*ret = profile_cause(r->profile, name, running);
	return *ret == PROFILE_NONE ? -ENOMEM : 0;
}

static int add_sample(struct pprof_reader *r, void *context)
{
	const struct marks *m = context;
	uint32_t thread, cause, stack;
	uint64_t marks, slice;
	bool cause_leaf;
	int err;

	err = pprof_reader_thread(r, &thread);
	if (!err)
		err = cause_of(r, &cause, &cause_leaf);
	if (!err)
		err = pprof_reader_stack(r, cause_leaf, &stack);
	if (err)
		return err;
	marks = r->sample.values[m->count_at];
	slice = r->sample.labels[PPROF_TIME] / m->slice_ns;
	if (slice >= UINT32_MAX)
		return pprof_too_large(r, "has a time that is too far");
	if (marks > INT64_MAX / m->period_ns ||
	    profile_marks(r->profile) + marks > INT64_MAX / m->period_ns)
		return pprof_too_large(r, "has more time than fits a number");
	return profile_add(r->profile, stack, thread, cause, (uint32_t)slice, marks);
}

static int make_profile(struct pprof_reader *r, struct marks *m)
{
	m->period_ns = m->period_ns ? m->period_ns : 1;
	m->slice_ns = m->slice_ns ? m->slice_ns : m->times_gcd ? m->times_gcd : 1;
	if (m->period_ns > INT64_MAX || m->slice_ns > INT64_MAX)
		return pprof_damaged(r, "has a negative period");
	r->profile = profile_new(m->period_ns, m->slice_ns);
	return r->profile ? 0 : -ENOMEM;
}

static int parse(struct pprof_reader *r, uint64_t slice_ns)
{
	struct marks m = { .slice_ns = slice_ns };
	int err = pprof_reader_start(r);

	if (err)
		return err;
	m.period_ns = r->period;
	m.count_at = pprof_reader_type(r, "samples");
	m.wall_at = pprof_reader_type(r, "wall");
	if (m.count_at < 0)
		return pprof_damaged(r, "has no sample type \"samples\"");
	err = pprof_reader_samples(r, survey, &m);
	if (!err)
		err = make_profile(r, &m);
	if (!err)
		err = pprof_reader_frames(r);
	return err ? err : pprof_reader_samples(r, add_sample, &m);
}

int pprof_parse(const void *data, size_t size, uint64_t slice_ns, struct profile **ret,
		const char **ret_cause)
{
	struct pprof_reader *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	*ret_cause = "cannot be read: no memory";
	if (!r)
		return err;
	r->data = data;
	r->size = size;
	err = parse(r, slice_ns);
	if (!err)
		*ret = take_ptr(r->profile);
	else if (err != -ENOMEM)
		*ret_cause = r->cause;
	profile_free(r->profile);
	pprof_reader_done(r);
	free(r);
	return err;
}

int pprof_inflate(const void *gz, size_t size, uint8_t **ret, size_t *ret_size,
		  const char **ret_cause)
{
	int err = gzip_inflate(gz, size, PPROF_BYTES_MAX, ret, ret_size);

	*ret_cause = err == -E2BIG    ? "is larger than is read (256 MiB inflated)"
		     : err == -ENOMEM ? "cannot be read: no memory"
				      : "is not gzip, or is cut";
	return err;
}

int pprof_read(const void *gz, size_t size, uint64_t slice_ns, struct profile **ret,
	       const char **ret_cause)
{
	_cleanup_free_ uint8_t *data = NULL;
	size_t inflated = 0;
	int err = pprof_inflate(gz, size, &data, &inflated, ret_cause);

	return err ? err : pprof_parse(data, inflated, slice_ns, ret, ret_cause);
}
