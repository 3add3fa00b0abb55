/* inspect.h - asks the worker process: the only reader of a task's files (ELF, DWARF, perf maps).
 *
 *   inspect_rows, inspect_names, … ──request + fds──► worker (no privilege, seccomp, limits)
 *        done() ◄── inspect_pump() ◄──answer in a memfd of ours──┘
 *
 * The worker is started when it is first needed, and again when it has died. It answers one request
 * at a time, in order. A request that it has not answered in time costs its life; that request, and
 * only that, then fails with the cause. From one thread only.
 */
#ifndef TASKDIAG_INSPECT_H
#define TASKDIAG_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/problem.h"

#define INSPECT_SEGMENTS_MAX 16
#define INSPECT_BUILD_ID_MAX 64
#define INSPECT_BYTES_MAX (256u << 20)		 /* of an answer */
#define INSPECT_DEADLINE_NS (15ull * 1000000000) /* of one request */

struct inspect;

/** This very program, as its own worker: for inspect_new(). */
extern char *const inspect_self[];

/**
 * @argv: how to start the worker: an executable whose main() calls worker_main() with the socket as
 * its fd 3; NULL: fork without exec (unit tests). Nothing is started yet. 0, -ENOMEM.
 */
int inspect_new(char *const argv[], struct inspect **ret);
/** Another deadline than INSPECT_DEADLINE_NS, for tests. */
void inspect_set_deadline(struct inspect *i, uint64_t deadline_ns);
void inspect_free(struct inspect *i); /* NULL is fine; ends the worker; pending requests are
					 forgotten, their done() is not called */

/* An executable segment (PT_LOAD with PF_X). */
struct inspect_segment {
	uint64_t offset, address, file_bytes, memory_bytes;
};

/* What a file is, and its rows for unwinding (bpf/unwind.h). Only valid during done(). */
struct inspect_rows {
	uint8_t build_id[INSPECT_BUILD_ID_MAX];
	uint32_t build_id_bytes; /* 0: it has none */
	uint32_t segment_count;
	struct inspect_segment segments[INSPECT_SEGMENTS_MAX];
	uint64_t entry;	      /* e_entry */
	uint64_t first;	      /* address of the first byte of bucket 0, a multiple of 512 */
	uint64_t unsupported; /* rows that say CFA_UNSUPPORTED or CFA_REGISTER */
	const uint64_t *rows, *buckets;
	size_t row_count, bucket_count;
	bool debug_frame; /* rows are from .debug_frame */
};

/* One name of one address. An address may have several: inlined functions, innermost first. */
struct inspect_name {
	uint32_t address; /* index into the addresses asked for */
	uint32_t line;	  /* 0: unknown */
	const char *name; /* demangled; hostile bytes; NULL: no symbol */
	const char *file; /* source; NULL: unknown */
	uint64_t start;	  /* of the symbol */
	bool inlined;	  /* into the next one */
};

#define INSPECT_EVAL_MAX 8
#define INSPECT_DEBUG_OFFSETS_BYTES 1024

/* A CPython interpreter, an executable or a libpython; addresses within the file. Only valid during
 * done(). */
struct inspect_python {
	uint32_t version; /* as PY_VERSION_HEX; major and minor alone where it stood as text only */
	bool free_threaded;
	bool musl;			 /* linked with it: thread-specific data is elsewhere */
	uint64_t runtime, runtime_bytes; /* _PyRuntime */
	uint64_t code_type;		 /* PyCode_Type */
	/* _PyEval_EvalFrameDefault first, then its other parts: .cold, tail-call handlers */
	uint32_t eval_count;
	struct {
		uint64_t start, end;
	} eval[INSPECT_EVAL_MAX];
	uint32_t debug_bytes; /* the first bytes of _PyRuntime, as they are in the file */
	uint8_t debug[INSPECT_DEBUG_OFFSETS_BYTES];
};

#define INSPECT_ALLOCATORS_MAX 96

enum inspect_place_kind {
	INSPECT_CALL,
	INSPECT_USDT_ALLOC,
	INSPECT_USDT_FREE,
	INSPECT_PLACE_KINDS
};

/* A place for a uprobe. */
struct inspect_place {
	uint64_t address,
	    offset;	    /* of the function, or the USDT probe; of the probe, in the file */
	uint64_t cookie;    /* bpf/heap.h: what its arguments are */
	uint64_t semaphore; /* offset in the file; 0: none */
	uint32_t kind;	    /* enum inspect_place_kind */
	uint32_t stepped;   /* 1: the kernel does not emulate the instruction there */
};

/* The functions of an allocator in a file, in no order. */
struct inspect_allocators {
	uint32_t count, left_out; /* left_out: no room, or not understood */
	uint32_t throwing, pad;	  /* operators new of an allocator of its own: see allocators.h */
	struct inspect_place places[INSPECT_ALLOCATORS_MAX];
};

/* @err: 0, or -errno with @cause ("worker killed: took longer than 15 s", "not an ELF file", …) and
 * a NULL answer. */
typedef void (*inspect_rows_fn)(void *context, int err, const char *cause,
				const struct inspect_rows *rows);
typedef void (*inspect_names_fn)(void *context, int err, const char *cause,
				 const struct inspect_name *names, size_t count);
typedef void (*inspect_python_fn)(void *context, int err, const char *cause,
				  const struct inspect_python *python);

/**
 * Rows of the ELF file @fd (read-only; stays the caller's). done() is called from inspect_pump() or
 * inspect_wait(), once, unless inspect_free() comes first. 0, or -errno when it cannot be asked.
 */
int inspect_rows(struct inspect *i, int fd, inspect_rows_fn done, void *context);

enum inspect_names_flags {
	INSPECT_LINES = 1, /* also file:line and inlined functions, from DWARF (slow, large) */
};

/**
 * Names of @count addresses within the ELF file @fd, sorted upwards. @debug_fd: its separate debug
 * file; -1: none. Symbols are taken from .symtab of either, .dynsym and .gnu_debugdata.
 */
int inspect_names(struct inspect *i, int fd, int debug_fd, const uint64_t *addresses, size_t count,
		  unsigned flags, inspect_names_fn done, void *context);

/** The same for a perf map (/tmp/perf-PID.map) of a JIT. Later lines win over earlier ones. */
int inspect_perf_map(struct inspect *i, int fd, const uint64_t *addresses, size_t count,
		     inspect_names_fn done, void *context);

/** Is there a CPython interpreter in @fd, and where? In done(): -ENOENT: no; -ENOTSUP: one of which
 * nothing is known; -ENOEXEC: its symbols and segments do not fit. */
int inspect_python(struct inspect *i, int fd, inspect_python_fn done, void *context);

/** Build-id and debug link of @fd, to find its debug file. @ret_link: its name, no path; empty when
 * there is none; hostile. Waits for the answer (other answers that come meanwhile are delivered).
 */
int inspect_debug_link(struct inspect *i, int fd, uint8_t ret_build_id[INSPECT_BUILD_ID_MAX],
		       uint32_t *ret_build_id_bytes, char *ret_link, size_t link_size);

/** Functions of allocators in @fd, and USDT probes of otel_memory. Waits for the answer, as
 * inspect_debug_link(). 0, also with none. */
int inspect_allocators(struct inspect *i, int fd, struct inspect_allocators *ret);

/** Readable when an answer is there, or the worker has died; changes when a worker is started: ask
 * again after every call. -1: no worker. */
int inspect_fd(const struct inspect *i);
/** Takes what has arrived, without waiting; enforces deadlines: call it at least every second while
 * inspect_pending(). */
void inspect_pump(struct inspect *i);
/** Waits until no request is pending or @timeout_ns is over. 0 or -ETIMEDOUT. */
int inspect_wait(struct inspect *i, uint64_t timeout_ns);
size_t inspect_pending(const struct inspect *i);

struct inspect_stats {
	uint64_t asked, answered, failed;
	uint64_t workers; /* started */
	uint64_t cpu_ns;  /* of workers that have ended */
};
void inspect_stats(const struct inspect *i, struct inspect_stats *ret);

#endif
