/* python_eval.c - see python_eval.h */
#include "inspect/python_eval.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/cfi_entries.h"
#include "lib/cleanup.h"

#define EVAL "_PyEval_EvalFrameDefault"
#define HANDLER "_TAIL_CALL_"
#define SCAN_BYTES_MAX (8ull << 20) /* of code; the loop has 50 to 300 KiB */
#define TARGETS_MAX (1u << 20)	    /* a hostile file has one a byte */
#define PADDING 16		    /* bytes between functions */
/* Bytes are taken for jumps without decoding: some are none. No other function is jumped into, and
 * jumps back, at four places by chance. */
#define JUMPS_MIN 4
#define CANDIDATES_MAX 8

/* ---- parts that have symbols ---- */

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

bool python_is_part(const char *name)
{
	if (has_prefix(name, HANDLER))
		return true;
	if (!has_prefix(name, EVAL ".cold"))
		return false;
	name += strlen(EVAL ".cold");
	return !*name || *name == '.';
}

int python_parts_add(struct python_parts *parts, const struct elf_file *f,
		     struct python_range range)
{
	struct python_range *grown;

	if (!python_in_segment(f, range, PF_X))
		return 0;
	grown = cfi_with_room(parts->ranges, parts->count, &parts->capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	parts->ranges = grown;
	grown[parts->count++] = range;
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct python_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int by_size_down(const void *a, const void *b)
{
	const struct python_range *x = a, *y = b;
	uint64_t size_x = x->end - x->start, size_y = y->end - y->start;

	return size_x != size_y ? (size_x > size_y ? -1 : 1) : by_start(a, b);
}

static void merge(struct python_parts *parts)
{
	size_t kept = 0;

	if (parts->count)
		qsort(parts->ranges, parts->count, sizeof(*parts->ranges), by_start);
	for (size_t i = 0; i < parts->count; i++) {
		struct python_range r = parts->ranges[i];
		struct python_range *last = kept ? &parts->ranges[kept - 1] : NULL;

		if (!last || r.start > last->end + PADDING)
			parts->ranges[kept++] = r;
		else if (r.end > last->end)
			last->end = r.end;
	}
	parts->count = kept;
}

/* ---- the cold part without symbols ---- */

struct code {
	struct python_range range;
	uint8_t *bytes;
};

static int code_read(struct elf_file *f, struct python_range range, struct code *ret)
{
	*ret = (struct code){ .range = range };
	for (size_t i = 0; i < f->segment_count; i++) {
		const Elf64_Phdr *p = &f->segments[i];
		uint64_t into = range.start - p->p_vaddr, offset;

		if (p->p_type != PT_LOAD || into >= p->p_filesz)
			continue;
		if (__builtin_add_overflow(p->p_offset, into, &offset))
			break;
		return elf_file_read_new(f, range.end - range.start, offset, &ret->bytes);
	}
	f->cause = "malformed ELF file: code in no segment";
	return -ENOEXEC;
}

/* Bytes of the opcode at @at when it may be a jump with a 32-bit displacement; 0: none. (Intel SDM
 * volume 2: JMP E9 cd, Jcc 0F 80 cd to 0F 8F cd.) */
static size_t jump_opcode(const uint8_t *at)
{
	if (*at == 0xe9)
		return 1;
	return *at == 0x0f && (at[1] & 0xf0) == 0x80 ? 2 : 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static size_t sort_once(uint64_t *numbers, size_t count)
{
	size_t kept = 0;

	if (count)
		qsort(numbers, count, sizeof(*numbers), by_number);
	for (size_t i = 0; i < count; i++)
		if (!kept || numbers[i] != numbers[kept - 1])
			numbers[kept++] = numbers[i];
	return kept;
}

/* Where jumps of @code out of it may lead to within @to, in order, each once. */
static int jump_targets(const struct code *code, struct python_range to, uint64_t **ret,
			size_t *ret_count)
{
	uint64_t size = code->range.end - code->range.start;
	_cleanup_free_ uint64_t *targets = NULL;
	size_t count = 0, capacity = 0;

	for (uint64_t at = 0; at < size && count < TARGETS_MAX; at++) { /* a zero byte follows */
		size_t opcode = jump_opcode(code->bytes + at);
		uint64_t target, *grown;
		int32_t displacement;

		if (!opcode || size - at < opcode + sizeof(displacement))
			continue;
		memcpy(&displacement, code->bytes + at + opcode, sizeof(displacement));
		target = code->range.start + at + opcode + 4 + (int64_t)displacement;
		if (target < to.start || target >= to.end ||
		    (target >= code->range.start && target < code->range.end))
			continue;
		grown = cfi_with_room(targets, count, &capacity, sizeof(*targets));
		if (!grown)
			return -ENOMEM;
		targets = grown;
		targets[count++] = target;
	}
	*ret_count = sort_once(targets, count);
	*ret = take_ptr(targets);
	return 0;
}

/* A function that the loop may jump into. */
struct candidate {
	struct python_range range;
	size_t jumps; /* places within it, but for its first byte: a tail call leads there */
};

struct candidates {
	struct candidate best[CANDIDATES_MAX]; /* most jumps first */
	size_t count;
};

static void candidates_add(struct candidates *all, const struct candidate *c)
{
	size_t at = all->count;

	if (c->jumps < JUMPS_MIN)
		return;
	while (at && all->best[at - 1].jumps < c->jumps)
		at--;
	if (at == CANDIDATES_MAX)
		return;
	if (all->count < CANDIDATES_MAX)
		all->count++;
	memmove(&all->best[at + 1], &all->best[at], (all->count - at - 1) * sizeof(*c));
	all->best[at] = *c;
}

/* Both @targets and functions go up: one pass. */
static void candidates_find(const struct cfi_entries *functions, const uint64_t *targets,
			    size_t count, struct candidates *ret)
{
	struct candidate current = {};
	size_t next = 0;

	for (size_t i = 0; i < count; i++) {
		const struct cfi_entry *e = NULL;

		for (; next < functions->function_count; next++) {
			const struct cfi_entry *following = cfi_entries_get(functions, next);

			if (functions->first + following->at > targets[i])
				break;
			e = following;
		}
		if (e) {
			candidates_add(ret, &current);
			current = (struct candidate){ .range = { functions->first + e->at,
								 functions->first + e->end } };
		}
		if (targets[i] > current.range.start && targets[i] < current.range.end)
			current.jumps++;
	}
	candidates_add(ret, &current);
}

/* 1: it jumps back; 0: not; -errno. */
static int jumps_back(struct elf_file *f, struct python_range from, struct python_range hot)
{
	_cleanup_free_ uint64_t *targets = NULL;
	struct code code;
	size_t count = 0;
	int err;

	if (from.end - from.start > SCAN_BYTES_MAX || !python_in_segment(f, from, PF_X) ||
	    (from.start < hot.end && hot.start < from.end))
		return 0;
	err = code_read(f, from, &code);
	if (!err)
		err = jump_targets(&code, hot, &targets, &count);
	free(code.bytes);
	if (err)
		return err;
	return count - (count && targets[0] == hot.start) >= JUMPS_MIN;
}

/* Functions of .eh_frame; none when it cannot be used: the rest of the facts is still true. */
static int find_candidates(struct elf_file *f, const uint64_t *targets, size_t count,
			   struct candidates *ret)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	struct cfi_section section = {};
	struct cfi_entries functions = {};
	struct cfi_input in = {};
	int err = elf_file_text(f, &in.text_first, &in.text_end);

	if (!err)
		err = elf_file_eh_frame(f, &bytes, &section.size, &section.address);
	if (err || in.text_end - in.text_first > UINT32_MAX)
		return err == -ENOMEM ? err : 0;
	section.bytes = bytes;
	in.frame = section;
	err = cfi_entries_read(&in, &section, in.text_first, &functions);
	if (!err)
		candidates_find(&functions, targets, count, ret);
	cfi_entries_free(&functions);
	return err == -ENOMEM ? err : 0;
}

static int find_cold(struct elf_file *f, struct python_range hot, struct python_parts *parts)
{
	_cleanup_free_ uint64_t *targets = NULL;
	struct python_range text;
	struct candidates candidates = {};
	struct code code = {};
	size_t count = 0;
	int err;

	if (hot.end - hot.start > SCAN_BYTES_MAX || elf_file_text(f, &text.start, &text.end))
		return 0;
	err = code_read(f, hot, &code);
	if (!err)
		err = jump_targets(&code, text, &targets, &count);
	free(code.bytes);
	if (!err)
		err = find_candidates(f, targets, count, &candidates);
	for (size_t i = 0; i < candidates.count && !err; i++) {
		err = jumps_back(f, candidates.best[i].range, hot);
		if (err > 0)
			return python_parts_add(parts, f, candidates.best[i].range);
	}
	return err;
}

int python_eval(struct elf_file *f, struct python_range hot, struct python_parts *parts,
		struct inspect_python *ret)
{
	int err = parts->count ? 0 : find_cold(f, hot, parts);

	if (err)
		return err;
	merge(parts);
	if (parts->count > INSPECT_EVAL_MAX - 1) {
		qsort(parts->ranges, parts->count, sizeof(*parts->ranges), by_size_down);
		parts->count = INSPECT_EVAL_MAX - 1;
	}
	ret->eval[0].start = hot.start;
	ret->eval[0].end = hot.end;
	ret->eval_count = 1;
	for (size_t i = 0; i < parts->count; i++, ret->eval_count++) {
		ret->eval[ret->eval_count].start = parts->ranges[i].start;
		ret->eval[ret->eval_count].end = parts->ranges[i].end;
	}
	return 0;
}
