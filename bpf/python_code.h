/* python_code.h - reads the code object that a walk has met into a record: names, file, line table.
 * Compiled into BPF programs and into user space. */
#ifndef TASKDIAG_PYTHON_CODE_STEP_H
#define TASKDIAG_PYTHON_CODE_STEP_H

#include "python_step.h"

#define PYTHON_BYTES_SIZE 16 /* PyBytesObject.ob_size, and where its bytes begin */
#define PYTHON_BYTES_DATA 32
#define PYTHON_PAGE_BYTES 4096u

struct code_record {
	struct code_event event;
	__u8 lines[PYTHON_LINES_BYTES];
};

/* As much of an object as there is: behind its end may be a page that is not there. */
static __always_inline __u16 python_object(struct unwind_state *s, void *to, __u32 most, __u64 at)
{
	__u32 page = PYTHON_PAGE_BYTES - (at & (PYTHON_PAGE_BYTES - 1));

	if (!unwind_read(s, to, most, at))
		return most;
	if (page < most && !unwind_read(s, to, page, at))
		return page;
	return 0;
}

/* The line table, up to PYTHON_LINES_BYTES of it. */
static __always_inline void python_lines(struct unwind_state *s, struct code_record *r)
{
	struct code_event *e = &r->event;
	__u64 size = 0;
	__u32 bytes;

	e->flags |= PYTHON_LINES_UNREAD;
	if (python_word(s, e->lines + PYTHON_BYTES_SIZE, &size) || size >> 32)
		return;
	e->lines_size = size;
	bytes = size > PYTHON_LINES_BYTES ? PYTHON_LINES_BYTES : size;
	if (bytes && unwind_read(s, r->lines, bytes, e->lines + PYTHON_BYTES_DATA))
		return;
	e->lines_bytes = bytes;
	e->flags &= ~PYTHON_LINES_UNREAD;
	if (size > PYTHON_LINES_BYTES)
		e->flags |= PYTHON_LINES_CUT;
}

/* Fills all but the header. Returns the bytes of the record. */
static __always_inline __u64 python_code_read(struct unwind_state *s,
					      const struct python_layout *layout,
					      struct code_record *r)
{
	struct code_event *e = &r->event;

	e->id = s->python.code_id;
	e->code = s->python.code_at;
	e->check = s->python.check;
	e->lines = code_word(s, layout->code_lines);
	e->serial = layout->serial;
	e->first_line = code_word(s, layout->code_first_line);
	e->minor = layout->minor;
	e->flags = 0;
	e->lines_bytes = 0;
	e->lines_size = 0;
	__builtin_memset(e->pad, 0, sizeof(e->pad));
	e->name_bytes = python_object(s, e->name, sizeof(e->name), code_word(s, layout->code_name));
	e->file_bytes = python_object(s, e->file, sizeof(e->file), code_word(s, layout->code_file));
	if (!e->name_bytes)
		e->flags |= PYTHON_NAME_UNREAD;
	if (!e->file_bytes)
		e->flags |= PYTHON_FILE_UNREAD;
	python_lines(s, r);
	return sizeof(*e) + e->lines_bytes;
}

#endif
