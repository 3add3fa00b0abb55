/* pprof.c - see pprof.h. Several walks over the message, for its parts may stand in any order:
 *
 *	strings, functions ──► types ──► survey ──► mappings ──► locations (frames) ──► samples
 */
#include "report/pprof.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->lost = true)
#include <uthash.h>

#include "lib/cleanup.h"
#include "report/gzip.h"
#include "report/wire.h"

/* What a file may hold at most; beyond it somebody wants our memory or time. */
#define ENTRIES_MAX (4u << 20)	  /* of each table */
#define DEPTH_MAX 8192u		  /* locations of a stack */
#define VISITS_MAX (256ull << 20) /* frames of all samples */
#define STACKS_MAX (8u << 20)	  /* nodes of the tree */
#define VALUES_MAX 8u

/* profile.proto's numbers */
enum { SAMPLE_TYPE = 1, SAMPLE, MAPPING, LOCATION, FUNCTION, STRING, PERIOD = 12 };

struct text {
	const uint8_t *data;
	size_t size;
};

struct entry {
	uint64_t id;
	uint32_t at; /* of a function: its strings; of a location: its first frame */
	uint32_t n;  /* of a location: frames, innermost first */
};

struct function {
	uint64_t name, system_name, file, first_line;
};

struct table {
	struct entry *entries;
	size_t n, room;
};

struct key {
	uint64_t process, pid, thread, tid;
};

struct seen {
	struct key key;
	uint32_t number;
	bool lost; /* uthash had no memory for it */
	UT_hash_handle hh;
};

struct sample {
	uint64_t values[VALUES_MAX];
	unsigned n_values, depth;
	uint32_t locations[DEPTH_MAX]; /* leaf first; indices of reader.locations */
	struct key who;
	uint64_t cause, time_ns; /* cause: number of a string, 0 = none */
};

struct reader {
	const uint8_t *data;
	size_t size;
	struct profile *profile;
	const char *cause; /* what is wrong */
	char **strings;
	size_t n_strings, string_room;
	struct function *function_data;
	size_t function_room;
	struct table functions, mappings, locations;
	uint32_t *frames;
	size_t n_frames, frame_room;
	uint64_t period_ns, slice_ns, times_gcd, visits;
	unsigned n_types;
	int count_at, wall_at; /* among a sample's values; -1: not there */
	struct seen *threads, *processes;
	struct sample sample;
};

typedef int field_fn(struct reader *r, const struct wire_field *f);

static int damaged(struct reader *r, const char *cause)
{
	r->cause = cause;
	return -EBADMSG;
}

static int too_large(struct reader *r, const char *cause)
{
	r->cause = cause;
	return -E2BIG;
}

/* Room for one more at *array, each of @size bytes. */
static int grow(struct reader *r, void *array, size_t n, size_t *room, size_t size)
{
	size_t wanted = *room ? *room * 2 : 64;
	void *grown;

	if (n < *room)
		return 0;
	if (n >= ENTRIES_MAX)
		return too_large(r, "holds too many entries");
	grown = reallocarray(*(void **)array, wanted, size);
	if (!grown)
		return -ENOMEM;
	*(void **)array = grown;
	*room = wanted;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct entry *)a)->id, y = ((const struct entry *)b)->id;

	return x < y ? -1 : x > y;
}

static int add_entry(struct reader *r, struct table *t, struct entry e)
{
	int err = grow(r, &t->entries, t->n, &t->room, sizeof(*t->entries));

	if (!err)
		t->entries[t->n++] = e;
	return err;
}

static int sort_table(struct reader *r, struct table *t)
{
	if (t->n)
		qsort(t->entries, t->n, sizeof(*t->entries), by_id);
	for (size_t i = 0; i < t->n; i++)
		if (!t->entries[i].id || (i && t->entries[i].id == t->entries[i - 1].id))
			return damaged(r, "has an id of 0 or an id twice");
	return 0;
}

/* NULL when there is none. Ids mostly count from 1: then no search is needed. */
static struct entry *find_entry(const struct table *t, uint64_t id)
{
	struct entry wanted = { .id = id };

	if (id && id <= t->n && t->entries[id - 1].id == id)
		return &t->entries[id - 1];
	return t->n ? bsearch(&wanted, t->entries, t->n, sizeof(wanted), by_id) : NULL;
}

static const char *string_at(struct reader *r, uint64_t i)
{
	if (i < r->n_strings)
		return r->strings[i];
	damaged(r, "names a string that it does not hold");
	return NULL;
}

/* Calls @field for every field of a message. */
static int walk(struct reader *r, const void *data, size_t size, field_fn *field)
{
	struct wire_cursor c;
	struct wire_field f;
	int err;

	wire_start(&c, data, size);
	while ((err = wire_next(&c, &f)) > 0) {
		err = field(r, &f);
		if (err)
			return err;
	}
	return err ? damaged(r, "is not a pprof profile, or is cut") : 0;
}

static int add_string(struct reader *r, const struct wire_field *f)
{
	int err = grow(r, &r->strings, r->n_strings, &r->string_room, sizeof(*r->strings));

	if (err)
		return err;
	if (f->size && memchr(f->data, '\0', f->size))
		return damaged(r, "holds a string with a NUL byte");
	r->strings[r->n_strings] = strndup((const char *)f->data, f->size);
	if (!r->strings[r->n_strings])
		return -ENOMEM;
	r->n_strings++;
	return 0;
}

static int add_function(struct reader *r, const struct wire_field *f)
{
	struct entry e = { .at = (uint32_t)r->functions.n };
	struct function function = {};
	struct wire_cursor c;
	struct wire_field g;
	int err;

	wire_start(&c, f->data, f->size);
	while ((err = wire_next(&c, &g)) > 0) {
		uint64_t *const to[] = { NULL,		 &e.id,
					 &function.name, &function.system_name,
					 &function.file, &function.first_line };

		if (g.number < 6 && !g.bytes)
			*to[g.number] = g.value;
	}
	if (err)
		return damaged(r, "has a damaged function");
	err = grow(r, &r->function_data, e.at, &r->function_room, sizeof(*r->function_data));
	if (err)
		return err;
	r->function_data[e.at] = function;
	return add_entry(r, &r->functions, e);
}

static int strings_walk(struct reader *r, const struct wire_field *f)
{
	if (f->number == PERIOD && !f->bytes)
		r->period_ns = f->value;
	if (!f->bytes)
		return 0;
	if (f->number == STRING)
		return add_string(r, f);
	return f->number == FUNCTION ? add_function(r, f) : 0;
}

/* Which of a sample's values is what. */
static int add_sample_type(struct reader *r, const struct wire_field *f)
{
	struct wire_cursor c;
	struct wire_field g;
	uint64_t type = 0;
	const char *name;
	int err;

	wire_start(&c, f->data, f->size);
	while ((err = wire_next(&c, &g)) > 0)
		if (g.number == 1 && !g.bytes)
			type = g.value;
	if (err)
		return damaged(r, "has a damaged sample type");
	name = string_at(r, type);
	if (!name)
		return -EBADMSG;
	if (r->n_types == VALUES_MAX)
		return too_large(r, "has too many sample types");
	if (!strcmp(name, "samples"))
		r->count_at = (int)r->n_types;
	else if (!strcmp(name, "wall"))
		r->wall_at = (int)r->n_types;
	r->n_types++;
	return 0;
}

static int add_mapping(struct reader *r, const struct wire_field *f)
{
	uint64_t v[8] = {};
	struct profile_mapping m;
	struct wire_cursor c;
	struct wire_field g;
	const char *build_id;
	struct entry e = {};
	int err;

	wire_start(&c, f->data, f->size);
	while ((err = wire_next(&c, &g)) > 0)
		if (g.number < 8 && !g.bytes)
			v[g.number] = g.value;
	if (err)
		return damaged(r, "has a damaged mapping");
	m = (struct profile_mapping){ .path = string_at(r, v[5]),
				      .start = v[2],
				      .limit = v[3],
				      .offset = v[4],
				      .named = v[7] };
	build_id = string_at(r, v[6]);
	if (!m.path || !build_id)
		return -EBADMSG;
	m.build_id = *build_id ? build_id : NULL;
	e.id = v[1];
	e.at = profile_mapping(r->profile, &m);
	return e.at == PROFILE_NONE ? -ENOMEM : add_entry(r, &r->mappings, e);
}

static int types_walk(struct reader *r, const struct wire_field *f)
{
	return f->number == SAMPLE_TYPE && f->bytes ? add_sample_type(r, f) : 0;
}

static int mappings_walk(struct reader *r, const struct wire_field *f)
{
	return f->number == MAPPING && f->bytes ? add_mapping(r, f) : 0;
}

static int add_frame(struct reader *r, const struct profile_frame *frame)
{
	int err = grow(r, &r->frames, r->n_frames, &r->frame_room, sizeof(*r->frames));
	uint32_t number;

	if (err)
		return err;
	number = profile_frame(r->profile, frame);
	if (number == PROFILE_NONE)
		return -ENOMEM;
	r->frames[r->n_frames++] = number;
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* A location without lines: the module and the place in it. */
static int add_bare_frame(struct reader *r, struct profile_frame *frame)
{
	const struct profile_mapping *m =
	    frame->mapping == PROFILE_NONE ? NULL : profile_mapping_at(r->profile, frame->mapping);
	char name[320];

	if (m)
		snprintf(name, sizeof(name), "%.256s+0x%llx", base_name(m->path),
			 (unsigned long long)frame->address);
	else
		snprintf(name, sizeof(name), "0x%llx", (unsigned long long)frame->address);
	frame->name = name;
	return add_frame(r, frame);
}

/* The format has no word for it. Compiled code has a mapping, and no first line in our files. */
static bool is_python(const struct profile_frame *f)
{
	size_t n = f->file ? strlen(f->file) : 0;

	if (f->mapping != PROFILE_NONE || !n)
		return false;
	return f->first_line || *f->file == '<' || (n > 3 && !strcmp(f->file + n - 3, ".py"));
}

static int add_line(struct reader *r, const struct wire_field *f, struct profile_frame frame,
		    bool inlined)
{
	uint64_t v[3] = {};
	const struct function *function;
	struct wire_cursor c;
	struct wire_field g;
	struct entry *e;
	int err;

	wire_start(&c, f->data, f->size);
	while ((err = wire_next(&c, &g)) > 0)
		if (g.number < 3 && !g.bytes)
			v[g.number] = g.value;
	if (err)
		return damaged(r, "has a damaged line");
	e = find_entry(&r->functions, v[1]);
	if (!e)
		return damaged(r, "names a function that it does not hold");
	function = &r->function_data[e->at];
	frame.name = string_at(r, function->name);
	frame.system_name = string_at(r, function->system_name);
	frame.file = string_at(r, function->file);
	if (!frame.name || !frame.system_name || !frame.file)
		return -EBADMSG;
	if (!*frame.system_name || !strcmp(frame.system_name, frame.name))
		frame.system_name = NULL;
	frame.file = *frame.file ? frame.file : NULL;
	frame.line = v[2] <= INT32_MAX ? (uint32_t)v[2] : 0;
	frame.first_line = function->first_line <= INT32_MAX ? (uint32_t)function->first_line : 0;
	frame.inlined = inlined;
	frame.python = is_python(&frame);
	return add_frame(r, &frame);
}

static int add_lines(struct reader *r, const struct wire_field *f, struct profile_frame *frame,
		     unsigned lines)
{
	struct wire_cursor c;
	struct wire_field g;
	unsigned i = 0;
	int err;

	wire_start(&c, f->data, f->size);
	while ((err = wire_next(&c, &g)) > 0) {
		if (g.number != 4 || !g.bytes)
			continue;
		err = add_line(r, &g, *frame, ++i < lines);
		if (err)
			return err;
	}
	return lines ? 0 : add_bare_frame(r, frame);
}

static int add_location(struct reader *r, const struct wire_field *f)
{
	struct profile_frame frame = { .mapping = PROFILE_NONE };
	struct entry e = { .at = (uint32_t)r->n_frames }, *mapping;
	uint64_t v[4] = {};
	struct wire_cursor c;
	struct wire_field g;
	unsigned lines = 0;
	int err;

	wire_start(&c, f->data, f->size);
	while ((err = wire_next(&c, &g)) > 0) {
		if (g.number < 4 && !g.bytes)
			v[g.number] = g.value;
		lines += g.number == 4 && g.bytes;
	}
	if (err)
		return damaged(r, "has a damaged location");
	mapping = find_entry(&r->mappings, v[2]);
	if (v[2] && !mapping)
		return damaged(r, "names a mapping that it does not hold");
	if (mapping)
		frame.mapping = mapping->at;
	frame.address = v[3];
	err = add_lines(r, f, &frame, lines);
	e.id = v[1];
	e.n = (uint32_t)(r->n_frames - e.at);
	return err ? err : add_entry(r, &r->locations, e);
}

static int locations_walk(struct reader *r, const struct wire_field *f)
{
	return f->number == LOCATION && f->bytes ? add_location(r, f) : 0;
}

static int sample_value(struct reader *r, uint64_t value)
{
	struct sample *s = &r->sample;

	if (s->n_values == VALUES_MAX)
		return too_large(r, "has a sample with too many values");
	if (value > INT64_MAX)
		return damaged(r, "has a negative value");
	s->values[s->n_values++] = value;
	return 0;
}

static int sample_location(struct reader *r, uint64_t id)
{
	struct sample *s = &r->sample;
	struct entry *e = find_entry(&r->locations, id);

	if (!r->profile) /* the survey: no locations so far */
		return 0;
	if (!e)
		return damaged(r, "names a location that it does not hold");
	if (s->depth == DEPTH_MAX)
		return too_large(r, "has a stack that is too deep");
	s->locations[s->depth++] = (uint32_t)(e - r->locations.entries);
	return 0;
}

/* A repeated number: packed or one by one. */
static int repeated(struct reader *r, const struct wire_field *f,
		    int (*add)(struct reader *r, uint64_t v))
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
	return err ? damaged(r, "has a damaged sample") : 0;
}

static int sample_label(struct reader *r, const struct wire_field *f)
{
	struct sample *s = &r->sample;
	const struct {
		const char *key;
		bool text;
		uint64_t *to;
	} labels[] = {
		{ "process", true, &s->who.process }, { "pid", false, &s->who.pid },
		{ "thread", true, &s->who.thread },   { "tid", false, &s->who.tid },
		{ "cause", true, &s->cause },	      { "time", false, &s->time_ns },
	};
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
		return damaged(r, "has a damaged label");
	key = string_at(r, v[1]);
	if (!key || !string_at(r, v[2]))
		return -EBADMSG;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (!strcmp(key, labels[i].key))
			*labels[i].to = labels[i].text ? v[2] : v[3];
	return 0;
}

static int sample_field(struct reader *r, const struct wire_field *f)
{
	if (f->number == 1)
		return repeated(r, f, sample_location);
	if (f->number == 2)
		return repeated(r, f, sample_value);
	return f->number == 3 && f->bytes ? sample_label(r, f) : 0;
}

static int read_sample(struct reader *r, const struct wire_field *f)
{
	struct sample *s = &r->sample;
	int err;

	s->n_values = s->depth = 0;
	s->who = (struct key){};
	s->cause = s->time_ns = 0;
	err = walk(r, f->data, f->size, sample_field);
	if (err)
		return err;
	if (s->n_values != r->n_types)
		return damaged(r, "has a sample with more or fewer values than types");
	return s->time_ns > INT64_MAX ? damaged(r, "has a negative time") : 0;
}

/* What the samples as a whole tell: wall time of a mark, length of a slice. */
static int survey_walk(struct reader *r, const struct wire_field *f)
{
	const struct sample *s = &r->sample;
	uint64_t a, b, rest;
	int err;

	if (f->number != SAMPLE || !f->bytes)
		return 0;
	err = read_sample(r, f);
	if (err)
		return err;
	if (!r->period_ns && r->wall_at >= 0 && r->count_at >= 0 && s->values[r->count_at])
		r->period_ns = s->values[r->wall_at] / s->values[r->count_at];
	for (a = r->times_gcd, b = s->time_ns; b; a = b, b = rest)
		rest = a % b;
	r->times_gcd = a;
	return 0;
}

/* The number of @key; *ret_new is the entry when it was not known: its number is to be set. */
static int seen_find(struct seen **table, const struct key *key, uint32_t *ret,
		     struct seen **ret_new)
{
	struct seen *known;

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

static void seen_free(struct seen **table)
{
	struct seen *s, *next;

	HASH_ITER (hh, *table, s, next) {
		HASH_DEL(*table, s);
		free(s);
	}
}

static int process_of(struct reader *r, uint32_t *ret)
{
	struct key key = { .process = r->sample.who.process, .pid = r->sample.who.pid };
	struct profile_process process = { .name = string_at(r, key.process),
					   .pid = (uint32_t)key.pid };
	struct seen *made;
	int err = seen_find(&r->processes, &key, ret, &made);

	if (err || !made)
		return err;
	*ret = made->number = profile_process(r->profile, &process);
	return *ret == PROFILE_NONE ? -ENOMEM : 0;
}

static int thread_of(struct reader *r, uint32_t *ret)
{
	struct profile_thread thread = { .name = string_at(r, r->sample.who.thread),
					 .tid = (uint32_t)r->sample.who.tid };
	struct seen *made;
	int err = seen_find(&r->threads, &r->sample.who, ret, &made);

	if (err || !made)
		return err;
	err = process_of(r, &thread.process);
	if (err)
		return err;
	*ret = made->number = profile_thread(r->profile, &thread);
	return *ret == PROFILE_NONE ? -ENOMEM : 0;
}

/* Leaf: the stack's first location is the cause itself, and no frame. */
static int cause_of(struct reader *r, uint32_t *ret, bool *ret_leaf)
{
	const struct sample *s = &r->sample;
	const char *word = string_at(r, s->cause);
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

static int stack_of(struct reader *r, bool cause_leaf, uint32_t *ret)
{
	const struct sample *s = &r->sample;
	uint32_t stack = PROFILE_NO_STACK;

	for (unsigned i = s->depth; i-- > cause_leaf;) {
		const struct entry *e = &r->locations.entries[s->locations[i]];

		r->visits += e->n;
		if (r->visits > VISITS_MAX || profile_stack_count(r->profile) > STACKS_MAX)
			return too_large(r, "has too many frames in its samples");
		for (uint32_t j = e->n; j-- > 0;) {
			stack = profile_stack(r->profile, stack, r->frames[e->at + j]);
			if (stack == PROFILE_NONE)
				return -ENOMEM;
		}
	}
	*ret = stack;
	return 0;
}

static int samples_walk(struct reader *r, const struct wire_field *f)
{
	uint32_t thread, cause, stack;
	uint64_t marks, slice;
	bool cause_leaf;
	int err;

	if (f->number != SAMPLE || !f->bytes)
		return 0;
	err = read_sample(r, f);
	if (!err)
		err = thread_of(r, &thread);
	if (!err)
		err = cause_of(r, &cause, &cause_leaf);
	if (!err)
		err = stack_of(r, cause_leaf, &stack);
	if (err)
		return err;
	marks = r->sample.values[r->count_at];
	slice = r->sample.time_ns / r->slice_ns;
	if (slice >= UINT32_MAX)
		return too_large(r, "has a time that is too far");
	if (marks > INT64_MAX / r->period_ns ||
	    profile_marks(r->profile) + marks > INT64_MAX / r->period_ns)
		return too_large(r, "has more time than fits a number");
	return profile_add(r->profile, stack, thread, cause, (uint32_t)slice, marks);
}

static int check_strings(struct reader *r)
{
	if (!r->n_strings || *r->strings[0])
		return damaged(r, "is not a pprof profile: it has no string table");
	return sort_table(r, &r->functions);
}

static int check_types(struct reader *r)
{
	return r->count_at < 0 ? damaged(r, "has no sample type \"samples\"") : 0;
}

static int make_profile(struct reader *r)
{
	r->period_ns = r->period_ns ? r->period_ns : 1;
	r->slice_ns = r->slice_ns ? r->slice_ns : r->times_gcd ? r->times_gcd : 1;
	if (r->period_ns > INT64_MAX || r->slice_ns > INT64_MAX)
		return damaged(r, "has a negative period");
	r->profile = profile_new(r->period_ns, r->slice_ns);
	return r->profile ? 0 : -ENOMEM;
}

static int sort_mappings(struct reader *r)
{
	return sort_table(r, &r->mappings);
}

static int sort_locations(struct reader *r)
{
	return sort_table(r, &r->locations);
}

static int parse(struct reader *r)
{
	static const struct {
		field_fn *field;
		int (*after)(struct reader *r);
	} walks[] = {
		{ strings_walk, check_strings },    { types_walk, check_types },
		{ survey_walk, make_profile },	    { mappings_walk, sort_mappings },
		{ locations_walk, sort_locations }, { samples_walk, NULL },
	};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(walks) / sizeof(walks[0]); i++) {
		err = walk(r, r->data, r->size, walks[i].field);
		if (!err && walks[i].after)
			err = walks[i].after(r);
	}
	return err;
}

static void reader_done(struct reader *r)
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
	profile_free(r->profile);
}

int pprof_parse(const void *data, size_t size, uint64_t slice_ns, struct profile **ret,
		const char **ret_cause)
{
	struct reader *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	*ret_cause = "cannot be read: no memory";
	if (!r)
		return err;
	*r = (struct reader){
		.data = data, .size = size, .slice_ns = slice_ns, .count_at = -1, .wall_at = -1
	};
	err = parse(r);
	if (!err)
		*ret = take_ptr(r->profile);
	else if (err != -ENOMEM)
		*ret_cause = r->cause;
	reader_done(r);
	free(r);
	return err;
}

int pprof_read(const void *gz, size_t size, uint64_t slice_ns, struct profile **ret,
	       const char **ret_cause)
{
	_cleanup_free_ uint8_t *data = NULL;
	size_t inflated = 0;
	int err = gzip_inflate(gz, size, PPROF_BYTES_MAX, &data, &inflated);

	*ret_cause = err == -E2BIG    ? "is larger than is read (256 MiB inflated)"
		     : err == -ENOMEM ? "cannot be read: no memory"
				      : "is not gzip, or is cut";
	return err ? err : pprof_parse(data, inflated, slice_ns, ret, ret_cause);
}
