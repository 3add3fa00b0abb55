/* profile_pprof.c - profile.pb.gz: pprof's profile.proto, gzipped (see profile_files.h)
 *
 *   samples as they come ──► the locations that they use, mappings, functions, strings ──► gzip
 *
 * A message leaves as soon as it is made; only the tables are held. Readers take the fields of a
 * message in any order, so the strings may come last.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/gzip.h"
#include "artifact/pprof_tables.h"
#include "artifact/profile_files.h"
#include "artifact/profile_samples.h"
#include "artifact/protobuf.h"
#include "lib/cleanup.h"

/* pprof itself takes some 3 KB of memory for a sample with labels. */
#define MAX_SAMPLES 500000

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
struct label_strings {
	uint64_t process, pid, thread, tid, cause, time, nanoseconds;
};

struct pprof {
	struct pprof_tables t;
	struct profile_samples samples;
	struct label_strings label;
	struct gzip gzip;
	struct protobuf top, message, part; /* one in the other */
	uint32_t ids;			    /* of locations, given so far */
	uint64_t *path;			    /* location ids of a sample */
	size_t path_room;
	int err; /* the first one; then nothing is written */
};

static void fail(struct pprof *w, int err)
{
	if (!w->err)
		w->err = err;
}

/* Writes what is in @top. */
static void flush(struct pprof *w)
{
	if (w->top.failed)
		fail(w, -ENOMEM);
	if (!w->err)
		fail(w, gzip_write(&w->gzip, w->top.data, w->top.length));
	w->top.length = 0;
}

static void put_number(struct pprof *w, enum profile_field field, uint64_t value)
{
	protobuf_number(&w->top, field, value);
	flush(w);
}

/* Writes @message as a field of the Profile, and empties it. */
static void put_message(struct pprof *w, enum profile_field field)
{
	if (w->message.failed || w->part.failed)
		fail(w, -ENOMEM);
	protobuf_bytes(&w->top, field, w->message.data, w->message.length);
	w->message.length = 0;
	flush(w);
}

/* The same for @part in @message. */
static void put_part(struct pprof *w, uint32_t field)
{
	protobuf_bytes(&w->message, field, w->part.data, w->part.length);
	w->part.length = 0;
}

static uint64_t string(struct pprof *w, const char *s)
{
	uint32_t i = pprof_string(&w->t, s);

	if (i != INTERN_NONE)
		return i;
	fail(w, -ENOMEM);
	return 0;
}

static void put_value_type(struct pprof *w, enum profile_field field, const char *type,
			   const char *unit)
{
	protobuf_number(&w->message, VALUE_TYPE, string(w, type));
	protobuf_number(&w->message, VALUE_UNIT, string(w, unit));
	put_message(w, field);
}

static void put_head(struct pprof *w, const struct profile_run *run)
{
	char slice[48];

	put_value_type(w, PROFILE_SAMPLE_TYPE, "samples", "count");
	put_value_type(w, PROFILE_SAMPLE_TYPE, "wall", "nanoseconds");
	put_value_type(w, PROFILE_SAMPLE_TYPE, "cpu", "nanoseconds");
	put_value_type(w, PROFILE_PERIOD_TYPE, "wall", "nanoseconds");
	put_number(w, PROFILE_DEFAULT_SAMPLE_TYPE, string(w, "wall"));
	put_number(w, PROFILE_PERIOD, profile_period_ns(w->t.profile));
	put_number(w, PROFILE_TIME_NANOS, run->start_utc_ns);
	put_number(w, PROFILE_DURATION_NANOS, run->duration_ns);
	put_number(w, PROFILE_COMMENT, string(w, "taskdiag-bpf " TASKDIAG_VERSION));
	snprintf(slice, sizeof(slice), "slice %" PRIu64 " ns",
		 profile_samples_slice_ns(&w->samples));
	put_number(w, PROFILE_COMMENT, string(w, slice));
	if (run->command && *run->command)
		put_number(w, PROFILE_COMMENT, string(w, run->command));
	w->label = (struct label_strings){
		.process = string(w, "process"),
		.pid = string(w, "pid"),
		.thread = string(w, "thread"),
		.tid = string(w, "tid"),
		.cause = string(w, "cause"),
		.time = string(w, "time"),
		.nanoseconds = string(w, "nanoseconds"),
	};
}

static void put_label(struct pprof *w, uint64_t key, uint64_t text, uint64_t number, uint64_t unit)
{
	protobuf_number(&w->part, LABEL_KEY, key);
	protobuf_number(&w->part, LABEL_STR, text);
	protobuf_number(&w->part, LABEL_NUM, number);
	protobuf_number(&w->part, LABEL_NUM_UNIT, unit);
	put_part(w, SAMPLE_LABEL);
}

static void put_labels(struct pprof *w, const struct profile_sample *s)
{
	const struct profile *p = w->t.profile;
	const struct profile_thread *t = profile_thread_at(p, s->thread);
	const struct pprof_thread *names = &w->t.threads[s->thread];
	const struct label_strings *label = &w->label;

	put_label(w, label->process, names->process, 0, 0);
	put_label(w, label->pid, 0, profile_process_at(p, t->process)->pid, 0);
	put_label(w, label->thread, names->thread, 0, 0);
	put_label(w, label->tid, 0, t->tid, 0);
	put_label(w, label->cause, w->t.cause_label[s->cause], 0, 0);
	put_label(w, label->time, 0, s->slice * profile_slice_ns(p), label->nanoseconds);
}

/* Appends location @number to the path of the sample. */
static void pass(struct pprof *w, size_t *length, uint32_t number)
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

static void put_sample(struct pprof *w, const struct profile_sample *s)
{
	uint64_t wall_ns = s->marks * profile_period_ns(w->t.profile);
	uint32_t cause = w->t.cause_location[s->cause];
	uint64_t values[] = { s->marks, wall_ns, cause == PROFILE_NONE ? wall_ns : 0 };
	size_t length = 0;

	if (cause != PROFILE_NONE)
		pass(w, &length, cause);
	for (uint32_t i = s->stack; i != PROFILE_NO_STACK && !w->err; i = w->t.stack_caller[i])
		pass(w, &length, w->t.stack_location[i]);
	if (!length)
		pass(w, &length, w->t.no_frames);
	protobuf_numbers(&w->message, SAMPLE_LOCATION_ID, w->path, length);
	protobuf_numbers(&w->message, SAMPLE_VALUE, values, sizeof(values) / sizeof(values[0]));
	put_labels(w, s);
	put_message(w, PROFILE_SAMPLE);
}

static void put_location(struct pprof *w, const struct pprof_location *l)
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

static void put_mapping(struct pprof *w, uint32_t i)
{
	const struct profile_mapping *m = profile_mapping_at(w->t.profile, i);

	protobuf_number(&w->message, MAPPING_ID, (uint64_t)i + 1);
	protobuf_number(&w->message, MAPPING_START, m->start);
	protobuf_number(&w->message, MAPPING_LIMIT, m->limit);
	protobuf_number(&w->message, MAPPING_OFFSET, m->offset);
	protobuf_number(&w->message, MAPPING_FILENAME, string(w, m->path));
	protobuf_number(&w->message, MAPPING_BUILD_ID, m->build_id ? string(w, m->build_id) : 0);
	protobuf_number(&w->message, MAPPING_HAS_FUNCTIONS, m->named);
	put_message(w, PROFILE_MAPPING);
}

static void put_function(struct pprof *w, uint32_t i)
{
	const struct pprof_function *f = intern_at(&w->t.functions, i);

	protobuf_number(&w->message, FUNCTION_ID, (uint64_t)i + 1);
	protobuf_number(&w->message, FUNCTION_NAME, f->name);
	protobuf_number(&w->message, FUNCTION_SYSTEM_NAME, f->system_name);
	protobuf_number(&w->message, FUNCTION_FILENAME, f->file);
	protobuf_number(&w->message, FUNCTION_START_LINE, f->first_line);
	put_message(w, PROFILE_FUNCTION);
}

static void put_tables(struct pprof *w)
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

static void put_profile(struct pprof *w, const struct profile_run *run)
{
	put_head(w, run);
	for (uint32_t i = 0; i < profile_samples_count(&w->samples) && !w->err; i++)
		put_sample(w, profile_samples_at(&w->samples, i));
	put_tables(w);
}

int profile_write_pprof(const struct profile *p, const struct profile_run *run, FILE *out)
{
	_cleanup_free_ struct pprof *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->err = pprof_tables_init(&w->t, p);
	fail(w, profile_samples_init(&w->samples, p, MAX_SAMPLES));
	if (!w->err)
		w->err = gzip_open(&w->gzip, out);
	if (!w->err) {
		put_profile(w, run);
		fail(w, gzip_close(&w->gzip));
	}
	profile_samples_clear(&w->samples);
	pprof_tables_clear(&w->t);
	protobuf_clear(&w->top);
	protobuf_clear(&w->message);
	protobuf_clear(&w->part);
	free(w->path);
	return w->err ? w->err : ferror(out) ? -EIO : 0;
}
