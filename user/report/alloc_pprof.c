/* alloc_pprof.c - see alloc_pprof.h
 *
 *	comments ──► facts; types ──► which value is what; samples ──► entries
 */
#include "report/alloc_pprof.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "report/pprof_reader.h"

#define SECONDS_MAX 9e9 /* whose nanoseconds fit 64 bits */

/* Values of a sample, and where they go in an entry. */
static const struct {
	const char *type;
	size_t to;
} columns[] = {
	{ "inuse_objects", offsetof(struct allocation_entry, peak.count) },
	{ "inuse_space", offsetof(struct allocation_entry, peak.bytes) },
	{ "leaked_objects", offsetof(struct allocation_entry, leaked.count) },
	{ "leaked_space", offsetof(struct allocation_entry, leaked.bytes) },
	{ "alloc_objects", offsetof(struct allocation_entry, allocated.count) },
	{ "alloc_space", offsetof(struct allocation_entry, allocated.bytes) },
	{ "temporary_objects", offsetof(struct allocation_entry, temporary.count) },
	{ "temporary_space", offsetof(struct allocation_entry, temporary.bytes) },
	{ "error_95", offsetof(struct allocation_entry, error_95_bytes) },
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

struct table {
	struct allocations *allocations;
	int at[COLUMNS];	/* among a sample's values */
	uint64_t sums[COLUMNS]; /* so far: all must fit a number */
};

/* The value of a comment "KEY=VALUE"; NULL when its key is another. */
static const char *value_of(const char *comment, const char *key)
{
	size_t n = strlen(key);

	return !strncmp(comment, key, n) && comment[n] == '=' ? comment + n + 1 : NULL;
}

static int read_source(struct pprof_reader *r, const char *value, struct allocations_facts *facts)
{
	facts->resident = !strcmp(value, "resident");
	if (!facts->resident && strcmp(value, "heap"))
		return pprof_damaged(r, "has a source that is not known");
	return 0;
}

static int read_comment(struct pprof_reader *r, const char *comment,
			struct allocations_facts *facts)
{
	const struct {
		const char *key;
		uint64_t *to;
	} numbers[] = {
		{ "gap_bytes", &facts->gap_bytes },
		{ "peak_bytes", &facts->peak_bytes },
		{ "peak_rss_bytes", &facts->peak_rss_bytes },
	};
	const char *value = value_of(comment, "source");
	double seconds;

	if (value)
		return read_source(r, value, facts);
	value = value_of(comment, "exact");
	if (value)
		facts->exact = !strcmp(value, "true");
	value = value_of(comment, "python");
	if (value)
		facts->python = !strcmp(value, "true");
	value = value_of(comment, "peak_s");
	seconds = value ? strtod(value, NULL) : 0;
	if (seconds > 0 && seconds < SECONDS_MAX)
		facts->peak_ns = (uint64_t)(seconds * 1e9);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		value = value_of(comment, numbers[i].key);
		if (!value)
			continue;
		*numbers[i].to = strtoull(value, NULL, 10);
		if (*numbers[i].to > INT64_MAX)
			return pprof_damaged(r, "has a negative size");
	}
	return 0;
}

static int read_facts(struct pprof_reader *r, struct allocations_facts *facts)
{
	int err = 0;

	for (unsigned i = 0; !err && i < r->n_comments; i++) {
		const char *comment = pprof_string(r, r->comments[i]);

		err = comment ? read_comment(r, comment, facts) : -EBADMSG;
	}
	return err;
}

static int find_columns(struct pprof_reader *r, struct table *t)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		t->at[i] = pprof_reader_type(r, columns[i].type);
		if (t->at[i] < 0)
			return pprof_damaged(r, "lacks one of the sample types of allocations");
	}
	return 0;
}

static int allocator_of(struct pprof_reader *r, uint32_t *ret)
{
	const char *word = pprof_string(r, r->sample.labels[PPROF_ALLOCATOR]);

	for (uint32_t i = 0; i < ALLOCATORS; i++) {
		if (!strcmp(word, allocator_name(i))) {
			*ret = i;
			return 0;
		}
	}
	return pprof_damaged(r, "has an allocator that is not known");
}

static int read_values(struct pprof_reader *r, struct table *t, struct allocation_entry *e)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		uint64_t value = r->sample.values[t->at[i]];

		if (value > INT64_MAX - t->sums[i])
			return pprof_too_large(r, "has more bytes than fit a number");
		t->sums[i] += value;
		*(uint64_t *)((char *)e + columns[i].to) = value;
	}
	return 0;
}

static int add_entry(struct pprof_reader *r, void *context)
{
	struct allocation_entry e = {};
	struct table *t = context;
	int err;

	err = pprof_reader_thread(r, &e.thread);
	if (!err)
		err = pprof_reader_stack(r, 0, &e.stack);
	if (!err)
		err = allocator_of(r, &e.allocator);
	if (!err)
		err = read_values(r, t, &e);
	return err ? err : allocations_add(t->allocations, &e);
}

static int parse(struct pprof_reader *r, struct table *t)
{
	struct allocations_facts facts = {};
	int err = pprof_reader_start(r);

	if (!err)
		err = find_columns(r, t);
	if (!err)
		err = read_facts(r, &facts);
	if (err)
		return err;
	t->allocations = allocations_new(&facts);
	if (!t->allocations)
		return -ENOMEM;
	r->profile = allocations_tree(t->allocations);
	err = pprof_reader_frames(r);
	return err ? err : pprof_reader_samples(r, add_entry, t);
}

int alloc_pprof_parse(const void *data, size_t size, struct allocations **ret,
		      const char **ret_cause)
{
	struct pprof_reader *r = calloc(1, sizeof(*r));
	struct table t = {};
	int err = -ENOMEM;

	*ret_cause = "cannot be read: no memory";
	if (!r)
		return err;
	r->data = data;
	r->size = size;
	err = parse(r, &t);
	if (!err)
		*ret = take_ptr(t.allocations);
	else if (err != -ENOMEM)
		*ret_cause = r->cause;
	allocations_free(t.allocations);
	pprof_reader_done(r);
	free(r);
	return err;
}

int alloc_pprof_read(const void *gz, size_t size, struct allocations **ret, const char **ret_cause)
{
	_cleanup_free_ uint8_t *data = NULL;
	size_t inflated = 0;
	int err = pprof_inflate(gz, size, &data, &inflated, ret_cause);

	return err ? err : alloc_pprof_parse(data, inflated, ret, ret_cause);
}
