/* pprof_samples.c - samples of a pprof message: values, labels, threads, stacks (see
 * pprof_reader.h) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->lost = true)
#include <uthash.h>

#include "report/pprof_reader.h"

#define VISITS_MAX (256ull << 20) /* frames of all samples */
#define STACKS_MAX (8u << 20)	  /* nodes of the tree */

static const struct {
	const char *key;
	bool text;
} labels[PPROF_LABELS] = {
	[PPROF_PROCESS] = { "process", true },	   [PPROF_PID] = { "pid", false },
	[PPROF_THREAD] = { "thread", true },	   [PPROF_TID] = { "tid", false },
	[PPROF_CAUSE] = { "cause", true },	   [PPROF_TIME] = { "time", false },
	[PPROF_ALLOCATOR] = { "allocator", true },
};

/* Who a sample is of: the labels up to PPROF_TID; of a process those up to PPROF_PID. */
struct key {
	uint64_t labels[PPROF_TID + 1];
};

struct pprof_seen {
	struct key key;
	uint32_t number;
	bool lost; /* uthash had no memory for it */
	UT_hash_handle hh;
};

static int sample_value(struct pprof_reader *r, uint64_t value)
{
	struct pprof_sample *s = &r->sample;

	if (s->n_values == PPROF_VALUES_MAX)
		return pprof_too_large(r, "has a sample with too many values");
	if (value > INT64_MAX)
		return pprof_damaged(r, "has a negative value");
	s->values[s->n_values++] = value;
	return 0;
}

static int sample_location(struct pprof_reader *r, uint64_t id)
{
	struct pprof_sample *s = &r->sample;
	struct pprof_entry *e = pprof_find(&r->locations, id);

	if (!r->profile) /* there are no locations so far */
		return 0;
	if (!e)
		return pprof_damaged(r, "names a location that it does not hold");
	if (s->depth == PPROF_DEPTH_MAX)
		return pprof_too_large(r, "has a stack that is too deep");
	s->locations[s->depth++] = (uint32_t)(e - r->locations.entries);
	return 0;
}

int pprof_repeated(struct pprof_reader *r, const struct wire_field *f,
		   int (*add)(struct pprof_reader *r, uint64_t v))
{
	struct wire_cursor c;
	uint64_t v;
	int err;

	if (!f->bytes)
		return add(r, f->value);
	wire_start(&c, f->data, f->size);
	while ((err = wire_varint(&c, &v)) > 0) {
		err = add(r, v);
		if (err)
			return err;
	}
	return err ? pprof_damaged(r, "has a damaged sample") : 0;
}

static int sample_label(struct pprof_reader *r, const struct wire_field *f)
{
	uint64_t v[4] = {};
	struct wire_cursor c;
	struct wire_field g;
	const char *key;
	int err;

	wire_start(&c, f->data, f->size);
	while ((err = wire_next(&c, &g)) > 0)
		if (g.number < 4 && !g.bytes)
			v[g.number] = g.value;
	if (err)
		return pprof_damaged(r, "has a damaged label");
	key = pprof_string(r, v[1]);
	if (!key || !pprof_string(r, v[2]))
		return -EBADMSG;
	for (size_t i = 0; i < PPROF_LABELS; i++)
		if (!strcmp(key, labels[i].key))
			r->sample.labels[i] = labels[i].text ? v[2] : v[3];
	return 0;
}

static int sample_field(struct pprof_reader *r, const struct wire_field *f)
{
	if (f->number == 1)
		return pprof_repeated(r, f, sample_location);
	if (f->number == 2)
		return pprof_repeated(r, f, sample_value);
	return f->number == 3 && f->bytes ? sample_label(r, f) : 0;
}

static int samples_walk(struct pprof_reader *r, const struct wire_field *f)
{
	struct pprof_sample *s = &r->sample;
	int err;

	if (f->number != PPROF_SAMPLE || !f->bytes)
		return 0;
	s->n_values = s->depth = 0;
	memset(s->labels, 0, sizeof(s->labels));
	err = pprof_walk(r, f->data, f->size, sample_field);
	if (err)
		return err;
	if (s->n_values != r->n_types)
		return pprof_damaged(r, "has a sample with more or fewer values than types");
	if (s->labels[PPROF_TIME] > INT64_MAX)
		return pprof_damaged(r, "has a negative time");
	return r->each(r, r->context);
}

int pprof_reader_samples(struct pprof_reader *r, int (*each)(struct pprof_reader *r, void *context),
			 void *context)
{
	r->each = each;
	r->context = context;
	return pprof_walk(r, r->data, r->size, samples_walk);
}

/* The number of @key; *ret_new is the entry when it was not known: its number is to be set. */
static int seen_find(struct pprof_seen **table, const struct key *key, uint32_t *ret,
		     struct pprof_seen **ret_new)
{
	struct pprof_seen *known;

	*ret_new = NULL;
	HASH_FIND(hh, *table, key, sizeof(*key), known);
	if (known) {
		*ret = known->number;
		return 0;
	}
	known = calloc(1, sizeof(*known));
	if (!known)
		return -ENOMEM;
	known->key = *key;
	HASH_ADD(hh, *table, key, sizeof(known->key), known);
	if (known->lost) {
		free(known);
		return -ENOMEM;
	}
	*ret_new = known;
	return 0;
}

static void seen_free(struct pprof_seen **table)
{
	struct pprof_seen *s, *next;

	HASH_ITER (hh, *table, s, next) {
		HASH_DEL(*table, s);
		free(s);
	}
}

static struct key key_of(const struct pprof_reader *r, enum pprof_label last)
{
	struct key key = {};

	for (unsigned i = 0; i <= last; i++)
		key.labels[i] = r->sample.labels[i];
	return key;
}

static int process_of(struct pprof_reader *r, uint32_t *ret)
{
	struct key key = key_of(r, PPROF_PID);
	struct profile_process process = { .name = pprof_string(r, key.labels[PPROF_PROCESS]),
					   .pid = (uint32_t)key.labels[PPROF_PID] };
	struct pprof_seen *made;
	int err = seen_find(&r->processes, &key, ret, &made);

	if (err || !made)
		return err;
	*ret = made->number = profile_process(r->profile, &process);
	return *ret == PROFILE_NONE ? -ENOMEM : 0;
}

int pprof_reader_thread(struct pprof_reader *r, uint32_t *ret)
{
	struct key key = key_of(r, PPROF_TID);
	struct profile_thread thread = { .name = pprof_string(r, key.labels[PPROF_THREAD]),
					 .tid = (uint32_t)key.labels[PPROF_TID] };
	struct pprof_seen *made;
	int err = seen_find(&r->threads, &key, ret, &made);

	if (err || !made)
		return err;
	err = process_of(r, &thread.process);
	if (err)
		return err;
	*ret = made->number = profile_thread(r->profile, &thread);
	return *ret == PROFILE_NONE ? -ENOMEM : 0;
}

int pprof_reader_stack(struct pprof_reader *r, unsigned skip, uint32_t *ret)
{
	const struct pprof_sample *s = &r->sample;
	uint32_t stack = PROFILE_NO_STACK;

	for (unsigned i = s->depth; i-- > skip;) {
		const struct pprof_entry *e = &r->locations.entries[s->locations[i]];

		r->visits += e->n;
		if (r->visits > VISITS_MAX || profile_stack_count(r->profile) > STACKS_MAX)
			return pprof_too_large(r, "has too many frames in its samples");
		for (uint32_t j = e->n; j-- > 0;) {
			stack = profile_stack(r->profile, stack, r->frames[e->at + j]);
			if (stack == PROFILE_NONE)
				return -ENOMEM;
		}
	}
	*ret = stack;
	return 0;
}

void pprof_reader_done(struct pprof_reader *r)
{
	for (size_t i = 0; i < r->n_strings; i++)
		free(r->strings[i]);
	free(r->strings);
	free(r->function_data);
	free(r->functions.entries);
	free(r->mappings.entries);
	free(r->locations.entries);
	free(r->frames);
	seen_free(&r->threads);
	seen_free(&r->processes);
}
