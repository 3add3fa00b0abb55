/* pprof_reader.h - the parts that every pprof file has: strings, functions, mappings, frames,
 * threads, samples. What a sample's values mean is its reader's (pprof.c, alloc_pprof.c).
 *
 *	start: strings, functions, types ──► frames: mappings, locations ──► samples, one by one
 *
 * Several walks over the message, for its parts may stand in any order. The file is hostile: sizes,
 * depths and numbers are bounded, and what is wrong is said by name.
 */
#ifndef TASKDIAG_REPORT_PPROF_READER_H
#define TASKDIAG_REPORT_PPROF_READER_H

#include "aggregate/profile.h"
#include "report/wire.h"

#define PPROF_DEPTH_MAX 8192u /* locations of a stack */
#define PPROF_VALUES_MAX 16u
#define PPROF_COMMENTS_MAX 64u /* further ones are passed over */

struct pprof_entry {
	uint64_t id;
	uint32_t at; /* of a function: its strings; of a location: its first frame */
	uint32_t n;  /* of a location: frames, innermost first */
};

struct pprof_table {
	struct pprof_entry *entries;
	size_t n, room;
};

struct pprof_function {
	uint64_t name, system_name, file, first_line;
};

/* The labels that are read; others are passed over. */
enum pprof_label {
	PPROF_PROCESS,
	PPROF_PID,
	PPROF_THREAD,
	PPROF_TID,
	PPROF_CAUSE,
	PPROF_TIME,
	PPROF_ALLOCATOR,
	PPROF_LABELS
};

struct pprof_sample {
	uint64_t values[PPROF_VALUES_MAX];
	unsigned n_values, depth;
	uint32_t locations[PPROF_DEPTH_MAX]; /* leaf first; indices of reader.locations */
	uint64_t labels[PPROF_LABELS];	     /* the number of a string, or a number; 0: none */
};

struct pprof_reader {
	const uint8_t *data;
	size_t size;
	struct profile *profile; /* where frames, stacks and threads go; the caller's */
	const char *cause;	 /* what is wrong: a constant */
	char **strings;
	size_t n_strings, string_room;
	struct pprof_function *function_data;
	size_t function_room;
	struct pprof_table functions, mappings, locations;
	uint32_t *frames;
	size_t n_frames, frame_room;
	uint64_t period, visits;
	unsigned n_types, n_comments;
	uint64_t types[PPROF_VALUES_MAX];      /* strings */
	uint64_t comments[PPROF_COMMENTS_MAX]; /* strings, not checked */
	struct pprof_seen *threads, *processes;
	struct pprof_sample sample;
	int (*each)(struct pprof_reader *r, void *context);
	void *context;
};

/** Its message is to be set, the rest zero. -EBADMSG or -E2BIG with a cause, -ENOMEM; so do all
 * below. pprof_reader_done() in every case. */
int pprof_reader_start(struct pprof_reader *r);
void pprof_reader_done(struct pprof_reader *r);

/** Mappings and frames, into r->profile. */
int pprof_reader_frames(struct pprof_reader *r);

/** Calls @each for every sample, decoded in r->sample; before pprof_reader_frames() without
 * locations. What @each returns ends the walk, unless it is 0. */
int pprof_reader_samples(struct pprof_reader *r, int (*each)(struct pprof_reader *r, void *context),
			 void *context);

/** Of the sample: its thread in r->profile; its stack, without the @skip innermost locations. */
int pprof_reader_thread(struct pprof_reader *r, uint32_t *ret);
int pprof_reader_stack(struct pprof_reader *r, unsigned skip, uint32_t *ret);

/** Where the values of a type stand in a sample; -1: nowhere. */
int pprof_reader_type(const struct pprof_reader *r, const char *type);

/** Borrowed; NULL with a cause when there is no such string. */
const char *pprof_string(struct pprof_reader *r, uint64_t i);

/* Set the cause; -EBADMSG, -E2BIG. */
int pprof_damaged(struct pprof_reader *r, const char *cause);
int pprof_too_large(struct pprof_reader *r, const char *cause);

/*
 * Between the files of the reader.
 */

typedef int pprof_field_fn(struct pprof_reader *r, const struct wire_field *f);

/** Calls @field for every field of a message. */
int pprof_walk(struct pprof_reader *r, const void *data, size_t size, pprof_field_fn *field);
/** Room for one more at *array, each of @size bytes. */
int pprof_grow(struct pprof_reader *r, void *array, size_t n, size_t *room, size_t size);
int pprof_add(struct pprof_reader *r, struct pprof_table *t, struct pprof_entry e);
int pprof_sort(struct pprof_reader *r, struct pprof_table *t);
/** NULL when there is none. */
struct pprof_entry *pprof_find(const struct pprof_table *t, uint64_t id);
/** @add for a repeated number: packed or one by one. */
int pprof_repeated(struct pprof_reader *r, const struct wire_field *f,
		   int (*add)(struct pprof_reader *r, uint64_t v));

/* profile.proto's numbers */
enum {
	PPROF_SAMPLE_TYPE = 1,
	PPROF_SAMPLE,
	PPROF_MAPPING,
	PPROF_LOCATION,
	PPROF_FUNCTION,
	PPROF_STRING,
	PPROF_PERIOD = 12,
	PPROF_COMMENT,
};

#endif
