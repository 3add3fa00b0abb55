/* layout.c - see layout.h */
#include "python/layout.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define OLDEST 8
#define NEWEST 14
#define OFFSETS_FROM 13 /* since then the interpreter has a table of its own */
#define WITHIN 4096	/* no offset within an object is larger */

/* From the headers of each version (x86-64, release builds); tests/unit/python_layout_test.c asks
 * the interpreters themselves. 3.13 and later: what _Py_DebugOffsets has not. */
struct table {
	uint8_t minor;
	uint8_t entry, entry_value, instruction, code_tag_mask;
	uint8_t unicode_ascii, unicode_compact;
	uint8_t
	    linked_bytes; /* of code until a call's frame is current, about: as compilers make it */
	uint16_t tss_key, thread_id, thread_frame, thread_indirect, cframe_frame;
	uint16_t frame_bytes, frame_previous, frame_code, frame_instruction, frame_entry;
	uint16_t code_flags, code_first_line, code_file, code_name, code_lines, code_bytecode;
};

static const struct table tables[] = {
	{ .minor = 8,
	  .entry = PYTHON_ENTRY_EACH,
	  .instruction = PYTHON_INSTRUCTION_BYTES,
	  .unicode_ascii = 48,
	  .unicode_compact = 72,
	  .linked_bytes = 80,
	  .tss_key = 1396,
	  .thread_id = 176,
	  .thread_frame = 24,
	  .frame_bytes = 112,
	  .frame_previous = 24,
	  .frame_code = 32,
	  .frame_instruction = 104,
	  .code_flags = 36,
	  .code_first_line = 40,
	  .code_file = 104,
	  .code_name = 112,
	  .code_lines = 120 },
	{ .minor = 9,
	  .entry = PYTHON_ENTRY_EACH,
	  .instruction = PYTHON_INSTRUCTION_BYTES,
	  .unicode_ascii = 48,
	  .unicode_compact = 72,
	  .linked_bytes = 72,
	  .tss_key = 588,
	  .thread_id = 176,
	  .thread_frame = 24,
	  .frame_bytes = 112,
	  .frame_previous = 24,
	  .frame_code = 32,
	  .frame_instruction = 104,
	  .code_flags = 36,
	  .code_first_line = 40,
	  .code_file = 104,
	  .code_name = 112,
	  .code_lines = 120 },
	{ .minor = 10,
	  .entry = PYTHON_ENTRY_EACH,
	  .instruction = PYTHON_INSTRUCTION_UNITS,
	  .unicode_ascii = 48,
	  .unicode_compact = 72,
	  .linked_bytes = 144,
	  .tss_key = 588,
	  .thread_id = 176,
	  .thread_frame = 24,
	  .frame_bytes = 104,
	  .frame_previous = 24,
	  .frame_code = 32,
	  .frame_instruction = 96,
	  .code_flags = 36,
	  .code_first_line = 40,
	  .code_file = 104,
	  .code_name = 112,
	  .code_lines = 120 },
	{ .minor = 11,
	  .entry = PYTHON_ENTRY_FLAG,
	  .instruction = PYTHON_INSTRUCTION_POINTER,
	  .unicode_ascii = 48,
	  .unicode_compact = 72,
	  .linked_bytes = 112,
	  .tss_key = 596,
	  .thread_id = 152,
	  .thread_frame = 56,
	  .thread_indirect = 1,
	  .cframe_frame = 8,
	  .frame_bytes = 72,
	  .frame_previous = 48,
	  .frame_code = 32,
	  .frame_instruction = 56,
	  .frame_entry = 68,
	  .code_flags = 48,
	  .code_first_line = 72,
	  .code_file = 112,
	  .code_name = 128,
	  .code_lines = 136,
	  .code_bytecode = 184 },
	{ .minor = 12,
	  .entry = PYTHON_ENTRY_SHIM,
	  .entry_value = 3,
	  .instruction = PYTHON_INSTRUCTION_POINTER,
	  .unicode_ascii = 40,
	  .unicode_compact = 56,
	  .linked_bytes = 64,
	  .tss_key = 1548,
	  .thread_id = 136,
	  .thread_frame = 56,
	  .thread_indirect = 1,
	  .frame_bytes = 72,
	  .frame_previous = 8,
	  .frame_instruction = 56,
	  .frame_entry = 70,
	  .code_flags = 48,
	  .code_first_line = 68,
	  .code_file = 112,
	  .code_name = 128,
	  .code_lines = 136,
	  .code_bytecode = 192 },
	{ .minor = 13,
	  .entry = PYTHON_ENTRY_SHIM,
	  .entry_value = 3,
	  .instruction = PYTHON_INSTRUCTION_POINTER,
	  .unicode_ascii = 40,
	  .unicode_compact = 56,
	  .linked_bytes = 144,
	  .tss_key = 2164,
	  .code_flags = 48 },
	{ .minor = 14,
	  .entry = PYTHON_ENTRY_SHIM,
	  .entry_value = 3, /* an interpreter's, or the C stack's: 4 */
	  .instruction = PYTHON_INSTRUCTION_POINTER,
	  .code_tag_mask = 3, /* a _PyStackRef */
	  .unicode_ascii = 40,
	  .unicode_compact = 56,
	  .linked_bytes = 144,
	  .tss_key = 2340,
	  .code_flags = 48 },
};

/* Numbers of 64-bit words in _Py_DebugOffsets, which is cookie, version, free_threaded, and groups
 * that have grown from version to version. */
struct debug_words {
	uint8_t minor;
	uint8_t current_frame, thread_id;
	uint8_t previous, executable, instr_ptr, owner;
	uint8_t filename, qualname, linetable, firstlineno, adaptive;
};

static const struct debug_words debug_words[] = {
	{ 13, 23, 24, 29, 30, 31, 33, 35, 37, 38, 39, 43 },
	{ 14, 26, 27, 32, 33, 34, 36, 40, 42, 43, 44, 48 },
};

static int refuse(int err, char *cause, size_t size, const char *format, unsigned major,
		  unsigned minor)
{
	snprintf(cause, size, format, major, minor);
	return err;
}

static bool debug_word(const struct inspect_python *p, uint8_t word, uint16_t *ret)
{
	uint64_t value;

	if (word * 8u + 8 > p->debug_bytes || p->debug_bytes > sizeof(p->debug))
		return false;
	memcpy(&value, p->debug + word * 8u, sizeof(value));
	if (value >= WITHIN)
		return false;
	*ret = value;
	return true;
}

/* What the interpreter says of itself. */
static bool take_debug_offsets(const struct inspect_python *p, uint8_t minor,
			       struct python_layout *l)
{
	const struct debug_words *w = debug_words;
	uint16_t most;

	while (w->minor != minor)
		w++;
	if (p->debug_bytes < 8 || memcmp(p->debug, "xdebugpy", 8))
		return false;
	if (!debug_word(p, w->current_frame, &l->thread_frame) ||
	    !debug_word(p, w->thread_id, &l->thread_id) ||
	    !debug_word(p, w->previous, &l->frame_previous) ||
	    !debug_word(p, w->executable, &l->frame_code) ||
	    !debug_word(p, w->instr_ptr, &l->frame_instruction) ||
	    !debug_word(p, w->owner, &l->frame_entry) ||
	    !debug_word(p, w->filename, &l->code_file) ||
	    !debug_word(p, w->qualname, &l->code_name) ||
	    !debug_word(p, w->linetable, &l->code_lines) ||
	    !debug_word(p, w->firstlineno, &l->code_first_line) ||
	    !debug_word(p, w->adaptive, &l->code_bytecode))
		return false;
	most = l->frame_entry > l->frame_instruction ? l->frame_entry : l->frame_instruction;
	l->frame_bytes = (most & ~7) + 8;
	return true;
}

static void take_table(const struct table *t, struct python_layout *l)
{
	l->tss_key = t->tss_key;
	l->thread_id = t->thread_id;
	l->thread_frame = t->thread_frame;
	l->thread_indirect = t->thread_indirect;
	l->cframe_frame = t->cframe_frame;
	l->frame_bytes = t->frame_bytes;
	l->frame_previous = t->frame_previous;
	l->frame_code = t->frame_code;
	l->frame_instruction = t->frame_instruction;
	l->frame_entry = t->frame_entry;
	l->code_flags = t->code_flags;
	l->code_first_line = t->code_first_line;
	l->code_file = t->code_file;
	l->code_name = t->code_name;
	l->code_lines = t->code_lines;
	l->code_bytecode = t->code_bytecode;
	l->entry = t->entry;
	l->entry_value = t->entry_value;
	l->instruction = t->instruction;
	l->code_tag_mask = t->code_tag_mask;
	l->unicode_ascii = t->unicode_ascii;
	l->unicode_compact = t->unicode_compact;
	l->minor = t->minor;
}

/* All that a walk reads at once lies within what it reads. */
static bool fits(const struct python_layout *l)
{
	const uint16_t in_frame[] = { l->frame_previous, l->frame_code, l->frame_instruction };
	const uint16_t in_code[] = { l->code_file, l->code_name, l->code_lines };

	for (size_t i = 0; i < sizeof(in_frame) / sizeof(in_frame[0]); i++)
		if (in_frame[i] % 8 || in_frame[i] + 8u > l->frame_bytes)
			return false;
	for (size_t i = 0; i < sizeof(in_code) / sizeof(in_code[0]); i++)
		if (in_code[i] % 8 || in_code[i] + 8u > PYTHON_CODE_BYTES)
			return false;
	return l->frame_bytes <= PYTHON_FRAME_BYTES_MAX && l->frame_entry < l->frame_bytes &&
	       l->code_first_line % 4 == 0 && l->code_first_line + 4u <= PYTHON_CODE_BYTES;
}

/* Addresses become those of the process. */
static bool place(const struct inspect_python *p, uint64_t bias, struct python_layout *l)
{
	if (!p->eval_count || p->eval_count > INSPECT_EVAL_MAX || p->runtime_bytes < l->tss_key)
		return false;
	l->runtime = p->runtime + bias;
	l->runtime_end = l->runtime + p->runtime_bytes;
	l->code_type = p->code_type + bias;
	for (uint32_t i = 0; i < p->eval_count && i < PYTHON_EVAL_MAX; i++) {
		l->eval[i].start = p->eval[i].start + bias;
		l->eval[i].end = p->eval[i].end + bias;
		if (l->eval[i].end < l->eval[i].start || l->eval[i].end >> 63)
			return false;
	}
	l->eval_linked = l->eval[0].start + tables[l->minor - OLDEST].linked_bytes;
	return true;
}

int python_layout(const struct inspect_python *p, uint64_t bias, struct python_layout *ret,
		  char *cause, size_t cause_size)
{
	unsigned major = p->version >> 24, minor = p->version >> 16 & 0xff;

	memset(ret, 0, sizeof(*ret));
	if (major != 3 || minor < OLDEST || minor > NEWEST)
		return refuse(-ENOTSUP, cause, cause_size,
			      "CPython %u.%u is not known to this version of taskdiag-bpf", major,
			      minor);
	if (p->free_threaded)
		return refuse(-ENOTSUP, cause, cause_size,
			      "CPython %u.%u is built without the GIL, whose frames are not read",
			      major, minor);
	if (p->musl)
		return refuse(-ENOTSUP, cause, cause_size,
			      "CPython %u.%u is linked with musl, whose threads are not read",
			      major, minor);
	take_table(&tables[minor - OLDEST], ret);
	if ((minor >= OFFSETS_FROM && !take_debug_offsets(p, minor, ret)) || !fits(ret) ||
	    !place(p, bias, ret))
		return refuse(-EBADMSG, cause, cause_size,
			      "what CPython %u.%u says of its own layout makes no sense", major,
			      minor);
	return 0;
}
