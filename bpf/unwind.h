/* unwind.h - what bpf/ and user/ share about unwinding: rows, buckets, mappings, frames, outcomes.
 *
 * A row says how to find the caller's frame from one range of code on, after DWARF 5 §6.4 (Call
 * Frame Information), reduced to what distribution binaries use. Rows are sorted by address; a
 * bucket for each 512 bytes of text names the rows that apply to it. Rows and buckets of all files
 * live in one table space of 64-bit words, addressed by their number.
 *
 *   mapping ──(address)──► bucket ──► row ──► CFA, return address, caller's rbp and rbx
 */
#ifndef TASKDIAG_UNWIND_H
#define TASKDIAG_UNWIND_H

#include <linux/types.h>

/* The table space: chunks of 1 MiB that come as they are needed. */
#define CHUNK_SHIFT 17 /* words of a chunk, as a power of two */
#define CHUNK_WORDS (1U << CHUNK_SHIFT)
#define CHUNK_MASK (CHUNK_WORDS - 1)
#define CHUNKS_MAX 256

#define BUCKET_SHIFT 9		  /* bytes of text of a bucket, as a power of two */
#define BUCKET_ROWS_MAX 511	  /* rows that begin within a bucket: one a byte at most, but one */
#define MAPPINGS_MAX 65536	  /* executable mappings of all processes */
#define PROCESS_MAPPINGS_MAX 4096 /* executable mappings of one process: 12 steps of search */
#define FRAMES_MAX 511		  /* a power of two, less one */

/*
 * A row, 64 bits:
 *
 *    0  9 bits	 offset of its first byte within its bucket
 *    9  7 bits	 rbx: 0 unchanged; n = 1..126 saved at CFA - 8n; 127 unknown
 *   16  4 bits	 enum cfa
 *   20  4 bits	 enum rbp
 *   24  8 bits	 extra, see enum cfa
 *   32 16 bits	 CFA offset, signed; in words of 8 bytes but for CFA_AT_RSP and CFA_AT_RBP: bytes
 *   48 16 bits	 rbp offset, signed, in words
 *
 * A range without CFI is a row with CFA_END. The return address is always at CFA - 8.
 */
enum cfa {
	CFA_END,	 /* no CFI from here on */
	CFA_RSP,	 /* rsp + offset */
	CFA_RBP,	 /* rbp + offset */
	CFA_RBX,	 /* rbx + offset (_dl_runtime_resolve) */
	CFA_PLT,	 /* rsp + 8, + 8 more if (pc & 15) >= offset: lazy binding stubs */
	CFA_AT_RSP,	 /* *(rsp + offset) + 8 * extra */
	CFA_AT_RBP,	 /* *(rbp + offset) + 8 * extra: realigned stacks (DRAP) */
	CFA_SIGNAL,	 /* a signal trampoline: rt_sigframe at rsp */
	CFA_STOP,	 /* outermost frame: the return address is undefined */
	CFA_REGISTER,	 /* another register, its DWARF number in extra */
	CFA_UNSUPPORTED, /* an expression that no row can hold */
};

enum rbp {
	RBP_SAME,
	RBP_AT_CFA, /* saved at CFA + offset */
	RBP_AT_RBP, /* saved at rbp + offset */
	RBP_UNDEFINED,
	RBP_UNSUPPORTED,
};

#define RBX_UNKNOWN 127

#define ROW_PC(row) ((__u32)(row)&511)
#define ROW_RBX(row) ((__u32)((row) >> 9) & 127)
#define ROW_CFA(row) ((__u32)((row) >> 16) & 15)
#define ROW_RBP(row) ((__u32)((row) >> 20) & 15)
#define ROW_EXTRA(row) ((__u32)((row) >> 24) & 255)
#define ROW_CFA_OFFSET(row) ((__s64)(__s16)((row) >> 32))
#define ROW_RBP_OFFSET(row) ((__s64)(__s16)((row) >> 48))
/* the rule of a row, without its place */
#define ROW_RULE(cfa, extra, cfa_offset, rbp, rbp_offset, rbx)                  \
	((__u64)(cfa) << 16 | (__u64)(rbp) << 20 | (__u64)(__u8)(extra) << 24 | \
	 (__u64)(__u16)(cfa_offset) << 32 | (__u64)(__u16)(rbp_offset) << 48 | (__u64)(rbx) << 9)
#define ROW_RULE_MASK (~511ULL)

/*
 * A bucket, 64 bits: low half, number of the row *before* the first that begins within the bucket
 * (the one that applies to its first byte); high half, how many begin within it. In a file's own
 * table rows are numbered from 0; in the table space by their word.
 */
#define BUCKET(row_before, rows) ((__u64)(__u32)(row_before) | (__u64)(rows) << 32)

enum mapping_kind {
	MAPPING_NONE, /* code without rows (JIT, no CFI): by frame pointer */
	MAPPING_ROWS,
	MAPPING_PENDING, /* rows are being made */
};

/* An executable mapping of a process (map unwind_mappings). Sorted by start within a process. */
struct mapping {
	__u64 start, length; /* bytes */
	__u64 bias;	     /* address - bias = address within the ELF file */
	__u32 buckets; /* word of the bucket that holds start; start is at the bucket's begin */
	__u16 kind;    /* enum mapping_kind */
	__u16 file;    /* number of the file, from 1; 0: none */
};
_Static_assert(sizeof(struct mapping) == 32, "ABI between bpf/ and user/");

/* Where the mappings of a process are (map unwind_processes, key: tgid). Written by user space, and
 * copied to the child by the fork probe. */
struct unwind_process {
	__u64 start_ns;
	__u32 first, count; /* in unwind_mappings */
	__u32 execs;  /* equal to target.execs, or these are of a program that it runs no more */
	__u32 python; /* number of its layout (python.h); 0: no interpreter, or not known yet */
};

/*
 * A frame, 64 bits: the address that the frame stands for: of the instruction for the innermost
 * frame and for one that a signal interrupted, else of the last byte of the call (return address -
 * 1).
 *
 *    0 44 bits	 address within the ELF file
 *   44 16 bits	 number of the file
 *   60  1 bit	 found by frame pointer: a guess
 *   61  1 bit	 raw: no file; the low 48 bits are the address in the process
 */
#define FRAME_ADDRESS_BITS 44
#define FRAME_HEURISTIC (1ULL << 60)
#define FRAME_RAW (1ULL << 61)
#define FRAME_ADDRESS(frame) \
	((frame) & ((1ULL << ((frame)&FRAME_RAW ? 48 : FRAME_ADDRESS_BITS)) - 1))
#define FRAME_FILE(frame) ((frame)&FRAME_RAW ? 0 : (__u32)((frame) >> FRAME_ADDRESS_BITS) & 0xffff)

/* How the walk of a stack ended. */
enum unwind_outcome {
	UNWIND_RUNNING,	   /* not an end: there is a caller */
	UNWIND_COMPLETE,   /* the outermost frame was reached */
	UNWIND_DEPTH,	   /* FRAMES_MAX */
	UNWIND_NO_PROCESS, /* its mappings are not known yet */
	UNWIND_NO_MAPPING, /* an address outside of all executable mappings */
	UNWIND_PENDING,	   /* the rows of that file are being made */
	UNWIND_NO_ROW,	   /* no CFI and no plausible frame pointer */
	UNWIND_UNSUPPORTED,
	UNWIND_REGISTER,  /* CFA from a register that is not followed */
	UNWIND_READ,	  /* the stack could not be read */
	UNWIND_UNDEFINED, /* rbp or rbx is needed, but was not saved */
	UNWIND_STUCK,	  /* the CFA did not grow */
	UNWIND_ZERO,	  /* a return address of 0 where CFI promised a caller */
	UNWIND_OUTCOMES,
};

#endif
