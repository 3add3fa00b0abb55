/* python_codes.h - the code objects of a run by their id: Python frames → function, file and line.
 *
 * Read by the walk that met them first, so they outlive the task; only what a record had no room
 * for is asked of the task's memory. Bounded: beyond CODES_MAX they are "[python code gone]",
 * counted.
 */
#ifndef TASKDIAG_PYTHON_CODES_H
#define TASKDIAG_PYTHON_CODES_H

#include <stddef.h>
#include <stdint.h>

#include "aggregate/profile.h"
#include "bpf/python.h"

#define CODES_MAX (1u << 20)

struct python_codes;
struct unwinder;

struct python_codes *python_codes_new(void); /* NULL: no memory */
void python_codes_free(struct python_codes *c);

/** A record of @bytes. @unwinder: for the rest of a long line table; NULL: do without. 0, -EBADMSG,
 * -ENOSPC, -ENOMEM. */
int python_codes_add(struct python_codes *c, const struct code_event *e, size_t bytes,
		     struct unwinder *unwinder);

/** What a frame with FRAME_PYTHON shows; its strings are ours. One that is not known is counted. */
void python_codes_frame(struct python_codes *c, uint64_t frame, struct profile_frame *ret);

struct python_codes_stats {
	uint64_t codes;
	uint64_t gone;	    /* frames without a name: see python_codes_frame() */
	uint64_t nameless;  /* codes whose name could not be read */
	uint64_t lineless;  /* codes whose line table could not be read, or not all of it */
	uint64_t ambiguous; /* codes that share an id: shown as gone */
	uint64_t malformed;
};
void python_codes_stats(const struct python_codes *c, struct python_codes_stats *ret);

#endif
