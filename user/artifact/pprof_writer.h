/* pprof_writer.h - writes pprof's profile.proto, gzipped, whatever its samples count.
 *
 *   head, samples as they come ──► the locations that they use, mappings, functions, strings ──►
 * gzip
 *
 * A message leaves as soon as it is made; only the tables are held. Readers take the fields of a
 * message in any order, so the strings may come last. The first error stays: nothing is written
 * after it, and pprof_writer_finish() tells it.
 */
#ifndef TASKDIAG_PPROF_WRITER_H
#define TASKDIAG_PPROF_WRITER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "artifact/pprof_tables.h"

struct pprof_writer;

struct pprof_type {
	const char *name, *unit;
};

struct pprof_head {
	const struct pprof_type *samples; /* what the values of a sample are, in this order */
	size_t sample_types;
	const char *shown; /* the one that a reader begins with */
	struct pprof_type period_type;
	uint64_t period, start_utc_ns, duration_ns;
};

/** @p must not change before pprof_writer_free(). NULL: no memory. */
struct pprof_writer *pprof_writer_new(const struct profile *p, FILE *out);
void pprof_writer_free(struct pprof_writer *w); /* NULL is fine */

/** First of all. */
void pprof_writer_head(struct pprof_writer *w, const struct pprof_head *head);
/** Made safe; the first comment is the version of this program, written by the head. */
void pprof_writer_comment(struct pprof_writer *w, const char *text);

/** Names, and the locations of stacks and causes. */
const struct pprof_tables *pprof_writer_tables(const struct pprof_writer *w);
/** The number of a string, made safe; 0 after an error. */
uint64_t pprof_writer_string(struct pprof_writer *w, const char *s);

/* A sample is begun with its stack and its values, then gets its labels, then is ended. */

/** @leaf: a location below @stack; PROFILE_NONE: none. Without both it is PROFILE_NO_FRAMES. */
void pprof_writer_sample(struct pprof_writer *w, uint32_t leaf, uint32_t stack,
			 const uint64_t *values, size_t count);
/** process, pid, thread and tid. */
void pprof_writer_thread(struct pprof_writer *w, uint32_t thread);
/** @key, @text, @unit: numbers of strings; 0: none. */
void pprof_writer_label(struct pprof_writer *w, uint64_t key, uint64_t text, uint64_t number,
			uint64_t unit);
void pprof_writer_end(struct pprof_writer *w);

/** Writes the tables and ends the file. 0, -ENOMEM, -EIO. Called once. */
int pprof_writer_finish(struct pprof_writer *w);

#endif
