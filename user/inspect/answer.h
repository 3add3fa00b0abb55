/* answer.h - the flat buffer of names (names.h), as it is built: header, records, strings.
 *
 * Every string is kept once. Whoever reads it is names_decode(), in answer.c as well: the format
 * has no other reader and no version.
 */
#ifndef TASKDIAG_ANSWER_H
#define TASKDIAG_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "inspect/names.h"

/* A record. Addresses go up by 0 or 1 from record to record: each has at least one. */
struct answer_name {
	uint64_t start;
	uint32_t address; /* index */
	uint32_t line;
	uint32_t name, file; /* answer_string(); 0: unknown */
	uint32_t inlined;    /* 0 or 1 */
	uint32_t pad;
};
_Static_assert(sizeof(struct answer_name) == 32, "crosses from worker to client");

/* Zero it before use. */
struct answer_builder {
	struct answer_name *names;
	size_t count, capacity;
	char *strings;
	size_t string_bytes, string_capacity;
	uint32_t *slots; /* hash of strings: their offsets */
	size_t slot_count, slots_used;
	int err; /* the first one */
};

/** Its offset; 0 for an empty string and after an error. */
uint32_t answer_string(struct answer_builder *b, const char *s);
/** Returns the first error of the builder: -ENOMEM, or -EFBIG over INSPECT_BYTES_MAX. */
int answer_add(struct answer_builder *b, const struct answer_name *name);
/** Appends the whole to @answer. */
int answer_finish(struct answer_builder *b, struct names_answer *answer);
void answer_free(struct answer_builder *b);

#endif
