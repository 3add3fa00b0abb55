/* pprof_writer.c - see pprof_writer.h */
#include "artifact/pprof_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/gzip.h"
#include "artifact/protobuf.h"

/* Numbers of the fields, as in profile.proto. */
enum profile_field {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING_TABLE = 6,
	PROFILE_TIME_NANOS = 9,
	PROFILE_DURATION_NANOS = 10,
	PROFILE_PERIOD_TYPE = 11,
	PROFILE_PERIOD = 12,
	PROFILE_COMMENT = 13,
	PROFILE_DEFAULT_SAMPLE_TYPE = 14,
};
enum value_type_field { VALUE_TYPE = 1, VALUE_UNIT = 2 };
enum sample_field { SAMPLE_LOCATION_ID = 1, SAMPLE_VALUE = 2, SAMPLE_LABEL = 3 };
enum label_field { LABEL_KEY = 1, LABEL_STR = 2, LABEL_NUM = 3, LABEL_NUM_UNIT = 4 };
enum mapping_field {
	MAPPING_ID = 1,
	MAPPING_START = 2,
	MAPPING_LIMIT = 3,
	MAPPING_OFFSET = 4,
	MAPPING_FILENAME = 5,
	MAPPING_BUILD_ID = 6,
	MAPPING_HAS_FUNCTIONS = 7,
};
enum location_field {
	LOCATION_ID = 1,
	LOCATION_MAPPING_ID = 2,
	LOCATION_ADDRESS = 3,
	LOCATION_LINE = 4,
};
enum line_field { LINE_FUNCTION_ID = 1, LINE_LINE = 2 };
enum function_field {
	FUNCTION_ID = 1,
	FUNCTION_NAME = 2,
	FUNCTION_SYSTEM_NAME = 3,
	FUNCTION_FILENAME = 4,
	FUNCTION_START_LINE = 5,
};

/* Strings that every sample needs, by number. */
struct label_keys {
	uint64_t process, pid, thread, tid;
};

struct pprof_writer {
	struct pprof_tables t;
	struct label_keys key;
	struct gzip gzip;
	FILE *out;
	struct protobuf top, message, part; /* one in the other */
	uint32_t ids;			    /* of locations, given so far */
	uint64_t *path;			    /* location ids of a sample */
	size_t path_room;
	int err; /* the first one; then nothing is written */
};

static void fail(struct pprof_writer *w, int err)
{
	if (!w->err)
		w->err = err;
}

struct pprof_writer *pprof_writer_new(const struct profile *p, FILE *out)
{
	struct pprof_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->out = out;
	if (!pprof_tables_init(&w->t, p) && !gzip_open(&w->gzip, out))
		return w;
	pprof_tables_clear(&w->t);
	free(w);
	return NULL;
}

void pprof_writer_free(struct pprof_writer *w)
{
	if (!w)
		return;
	if (w->out) /* not finished */
		gzip_close(&w->gzip);
	pprof_tables_clear(&w->t);
	protobuf_clear(&w->top);
	protobuf_clear(&w->message);
	protobuf_clear(&w->part);
	free(w->path);
	free(w);
}

/* Writes what is in @top. */
static void flush(struct pprof_writer *w)
{
	if (w->top.failed)
		fail(w, -ENOMEM);
	if (!w->err)
		fail(w, gzip_write(&w->gzip, w->top.data, w->top.length));
	w->top.length = 0;
}

static void put_number(struct pprof_writer *w, enum profile_field field, uint64_t value)
{
	protobuf_number(&w->top, field, value);
	flush(w);
}

/* Writes @message as a field of the Profile, and empties it. */
static void put_message(struct pprof_writer *w, enum profile_field field)
{
	if (w->message.failed || w->part.failed)
		fail(w, -ENOMEM);
	protobuf_bytes(&w->top, field, w->message.data, w->message.length);
	w->message.length = 0;
	flush(w);
}

/* The same for @part in @message. */
static void put_part(struct pprof_writer *w, uint32_t field)
{
	protobuf_bytes(&w->message, field, w->part.data, w->part.length);
	w->part.length = 0;
}

uint64_t pprof_writer_string(struct pprof_writer *w, const char *s)
{
	uint32_t i = pprof_tables_string(&w->t, s);

	if (i != INTERN_NONE)
		return i;
	fail(w, -ENOMEM);
	return 0;
}

static void put_type(struct pprof_writer *w, enum profile_field field, const struct pprof_type *t)
{
	protobuf_number(&w->message, VALUE_TYPE, pprof_writer_string(w, t->name));
	protobuf_number(&w->message, VALUE_UNIT, pprof_writer_string(w, t->unit));
	put_message(w, field);
}

void pprof_writer_head(struct pprof_writer *w, const struct pprof_head *head)
{
	for (size_t i = 0; i < head->sample_types; i++)
		put_type(w, PROFILE_SAMPLE_TYPE, &head->samples[i]);
	put_type(w, PROFILE_PERIOD_TYPE, &head->period_type);
	put_number(w, PROFILE_DEFAULT_SAMPLE_TYPE, pprof_writer_string(w, head->shown));
	put_number(w, PROFILE_PERIOD, head->period);
	put_number(w, PROFILE_TIME_NANOS, head->start_utc_ns);
	put_number(w, PROFILE_DURATION_NANOS, head->duration_ns);
	pprof_writer_comment(w, "taskdiag-bpf " TASKDIAG_VERSION);
	w->key = (struct label_keys){
		.process = pprof_writer_string(w, "process"),
		.pid = pprof_writer_string(w, "pid"),
		.thread = pprof_writer_string(w, "thread"),
		.tid = pprof_writer_string(w, "tid"),
	};
}

void pprof_writer_comment(struct pprof_writer *w, const char *text)
{
	put_number(w, PROFILE_COMMENT, pprof_writer_string(w, text));
}

const struct pprof_tables *pprof_writer_tables(const struct pprof_writer *w)
{
	return &w->t;
}

/* Appends location @number to the path of the sample. */
static void pass(struct pprof_writer *w, size_t *length, uint32_t number)
{
	struct pprof_location *l = intern_at(&w->t.locations, number);

	if (!l->id)
		l->id = ++w->ids;
	if (*length == w->path_room) {
		size_t room = w->path_room ? w->path_room * 2 : 128;
		uint64_t *path = reallocarray(w->path, room, sizeof(*path));

		if (!path) {
			fail(w, -ENOMEM);
			return;
		}
		w->path = path;
		w->path_room = room;
	}
	w->path[(*length)++] = l->id;
}

void pprof_writer_sample(struct pprof_writer *w, uint32_t leaf, uint32_t stack,
			 const uint64_t *values, size_t count)
{
	size_t length = 0;

	if (leaf != PROFILE_NONE)
		pass(w, &length, leaf);
	for (uint32_t i = stack; i != PROFILE_NO_STACK && !w->err; i = w->t.stack_caller[i])
		pass(w, &length, w->t.stack_location[i]);
	if (!length)
		pass(w, &length, w->t.no_frames);
	protobuf_numbers(&w->message, SAMPLE_LOCATION_ID, w->path, length);
	protobuf_numbers(&w->message, SAMPLE_VALUE, values, count);
}

void pprof_writer_label(struct pprof_writer *w, uint64_t key, uint64_t text, uint64_t number,
			uint64_t unit)
{
	protobuf_number(&w->part, LABEL_KEY, key);
	protobuf_number(&w->part, LABEL_STR, text);
	protobuf_number(&w->part, LABEL_NUM, number);
	protobuf_number(&w->part, LABEL_NUM_UNIT, unit);
	put_part(w, SAMPLE_LABEL);
}

void pprof_writer_thread(struct pprof_writer *w, uint32_t thread)
{
	const struct profile *p = w->t.profile;
	const struct profile_thread *t = profile_thread_at(p, thread);
	const struct pprof_thread *names = &w->t.threads[thread];

	pprof_writer_label(w, w->key.process, names->process, 0, 0);
	pprof_writer_label(w, w->key.pid, 0, profile_process_at(p, t->process)->pid, 0);
	pprof_writer_label(w, w->key.thread, names->thread, 0, 0);
	pprof_writer_label(w, w->key.tid, 0, t->tid, 0);
}

void pprof_writer_end(struct pprof_writer *w)
{
	put_message(w, PROFILE_SAMPLE);
}

static void put_location(struct pprof_writer *w, const struct pprof_location *l)
{
	protobuf_number(&w->message, LOCATION_ID, l->id);
	protobuf_number(&w->message, LOCATION_MAPPING_ID,
			l->mapping == PROFILE_NONE ? 0 : (uint64_t)l->mapping + 1);
	protobuf_number(&w->message, LOCATION_ADDRESS, l->address);
	for (;; l = intern_at(&w->t.locations, l->caller)) {
		protobuf_number(&w->part, LINE_FUNCTION_ID, (uint64_t)l->function + 1);
		protobuf_number(&w->part, LINE_LINE, l->line);
		put_part(w, LOCATION_LINE);
		if (l->caller == PROFILE_NONE)
			break;
	}
	put_message(w, PROFILE_LOCATION);
}

static void put_mapping(struct pprof_writer *w, uint32_t i)
{
	const struct profile_mapping *m = profile_mapping_at(w->t.profile, i);

	protobuf_number(&w->message, MAPPING_ID, (uint64_t)i + 1);
	protobuf_number(&w->message, MAPPING_START, m->start);
	protobuf_number(&w->message, MAPPING_LIMIT, m->limit);
	protobuf_number(&w->message, MAPPING_OFFSET, m->offset);
	protobuf_number(&w->message, MAPPING_FILENAME, pprof_writer_string(w, m->path));
	protobuf_number(&w->message, MAPPING_BUILD_ID,
			m->build_id ? pprof_writer_string(w, m->build_id) : 0);
	protobuf_number(&w->message, MAPPING_HAS_FUNCTIONS, m->named);
	put_message(w, PROFILE_MAPPING);
}

static void put_function(struct pprof_writer *w, uint32_t i)
{
	const struct pprof_function *f = intern_at(&w->t.functions, i);

	protobuf_number(&w->message, FUNCTION_ID, (uint64_t)i + 1);
	protobuf_number(&w->message, FUNCTION_NAME, f->name);
	protobuf_number(&w->message, FUNCTION_SYSTEM_NAME, f->system_name);
	protobuf_number(&w->message, FUNCTION_FILENAME, f->file);
	protobuf_number(&w->message, FUNCTION_START_LINE, f->first_line);
	put_message(w, PROFILE_FUNCTION);
}

static void put_tables(struct pprof_writer *w)
{
	const struct pprof_tables *t = &w->t;

	for (uint32_t i = 0; i < t->locations.count && !w->err; i++) {
		const struct pprof_location *l = intern_at(&t->locations, i);

		if (l->id)
			put_location(w, l);
	}
	for (uint32_t i = 0; i < profile_mapping_count(t->profile) && !w->err; i++)
		put_mapping(w, i);
	for (uint32_t i = 0; i < t->functions.count && !w->err; i++)
		put_function(w, i);
	for (uint32_t i = 0; i < strings_count(&t->strings) && !w->err; i++) {
		const char *s = strings_at(&t->strings, i);

		protobuf_bytes(&w->top, PROFILE_STRING_TABLE, s, strlen(s));
		flush(w);
	}
}

int pprof_writer_finish(struct pprof_writer *w)
{
	put_tables(w);
	fail(w, gzip_close(&w->gzip));
	fail(w, ferror(w->out) ? -EIO : 0);
	w->out = NULL;
	return w->err;
}
