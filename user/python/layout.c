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

/* struct _gilstate_runtime_state: tstate_current, autoInterpreterState, autoTSSkey and its number.
 * Since 3.12 the TSS slot is that of whichever state runs. */
#define HOLDER_UNTIL 12
#define HOLDER_BEFORE_KEY 20
#define HOLDER_BEFORE_KEY_3_8 28 /* with getframe between them */

/* From the headers of each version (x86-64, release builds); tests/unit/python_layout_test.c asks
 * the interpreters themselves. 3.13 and later: what _Py_DebugOffsets has not. */
struct table {
	uint8_t minor;
	uint8_t entry, entry_value, instruction, code_tag_mask;
	uint8_t unicode_ascii, unicode_compact;
	/* Bytes of code until a call's frame is current. As GCC has made it, in two builds where
	 * there were two: another build is off by a few instructions. */
	uint8_t linked_bytes;
	uint16_t tss_key, thread_id, thread_frame, thread_indirect, cframe_frame;
	uint16_t frame_bytes, frame_previous, frame_code, frame_instruction, frame_entry;
	uint16_t code_flags, code_first_line, code_file, code_name, code_lines, code_bytecode;
	uint16_t code_version;
};

static const struct table tables[] = {
	{ .minor = 8,
	  .entry = PYTHON_ENTRY_EACH,
	  .instruction = PYTHON_INSTRUCTION_BYTES,
	  .unicode_ascii = 48,
	  .unicode_compact = 72,
	  .linked_bytes = 79,
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
	  .linked_bytes = 70,
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
	  .linked_bytes = 140,
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
	  .linked_bytes = 104,
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
	  .linked_bytes = 174,
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
	  .code_bytecode = 192,
	  .code_version = 92 },
	{ .minor = 13,
	  .entry = PYTHON_ENTRY_SHIM,
	  .entry_value = 3,
	  .instruction = PYTHON_INSTRUCTION_POINTER,
	  .unicode_ascii = 40,
	  .unicode_compact = 56,
	  .linked_bytes = 119,
	  .tss_key = 2164,
	  .code_flags = 48,
	  .code_version = 92 },
	{ .minor = 14,
	  .entry = PYTHON_ENTRY_SHIM,
	  .entry_value = 3, /* an interpreter's, or the C stack's: 4 */
	  .instruction = PYTHON_INSTRUCTION_POINTER,
	  .code_tag_mask = 3, /* a _PyStackRef */
	  .unicode_ascii = 40,
	  .unicode_compact = 56,
	  .linked_bytes = 141,
	  .tss_key = 2340,
	  .code_flags = 48,
	  .code_version = 92 },
};

/* Numbers of 64-bit words in _Py_DebugOffsets, which is cookie, version, free_threaded, and groups
 * that have grown from version to version. */
#define DEBUG_VERSION 1
#define DEBUG_FREE_THREADED 2

struct debug_words {
	uint8_t minor;
	uint8_t current_frame, thread_id;
	uint8_t previous, executable, instr_ptr, owner;
	uint8_t filename, qualname, linetable, firstlineno, adaptive;
	uint8_t ob_type, bytes_size, bytes_data, state, length, ascii;
};

static const struct debug_words debug_words[] = {
	{ 13, 23, 24, 29, 30, 31, 33, 35, 37, 38, 39, 43, 45, 65, 66, 68, 69, 70 },
	{ 14, 26, 27, 32, 33, 34, 36, 40, 42, 43, 44, 48, 51, 75, 76, 78, 79, 80 },
};

static int refuse(int err, char *cause, size_t size, const char *format, unsigned major,
		  unsigned minor)
{
	snprintf(cause, size, format, major, minor);
	return err;
}

static uint64_t debug_word(const struct inspect_python *p, uint8_t word)
{
	uint64_t value;

	memcpy(&value, p->debug + word * sizeof(value), sizeof(value));
	return value;
}

static bool debug_offset(const struct inspect_python *p, uint8_t word, uint16_t *ret)
{
	uint64_t value = debug_word(p, word);

	if (value >= WITHIN)
		return false;
	*ret = value;
	return true;
}

/* What walks and code.c take for granted. */
static bool debug_usual(const struct inspect_python *p, const struct debug_words *w,
			const struct python_layout *l)
{
	return debug_word(p, w->ob_type) == 8 && debug_word(p, w->bytes_size) == 16 &&
	       debug_word(p, w->bytes_data) == 32 && debug_word(p, w->state) == 32 &&
	       debug_word(p, w->length) == 16 && debug_word(p, w->ascii) == l->unicode_ascii;
}

/* What the interpreter says of itself. */
static bool take_debug_offsets(const struct inspect_python *p, uint8_t minor,
			       struct python_layout *l)
{
	const struct debug_words *w = &debug_words[minor - OFFSETS_FROM];
	uint16_t most;

	if (p->debug_bytes > sizeof(p->debug) || p->debug_bytes < (w->ascii + 1) * 8u ||
	    memcmp(p->debug, "xdebugpy", 8) ||
	    debug_word(p, DEBUG_VERSION) >> 16 != p->version >> 16 || !debug_usual(p, w, l))
		return false;
	if (!debug_offset(p, w->current_frame, &l->thread_frame) ||
	    !debug_offset(p, w->thread_id, &l->thread_id) ||
	    !debug_offset(p, w->previous, &l->frame_previous) ||
	    !debug_offset(p, w->executable, &l->frame_code) ||
	    !debug_offset(p, w->instr_ptr, &l->frame_instruction) ||
	    !debug_offset(p, w->owner, &l->frame_entry) ||
	    !debug_offset(p, w->filename, &l->code_file) ||
	    !debug_offset(p, w->qualname, &l->code_name) ||
	    !debug_offset(p, w->linetable, &l->code_lines) ||
	    !debug_offset(p, w->firstlineno, &l->code_first_line) ||
	    !debug_offset(p, w->adaptive, &l->code_bytecode))
		return false;
	most = l->frame_entry > l->frame_instruction ? l->frame_entry : l->frame_instruction;
	l->frame_bytes = (most & ~7) + 8;
	return true;
}

static void take_table(const struct table *t, struct python_layout *l)
{
	l->tss_key = t->tss_key;
	if (t->minor < HOLDER_UNTIL)
		l->tss_holder =
		    t->tss_key - (t->minor == 8 ? HOLDER_BEFORE_KEY_3_8 : HOLDER_BEFORE_KEY);
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
	l->code_version = t->code_version;
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
	       l->thread_frame % 8 == 0 && l->thread_id % 8 == 0 && l->code_first_line % 4 == 0 &&
	       l->code_first_line + 4u <= PYTHON_CODE_BYTES && l->code_bytecode % 2 == 0;
}

/* Addresses become those of the process. */
static bool place(const struct inspect_python *p, uint64_t bias, uint8_t linked_bytes,
		  struct python_layout *l)
{
	if (!p->eval_count || p->eval_count > INSPECT_EVAL_MAX || !p->code_type ||
	    p->runtime_bytes < l->tss_key + sizeof(uint32_t))
		return false;
	l->runtime = p->runtime + bias;
	l->runtime_end = l->runtime + p->runtime_bytes;
	l->code_type = p->code_type + bias;
	if (l->runtime_end < l->runtime || l->runtime_end >> 63)
		return false;
	for (uint32_t i = 0; i < p->eval_count && i < PYTHON_EVAL_MAX; i++) {
		l->eval[i].start = p->eval[i].start + bias;
		l->eval[i].end = p->eval[i].end + bias;
		if (l->eval[i].end <= l->eval[i].start || l->eval[i].end >> 63)
			return false;
	}
	l->eval_linked = l->eval[0].start + linked_bytes;
	return true;
}

/* NULL: it can be read. %u.%u: its version. */
static const char *not_supported(const struct inspect_python *p, unsigned major, unsigned minor)
{
	unsigned level = p->version >> 4 & 15;

	if (major != 3 || minor < OLDEST || minor > NEWEST)
		return "CPython %u.%u is not known to this version of taskdiag-bpf";
	/* PY_RELEASE_LEVEL_ALPHA and _BETA; 0: the version was found as text */
	if (level == 0xa || level == 0xb)
		return "CPython %u.%u is a version from before its release, which are all "
		       "different";
	if (p->free_threaded ||
	    (minor >= OFFSETS_FROM && p->debug_bytes >= (DEBUG_FREE_THREADED + 1) * 8 &&
	     !memcmp(p->debug, "xdebugpy", 8) && debug_word(p, DEBUG_FREE_THREADED)))
		return "CPython %u.%u is built without the GIL, whose frames are not read";
	if (p->musl)
		return "CPython %u.%u is linked with musl, whose threads are not read";
	return NULL;
}

int python_layout(const struct inspect_python *p, uint64_t bias, struct python_layout *ret,
		  char *cause, size_t cause_size)
{
	unsigned major = p->version >> 24, minor = p->version >> 16 & 0xff;
	const char *why = not_supported(p, major, minor);
	const struct table *t;

	memset(ret, 0, sizeof(*ret));
	if (why)
		return refuse(-ENOTSUP, cause, cause_size, why, major, minor);
	t = &tables[minor - OLDEST];
	take_table(t, ret);
	if ((minor < OFFSETS_FROM || take_debug_offsets(p, minor, ret)) && fits(ret) &&
	    place(p, bias, t->linked_bytes, ret))
		return 0;
	memset(ret, 0, sizeof(*ret));
	return refuse(-EBADMSG, cause, cause_size,
		      "what CPython %u.%u says of its own layout makes no sense", major, minor);
}
