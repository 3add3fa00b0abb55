/* unwind_step.h - one step of a stack walk: from a frame to its caller. The same source is compiled
 * into BPF programs and into user space, where it walks recorded stacks and blocked threads.
 *
 * Who includes it defines how to reach the outside world:
 *
 *	static const __u64 *unwind_chunk(struct unwind_state *s, __u32 chunk)
 *		CHUNK_WORDS words of the table space; NULL: there is no such chunk
 *	static const struct mapping *unwind_mapping(struct unwind_state *s, __u32 i)
 *		entry i of the mappings; NULL: out of range
 *	static long unwind_read(struct unwind_state *s, void *to, __u32 bytes, __u64 address)
 *		memory of the thread; 0, or not 0 when it cannot be read
 *
 *	static long unwind_hijacked(struct unwind_state *s, __u64 address, __u64 *ret)
 *		the return address that stood at @address of the stack before a return probe of the
 *		kernel took its place; 0, or not 0: none did
 *
 * For the verifier: all state is in memory, so that every value loaded is an unknown number and
 *paths merge; searches are branch-free; indexes are masked where they are used.
 */
#ifndef TASKDIAG_UNWIND_STEP_H
#define TASKDIAG_UNWIND_STEP_H

#include "heap.h"
#include "python.h"
#include "unwind.h"

#define UNWIND_HEAD_WORDS 7
#define NOTE_HEAD_WORDS (sizeof(struct heap_stack_event) / 8)
#define WINDOW_WORDS 64 /* of the stack, read at once: 60 ns a frame became 43 */

/* bp_at and bx_at: where the value that the frame's caller had is saved. */
#define SAVED_NOWHERE 0ULL /* it is in bp or bx itself */
#define SAVED_LOST 1ULL	   /* it cannot be known */

/* Python frames of the walk, see python_step.h. */
struct python_walk {
	__u32 layout; /* its number; 0: none */
	__u32 told;   /* those of the current native frame are */
	__u32 alone;  /* the native walk has failed: its outcome */
	__u32 slot;   /* of this walk, and whose it is: for the records of code objects */
	__u64 start_ns;
	__u32 tgid, pid, task;
	__u32 pad;
	__u64 frame; /* the next one; 0: none */
	__u64 code_at, check, code_id;
	__u64 words[PYTHON_FRAME_BYTES_MAX / 8];
	__u64 code[PYTHON_CODE_BYTES / 8];
};

/* Are the words that decide the walk noted, for a memo that is to tell the same walk again? */
enum unwind_noting {
	NOTING_OFF,
	NOTING_ON,
	NOTING_REFUSED, /* something decides it that a memo cannot look at */
};

#define NOTE_RBP 1 /* in place of an address: the register (REGION_RBP) */

struct unwind_state {
	/* registers of the current frame. rbp and rbx are read only when a frame needs them */
	__u64 pc, sp, bp, bx;
	__u64 bp_at, bx_at;
	__u32 exact;	 /* pc is the instruction itself, not a return address */
	__u32 heuristic; /* pc was found by frame pointer */
	/* mapping of the frame before: mostly that of this one too */
	__u64 mapping_start, mapping_length, mapping_bias;
	__u32 mapping_buckets, mapping_file;
	__u32 first, count;	  /* the process's mappings */
	__u32 noting;		  /* enum unwind_noting */
	__u32 bp_noted, bx_noted; /* the value in bp, in bx, is a noted one, or follows from one */
	__u32 note_count, note_roots;
	__u64 window_at;
	__u64 window[WINDOW_WORDS];
	struct python_walk python;
	/* the result */
	__u64 hash;
	__u32 frame_count;
	__u32 raw;		       /* frames without a file: equal only within one process */
	__u64 head[UNWIND_HEAD_WORDS]; /* room for the head of a record whose tail the frames are */
	__u64 frames[FRAMES_MAX + 1];
	__u64 note_head[NOTE_HEAD_WORDS]; /* likewise; the notes are its tail */
	struct heap_pair notes[HEAP_PAIRS];
};

static const __u64 *unwind_chunk(struct unwind_state *s, __u32 chunk);
static const struct mapping *unwind_mapping(struct unwind_state *s, __u32 i);
static long unwind_read(struct unwind_state *s, void *to, __u32 bytes, __u64 address);
static long unwind_hijacked(struct unwind_state *s, __u64 address, __u64 *ret);

/* Hides a value from the compiler, which would turn it into a branch. */
#define UNWIND_OPAQUE(x) asm volatile("" : "+r"(x))
/* -1 when a < b, else 0; both below 2^63 */
#define UNWIND_BELOW(a, b)                              \
	({                                              \
		__u64 below = (__s64)((a) - (b)) >> 63; \
		UNWIND_OPAQUE(below);                   \
		below;                                  \
	})

/* Code without CFI: rbp points to the saved rbp, the return address above it. */
#define FRAME_POINTER_RULE ROW_RULE(CFA_RBP, 0, 2, RBP_AT_CFA, -2, RBX_UNKNOWN)
#define FRAME_POINTER_FAR (1ULL << 20) /* a frame of code that keeps one is not larger */

static __always_inline void unwind_begin(struct unwind_state *s, __u64 pc, __u64 sp, __u64 bp,
					 __u64 bx)
{
	s->pc = pc;
	s->sp = sp;
	s->bp = bp;
	s->bx = bx;
	s->bp_at = s->bx_at = SAVED_NOWHERE;
	s->exact = 1;
	s->heuristic = 0;
	s->mapping_start = s->mapping_length = 0;
	s->window_at = 0;
	s->hash = 0;
	s->frame_count = 0;
	s->raw = 0;
	s->mapping_file = 0;
	s->noting = NOTING_OFF;
	s->bp_noted = s->bx_noted = 0;
	s->note_count = s->note_roots = 0;
}

/* More than there is room for are only counted. */
static __always_inline void unwind_note(struct unwind_state *s, __u64 address, __u64 word)
{
	struct heap_pair *pair = &s->notes[s->note_count & (HEAP_PAIRS - 1)];

	if (s->noting != NOTING_ON)
		return;
	pair->address = address;
	pair->word = word;
	s->note_count++;
}

static __always_inline void unwind_note_refuse(struct unwind_state *s)
{
	if (s->noting)
		s->noting = NOTING_REFUSED;
}

/* A word of the stack, most often from the window. */
static __always_inline long unwind_word(struct unwind_state *s, __u64 address, __u64 *ret)
{
	__u64 into = address - s->window_at;

	if (s->window_at && into <= (WINDOW_WORDS - 1) * 8 && !(into & 7)) {
		*ret = s->window[(into >> 3) & (WINDOW_WORDS - 1)];
		return 0;
	}
	if (!(address & 7) && !unwind_read(s, s->window, sizeof(s->window), address)) {
		s->window_at = address;
		*ret = s->window[0];
		return 0;
	}
	s->window_at = 0; /* near the end of the stack's mapping */
	return unwind_read(s, ret, sizeof(*ret), address);
}

static __always_inline int unwind_rbp(struct unwind_state *s)
{
	__u64 value;

	if (s->bp_at == SAVED_LOST)
		return UNWIND_UNDEFINED;
	if (s->bp_at != SAVED_NOWHERE) {
		if (unwind_word(s, s->bp_at, &value))
			return UNWIND_READ;
		unwind_note(s, s->bp_at, value);
		s->bp = value;
		s->bp_at = SAVED_NOWHERE;
	} else if (!s->bp_noted) {
		unwind_note(s, NOTE_RBP, s->bp);
	}
	s->bp_noted = 1;
	return 0;
}

static __always_inline int unwind_rbx(struct unwind_state *s)
{
	__u64 value;

	if (s->bx_at == SAVED_LOST)
		return UNWIND_UNDEFINED;
	if (s->bx_at != SAVED_NOWHERE) {
		if (unwind_word(s, s->bx_at, &value))
			return UNWIND_READ;
		unwind_note(s, s->bx_at, value);
		s->bx = value;
		s->bx_at = SAVED_NOWHERE;
	} else if (!s->bx_noted) {
		unwind_note_refuse(s);
	}
	s->bx_noted = 1;
	return 0;
}

/* struct rt_sigframe of x86-64: return address (popped), then ucontext: general registers at +40 */
static __always_inline int unwind_signal(struct unwind_state *s)
{
	__u64 registers[7]; /* rbp, rbx, rdx, rax, rcx, rsp, rip: numbers 10 to 16 */

	if (unwind_read(s, registers, sizeof(registers), s->sp + 40 + 10 * 8))
		return UNWIND_READ;
	unwind_note_refuse(s);
	s->bp = registers[0];
	s->bx = registers[1];
	s->bp_at = s->bx_at = SAVED_NOWHERE;
	s->sp = registers[5];
	s->pc = registers[6];
	s->exact = 1;
	return s->pc ? UNWIND_RUNNING : UNWIND_ZERO;
}

/* The mapping that holds @look becomes the current one. Branch-free: the last that begins at or
 * before it. Returns 0, or an outcome; *ret_rows: it has rows. */
static __always_inline int unwind_module(struct unwind_state *s, __u64 look, __u32 *ret_rows)
{
	__u32 at = s->first, count = s->count;
	const struct mapping *m;

	s->mapping_length = 0;
	s->mapping_file = 0;
	if (!count)
		return UNWIND_NO_MAPPING;
#pragma unroll
	for (int i = 0; i < 12; i++) { /* PROCESS_MAPPINGS_MAX */
		__u32 half = count >> 1;

		m = unwind_mapping(s, at + half);
		if (!m)
			return UNWIND_NO_MAPPING;
		at += half & ~(__u32)UNWIND_BELOW(look, m->start);
		count -= half;
	}
	m = unwind_mapping(s, at);
	if (!m || look - m->start >= m->length)
		return UNWIND_NO_MAPPING;
	s->mapping_start = m->start;
	s->mapping_bias = m->bias;
	s->mapping_buckets = m->buckets;
	s->mapping_file = m->file;
	if (m->kind == MAPPING_ROWS)
		s->mapping_length = m->length; /* else it is looked up again for the next frame */
	*ret_rows = m->kind == MAPPING_ROWS;
	return m->kind == MAPPING_PENDING ? UNWIND_PENDING : 0;
}

/* The row of the current mapping that applies to byte @into of it. */
static __always_inline int unwind_row(struct unwind_state *s, __u64 into, __u64 *ret)
{
	__u32 bucket = s->mapping_buckets + (__u32)(into >> BUCKET_SHIFT), at, rows;
	const __u64 *chunk = unwind_chunk(s, bucket >> CHUNK_SHIFT);
	__u64 offset = into & ((1 << BUCKET_SHIFT) - 1);

	if (!chunk)
		return UNWIND_NO_ROW;
	at = (__u32)chunk[bucket & CHUNK_MASK];
	rows = (__u32)(chunk[bucket & CHUNK_MASK] >> 32) + 1;
	chunk = unwind_chunk(s, at >> CHUNK_SHIFT);
	if (!chunk)
		return UNWIND_NO_ROW;
#pragma unroll
	for (int i = 0; i < 10; i++) { /* BUCKET_ROWS_MAX; 8 rows are typical */
		__u32 half = rows >> 1;

		at += half & ~(__u32)UNWIND_BELOW(offset, ROW_PC(chunk[(at + half) & CHUNK_MASK]));
		rows -= half;
		if ((i == 2 || i == 4 || i == 6) && rows <= 1)
			break;
	}
	*ret = chunk[at & CHUNK_MASK];
	return 0;
}

static __always_inline void unwind_push(struct unwind_state *s, __u64 frame)
{
	__u32 n = s->frame_count;

	s->frames[n & FRAMES_MAX] = frame;
	s->frame_count = n + 1;
	s->hash = (s->hash ^ frame) * 0x9e3779b97f4a7c15ULL;
	s->hash ^= s->hash >> 29;
}

static __always_inline void unwind_frame(struct unwind_state *s, __u64 look)
{
	__u64 file = s->mapping_file, frame = look - s->mapping_bias;

	frame = (frame & ((1ULL << FRAME_ADDRESS_BITS) - 1)) | file << FRAME_ADDRESS_BITS;
	if (!file) {
		frame = (look & ((1ULL << 48) - 1)) | FRAME_RAW;
		s->raw = 1;
	}
	if (s->heuristic)
		frame |= FRAME_HEURISTIC;
	unwind_push(s, frame);
}

static __always_inline int unwind_cfa(struct unwind_state *s, __u64 row, __u32 guess, __u64 *ret)
{
	__u32 cfa = ROW_CFA(row);
	__s64 offset = ROW_CFA_OFFSET(row);
	int err = 0;

	if (cfa == CFA_RSP) {
		*ret = s->sp + offset * 8;
	} else if (cfa == CFA_RBP) {
		err = unwind_rbp(s);
		if (!err && guess && !s->bp) /* x86-64 psABI §3.4.1: the outermost frame has none */
			return UNWIND_COMPLETE;
		if (!err && guess && ((s->bp & 7) || s->bp - s->sp >= FRAME_POINTER_FAR))
			return UNWIND_NO_ROW;
		*ret = s->bp + offset * 8;
	} else if (cfa == CFA_PLT) {
		*ret = s->sp + 8 + ((s->pc & 15) >= (__u64)offset ? 8 : 0);
	} else if (cfa == CFA_AT_RBP) {
		err = unwind_rbp(s);
		if (!err && unwind_word(s, s->bp + offset, ret))
			err = UNWIND_READ;
		unwind_note(s, s->bp + offset, *ret);
		*ret += ROW_EXTRA(row) * 8;
	} else if (cfa == CFA_AT_RSP) {
		if (unwind_word(s, s->sp + offset, ret))
			err = UNWIND_READ;
		unwind_note(s, s->sp + offset, *ret);
		*ret += ROW_EXTRA(row) * 8;
	} else if (cfa == CFA_RBX) {
		err = unwind_rbx(s);
		*ret = s->bx + offset * 8;
	} else if (cfa == CFA_STOP) {
		err = UNWIND_COMPLETE;
	} else if (cfa == CFA_REGISTER) {
		err = UNWIND_REGISTER;
	} else {
		err = UNWIND_UNSUPPORTED;
	}
	return err;
}

/* What the caller had in rbp and rbx: only where it is saved is noted. */
static __always_inline int unwind_saved(struct unwind_state *s, __u64 row, __u64 cfa)
{
	__u32 rbp = ROW_RBP(row), rbx = ROW_RBX(row);

	if (rbx == RBX_UNKNOWN)
		s->bx_at = SAVED_LOST;
	else if (rbx)
		s->bx_at = cfa - 8 * rbx;
	if (rbp == RBP_AT_CFA) {
		s->bp_at = cfa + ROW_RBP_OFFSET(row) * 8;
	} else if (rbp == RBP_AT_RBP) {
		int err = unwind_rbp(s);

		if (err)
			return err;
		s->bp_at = s->bp + ROW_RBP_OFFSET(row) * 8;
	} else if (rbp != RBP_SAME) {
		s->bp_at = SAVED_LOST;
	}
	return 0;
}

/* Adds the current frame, and goes to its caller. Returns enum unwind_outcome. */
static __always_inline int unwind_advance(struct unwind_state *s)
{
	__u64 look = s->pc - 1 + s->exact, into = look - s->mapping_start, row = 0, cfa = 0, pc = 0;
	/* where the return address stood, if this is what return probes return to: it keeps three
	 * registers on the stack while it calls the kernel */
	__u64 returned_at = s->exact ? s->sp + 16 : s->sp - 8;
	__u32 rows = 1, guess = 0;
	int outcome = 0;

	if (into >= s->mapping_length) {
		outcome = unwind_module(s, look, &rows);
		into = look - s->mapping_start;
	}
	if ((outcome == UNWIND_NO_MAPPING || !rows) && !unwind_hijacked(s, returned_at, &pc)) {
		unwind_note_refuse(s);
		s->sp = returned_at + 8;
		s->pc = pc;
		s->exact = 0;
		return UNWIND_RUNNING;
	}
	unwind_frame(s, look);
	if (outcome)
		return outcome;
	if (rows) {
		outcome = unwind_row(s, into, &row);
		if (outcome)
			return outcome;
	}
	if (ROW_CFA(row) == CFA_END) {
		row = FRAME_POINTER_RULE;
		guess = 1;
	}
	s->exact = 0;
	s->heuristic = guess;
	if (ROW_CFA(row) == CFA_SIGNAL)
		return unwind_signal(s);
	outcome = unwind_cfa(s, row, guess, &cfa);
	if (outcome)
		return outcome;
	if (cfa <= s->sp)
		return UNWIND_STUCK;
	outcome = unwind_saved(s, row, cfa);
	if (outcome)
		return outcome;
	if (unwind_word(s, cfa - 8, &pc))
		return UNWIND_READ;
	unwind_note(s, cfa - 8, pc);
	s->sp = cfa;
	s->pc = pc;
	return pc ? UNWIND_RUNNING : UNWIND_ZERO;
}

#endif
