/* python.h - what bpf/ and user/ share about CPython: where things are in an interpreter, and the
 * code objects that walks have met.
 *
 *   thread pointer ──TSS slot──► PyThreadState ──► frame ──previous──► frame … each ──► code object
 *
 * A layout says where all of these are in one process; user/python/ makes it. Names are read in the
 * walk that meets a code object first: when the task is asked later, it may be gone.
 */
#ifndef TASKDIAG_PYTHON_H
#define TASKDIAG_PYTHON_H

#include "events.h"

#define PYTHON_LAYOUTS_MAX 1024
#define PYTHON_EVAL_MAX 8	   /* ranges of code that run Python frames */
#define PYTHON_FRAME_BYTES_MAX 128 /* read of a frame at once */
#define PYTHON_CODE_BYTES 144	   /* read of a code object at once */
#define PYTHON_NAME_BYTES 256	   /* raw, with the head of the unicode object */
#define PYTHON_FILE_BYTES 512
#define PYTHON_LINES_BYTES 4096

/* Where a run of Python frames of one C call of the interpreter ends. */
enum python_entry {
	PYTHON_ENTRY_EACH, /* every frame has a C call of its own (up to 3.10) */
	PYTHON_ENTRY_FLAG, /* the last one is marked: byte frame_entry is not 0 (3.11) */
	PYTHON_ENTRY_SHIM, /* one more frame, without code, follows: byte frame_entry >= entry_value
			    */
};

enum python_instruction {
	PYTHON_INSTRUCTION_BYTES,   /* int: byte offset in the bytecode (up to 3.9) */
	PYTHON_INSTRUCTION_UNITS,   /* int: in units of two bytes (3.10) */
	PYTHON_INSTRUCTION_POINTER, /* pointer into the code object (from 3.11) */
};

/* Counted by walks, in the layout. */
enum python_count {
	PYTHON_WALKS,	     /* of threads of such a process */
	PYTHON_NO_STATE,     /* the thread has no PyThreadState: it has not run Python yet */
	PYTHON_NOT_ITS_OWN,  /* the PyThreadState names another thread: the layout is wrong */
	PYTHON_NOT_CODE,     /* a frame's code is no code object */
	PYTHON_NOT_READABLE, /* memory of the interpreter could not be read */
	PYTHON_CODE_LOST,    /* a code object's record could not be sent */
	PYTHON_COUNTS,
};

/* Offsets are in bytes; addresses are those of the process. */
struct python_layout {
	__u64 runtime, runtime_end; /* _PyRuntime: a futex within is that of the GIL */
	__u64 code_type;	    /* PyCode_Type */
	struct {
		__u64 start, end;
	} eval[PYTHON_EVAL_MAX]; /* _PyEval_EvalFrameDefault and its parts; 0, 0: no more */
	__u64 eval_linked; /* up to here, from eval[0].start, a call has not yet made its frame
			      current */
	__u32 serial;	   /* never 0; no two layouts of a run have the same */
	__u32 tss_key;	   /* in _PyRuntime: autoTSSkey's number, a __u32 */
	__u32 tss_holder; /* in _PyRuntime: the PyThreadState that has the GIL (up to 3.11); 0: none
			   */
	__u16 thread_id;  /* in PyThreadState: what pthread_self() gave */
	__u16 thread_frame;    /* the current frame, or where it is found */
	__u16 thread_indirect; /* 1: thread_frame is a pointer to a _PyCFrame, and the frame is at
				* cframe_frame in that */
	__u16 cframe_frame;
	__u16 frame_bytes; /* enough for all fields of a frame, at most PYTHON_FRAME_BYTES_MAX */
	__u16 frame_previous, frame_code, frame_instruction, frame_entry;
	__u16 code_flags, code_first_line; /* __u32 each; all below PYTHON_CODE_BYTES */
	__u16 code_file, code_name,
	    code_lines;	    /* pointers; name: the qualified one where there is one */
	__u16 code_version; /* __u32, another for every code object (from 3.12); 0: there is none */
	__u16 code_bytecode;	 /* within the code object, PYTHON_INSTRUCTION_POINTER only */
	__u8 entry, entry_value; /* enum python_entry */
	__u8 instruction;	 /* enum python_instruction */
	__u8 code_tag_mask;	 /* low bits of frame_code that are no part of the pointer */
	__u8 unicode_ascii, unicode_compact; /* where characters begin, in either form */
	__u8 minor;			     /* 3.minor */
	__u8 pad;
	__u64 counts[PYTHON_COUNTS];
};

/*
 * A code object that a walk has met for the first time. Parts that could not be read, or are
 * longer, have their bytes cut (see the three _bytes and enum python_code_flags).
 */
struct code_event {
	struct event_header h; /* EV_CODE */
	__u64 id;	       /* see FRAME_PYTHON */
	__u64 code;	       /* address in the process */
	__u64 check;	       /* over its fields: another one at the same address has another */
	__u64 lines;	       /* address of the line table object */
	__u32 serial;	       /* of the layout */
	__u32 first_line;
	__u16 flags;	  /* enum python_code_flags */
	__u16 name_bytes; /* of the unicode object, from its begin, that are in name[] */
	__u16 file_bytes;
	__u16 lines_bytes; /* of the table itself, that follow the struct */
	__u32 lines_size;  /* of the whole table */
	__u8 minor;
	__u8 pad[3];
	__u8 name[PYTHON_NAME_BYTES];
	__u8 file[PYTHON_FILE_BYTES];
};

enum python_code_flags {
	PYTHON_NAME_CUT = 1,
	PYTHON_FILE_CUT = 2,
	PYTHON_LINES_CUT = 4,
	PYTHON_NAME_UNREAD = 8,
	PYTHON_FILE_UNREAD = 16,
	PYTHON_LINES_UNREAD = 32,
};

/*
 * A Python frame in a stack:
 *
 *    0 40 bits	 hash of the code object's address, check and layout: code_event.id
 *   40 20 bits	 instruction, in units of two bytes; all ones: unknown
 *   62  1 bit	 FRAME_PYTHON
 */
#define FRAME_PYTHON (1ULL << 62)
#define FRAME_CODE(frame) ((frame) & ((1ULL << 40) - 1))
#define FRAME_INSTRUCTION(frame) ((__u32)((frame) >> 40) & 0xfffff)
#define FRAME_NO_INSTRUCTION 0xfffff

#endif
