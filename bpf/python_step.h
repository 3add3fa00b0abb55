/* python_step.h - CPython frames within a stack walk: one frame at a time, where the native walk
 *comes upon the interpreter. Compiled into BPF programs and into user space, as unwind_step.h is.
 *
 *   native frame in the evaluation loop ──► its Python frames, up to the entry mark ──► that frame
 *
 * Who includes it defines, besides what unwind_step.h wants:
 *
 *	static const struct python_layout *python_layout_at(struct unwind_state *s, __u32 i)
 *		layout number @i; NULL: out of range
 *	static void python_count(struct unwind_state *s, const struct python_layout *layout,
 *				 __u32 which)
 *		adds 1 to enum python_count @which
 *	static void python_met(struct unwind_state *s, const struct python_layout *layout)
 *		a frame of code s->python.code_id was found; s->python.code has the object
 */
#ifndef TASKDIAG_PYTHON_STEP_H
#define TASKDIAG_PYTHON_STEP_H

#include "python.h"
#include "unwind_step.h"

/* glibc on x86-64: struct pthread.specific_1stblock, of 32 pairs of sequence number and value. The
 * thread pointer is the struct's address (nptl/descr.h). musl is refused by user/python/. */
#define PTHREAD_SPECIFIC 784
#define PTHREAD_SPECIFIC_KEYS 32

static const struct python_layout *python_layout_at(struct unwind_state *s, __u32 i);
static void python_count(struct unwind_state *s, const struct python_layout *layout, __u32 which);
static void python_met(struct unwind_state *s, const struct python_layout *layout);

static __always_inline long python_word(struct unwind_state *s, __u64 address, __u64 *ret)
{
	*ret = 0;
	return unwind_read(s, ret, sizeof(*ret), address);
}

/* What leads to all else: always there, and so looked at first. */
static __always_inline void python_note_root(struct unwind_state *s, __u64 address, __u64 word)
{
	unwind_note(s, address, word);
	s->note_roots = s->note_count;
}

/* The PyThreadState that has the GIL, if it is of this thread: up to 3.11 the TSS slot keeps the
 * thread's first one, while a sub-interpreter runs in another. */
static __always_inline int python_holder(struct unwind_state *s, const struct python_layout *layout,
					 __u64 thread_pointer, __u64 *ret)
{
	__u64 holder, id;

	if (!layout->tss_holder || python_word(s, layout->runtime + layout->tss_holder, &holder) ||
	    !holder || python_word(s, holder + layout->thread_id, &id) || id != thread_pointer)
		return 0;
	python_note_root(s, layout->runtime + layout->tss_holder, holder);
	unwind_note(s, holder + layout->thread_id, id);
	*ret = holder;
	return 1;
}

/* The PyThreadState of the thread: by its TSS slot, which stands while the GIL is released. */
static __always_inline int python_state(struct unwind_state *s, const struct python_layout *layout,
					__u64 thread_pointer, __u64 *ret)
{
	__u32 key = PTHREAD_SPECIFIC_KEYS;
	__u64 at, id;

	if (python_holder(s, layout, thread_pointer, ret))
		return PYTHON_WALKS;
	/* while libraries are still being loaded nobody has touched the page of the key */
	if (unwind_read(s, &key, sizeof(key), layout->runtime + layout->tss_key) ||
	    key >= PTHREAD_SPECIFIC_KEYS)
		return PYTHON_NO_STATE;
	at = thread_pointer + PTHREAD_SPECIFIC + key * 16 + 8;
	if (python_word(s, at, ret))
		return PYTHON_NO_STATE;
	python_note_root(s, at, *ret);
	if (!*ret)
		return PYTHON_NO_STATE;
	if (python_word(s, *ret + layout->thread_id, &id))
		return PYTHON_NOT_READABLE;
	unwind_note(s, *ret + layout->thread_id, id);
	return id == thread_pointer ? PYTHON_WALKS : PYTHON_NOT_ITS_OWN;
}

/* The frame that a PyThreadState runs; 0: none. */
static __always_inline int
python_current(struct unwind_state *s, const struct python_layout *layout, __u64 state, __u64 *ret)
{
	__u64 at = state + layout->thread_frame, found;

	if (python_word(s, at, &found))
		return PYTHON_NOT_READABLE;
	unwind_note(s, at, found);
	if (found && layout->thread_indirect) {
		at = found + layout->cframe_frame;
		if (python_word(s, at, &found))
			return PYTHON_NOT_READABLE;
		unwind_note(s, at, found);
	}
	*ret = found;
	return PYTHON_WALKS;
}

/* Finds the innermost frame of the thread. To be called after unwind_begin(). @layout_number: 0:
 * the process has no interpreter. */
static __always_inline void python_begin(struct unwind_state *s, __u32 layout_number,
					 __u64 thread_pointer)
{
	const struct python_layout *layout;
	__u64 state = 0, frame = 0;
	int found;

	s->python.layout = 0;
	s->python.frame = 0;
	s->python.told = 0;
	s->python.alone = 0;
	if (!layout_number)
		return;
	layout = python_layout_at(s, layout_number);
	if (!layout || !layout->serial)
		return;
	found = python_state(s, layout, thread_pointer, &state);
	if (found == PYTHON_WALKS)
		found = python_current(s, layout, state, &frame);
	python_count(s, layout, PYTHON_WALKS);
	if (found != PYTHON_WALKS) {
		if (found != PYTHON_NO_STATE)
			unwind_note_refuse(s);
		python_count(s, layout, found);
		return;
	}
	s->python.layout = layout_number;
	s->python.frame = frame;
}

/* Is the current native frame one that runs Python frames, not told yet? */
static __always_inline int python_is_here(struct unwind_state *s,
					  const struct python_layout *layout)
{
	__u64 look = s->pc - 1 + s->exact, within = 0;

	if (s->python.alone)
		return 1;
	if (s->python.told)
		return 0;
#pragma unroll
	for (int i = 0; i < PYTHON_EVAL_MAX; i++)
		within |= ~UNWIND_BELOW(look, layout->eval[i].start) &
			  UNWIND_BELOW(look, layout->eval[i].end);
	/* called, but its frame is still the caller's */
	if (s->exact && look >= layout->eval[0].start && look < layout->eval_linked)
		return 0;
	return within != 0;
}

static __always_inline __u64 frame_word(const struct unwind_state *s, __u32 offset)
{
	return s->python.words[(offset >> 3) & (PYTHON_FRAME_BYTES_MAX / 8 - 1)] >>
	       (offset & 7) * 8;
}

static __always_inline __u64 code_word(const struct unwind_state *s, __u32 offset)
{
	__u32 i = offset >> 3;

	return i < PYTHON_CODE_BYTES / 8 ? s->python.code[i] >> (offset & 7) * 8 : 0;
}

static __always_inline __u32 python_instruction(const struct unwind_state *s,
						const struct python_layout *layout, __u64 code)
{
	__u64 word = frame_word(s, layout->frame_instruction), units;

	if (layout->instruction == PYTHON_INSTRUCTION_POINTER)
		units = (word - code - layout->code_bytecode) >> 1;
	else if (layout->instruction == PYTHON_INSTRUCTION_UNITS)
		units = (__u32)word;
	else
		units = (__u32)word >> 1; /* -1 before the first one: becomes unknown */
	return units < FRAME_NO_INSTRUCTION ? units : FRAME_NO_INSTRUCTION;
}

static __always_inline __u64 python_mix(__u64 h, __u64 x)
{
	h = (h ^ x) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 29;
}

/* Length and hash of a unicode object: pointers alone would not do, freed memory is used again in
 * the same order. */
static __always_inline __u64 python_text(struct unwind_state *s, __u64 h, __u64 object)
{
	__u64 head[2] = {};

	unwind_read(s, head, sizeof(head), object + 16);
	return python_mix(python_mix(h, head[0]), head[1]);
}

static __always_inline void python_note_code(struct unwind_state *s, __u64 code, __u32 offset)
{
	unwind_note(s, code + (offset & ~7U), code_word(s, offset & ~7U));
}

static __always_inline void python_note_text(struct unwind_state *s, __u64 object)
{
	__u64 head[2] = {};

	unwind_read(s, head, sizeof(head), object + 16);
	unwind_note(s, object + 16, head[0]);
	unwind_note(s, object + 24, head[1]);
}

/* All that python_check() looks at, for a memo. */
static __always_inline void python_note_check(struct unwind_state *s,
					      const struct python_layout *layout, __u64 code)
{
	python_note_code(s, code, layout->code_name);
	python_note_code(s, code, layout->code_file);
	python_note_code(s, code, layout->code_lines);
	python_note_code(s, code, layout->code_first_line);
	python_note_code(s, code, layout->code_flags);
	if (layout->code_version) {
		python_note_code(s, code, layout->code_version);
		return;
	}
	python_note_text(s, code_word(s, layout->code_name));
	python_note_text(s, code_word(s, layout->code_file));
}

/* What tells a code object from another one that was at the same address. */
static __always_inline __u64 python_check(struct unwind_state *s,
					  const struct python_layout *layout, __u64 code)
{
	__u64 name = code_word(s, layout->code_name), file = code_word(s, layout->code_file);
	__u64 check = python_mix(code, name);

	check = python_mix(check, file);
	check = python_mix(check, code_word(s, layout->code_lines));
	check = python_mix(check, (__u32)code_word(s, layout->code_first_line));
	check = python_mix(check, (__u32)code_word(s, layout->code_flags));
	if (layout->code_version)
		return python_mix(check, (__u32)code_word(s, layout->code_version));
	return python_text(s, python_text(s, check, name), file);
}

/* The frame's code object becomes a frame of the stack. */
static __always_inline void python_frame(struct unwind_state *s, const struct python_layout *layout,
					 __u64 code)
{
	__u64 check;

	if (unwind_read(s, s->python.code, sizeof(s->python.code), code)) {
		python_count(s, layout, PYTHON_NOT_READABLE);
		return;
	}
	if (s->python.code[1] != layout->code_type) { /* ob_type */
		python_count(s, layout, PYTHON_NOT_CODE);
		return;
	}
	check = python_check(s, layout, code);
	if (s->noting)
		python_note_check(s, layout, code);
	s->python.code_at = code;
	s->python.check = check;
	s->python.code_id = FRAME_CODE(python_mix(check, layout->serial));
	unwind_push(s, FRAME_PYTHON | s->python.code_id |
			   (__u64)python_instruction(s, layout, code) << 40);
	python_met(s, layout);
}

static __always_inline void python_note_word(struct unwind_state *s, __u32 offset)
{
	unwind_note(s, s->python.frame + (offset & ~7U), frame_word(s, offset & ~7U));
}

/* What the frame says of itself. Its current instruction and its mark may share a word with other
 * fields; these are the same at the same place of the same code. */
static __always_inline void python_note_frame(struct unwind_state *s,
					      const struct python_layout *layout)
{
	python_note_word(s, layout->frame_code);
	python_note_word(s, layout->frame_instruction);
	if (layout->entry != PYTHON_ENTRY_EACH)
		python_note_word(s, layout->frame_entry);
	python_note_word(s, layout->frame_previous);
}

/* The current Python frame is told, and the next one becomes current. */
static __always_inline int python_advance(struct unwind_state *s,
					  const struct python_layout *layout)
{
	__u32 bytes = layout->frame_bytes, entry = layout->entry;
	__u64 code;
	__u8 mark;

	if (bytes > PYTHON_FRAME_BYTES_MAX)
		bytes = PYTHON_FRAME_BYTES_MAX;
	if (unwind_read(s, s->python.words, bytes, s->python.frame)) {
		python_count(s, layout, PYTHON_NOT_READABLE);
		s->python.frame = 0;
		return UNWIND_RUNNING;
	}
	if (s->noting)
		python_note_frame(s, layout);
	s->python.frame = frame_word(s, layout->frame_previous);
	code = frame_word(s, layout->frame_code) & ~(__u64)layout->code_tag_mask;
	mark = frame_word(s, layout->frame_entry);
	if (entry == PYTHON_ENTRY_SHIM && mark >= layout->entry_value) {
		s->python.told = 1;
		return UNWIND_RUNNING;
	}
	if (entry == PYTHON_ENTRY_EACH || (entry == PYTHON_ENTRY_FLAG && mark))
		s->python.told = 1;
	python_frame(s, layout, code);
	return UNWIND_RUNNING;
}

#endif
