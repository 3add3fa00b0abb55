/* unwinder.h - rows and mappings of the task's processes → BPF tables; follows fork, exec, mmap,
 * dlopen and dlclose; reclaims.
 *
 *   perf side-band (MMAP2, COMM, FORK, EXIT) ─┐
 *   /proc/PID/maps (adopted, or events lost) ─┴► mappings.c ──► file (files.c) ──► inspect_rows()
 *                                                    │                └► space.c: table space
 *                                                    └──► unwind_mappings, unwind_processes
 *
 * Files are known by (device, inode, generation or change time) and pinned by a read-only fd at
 * first sight, so that exit, upgrade or the stop of a container lose no names. Owned by the
 * session, from one thread.
 */
#ifndef TASKDIAG_UNWINDER_H
#define TASKDIAG_UNWINDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/python.h"
#include "bpf/unwind.h"
#include "inspect/inspect.h"
#include "lib/problem.h"

struct unwinder;

/* The BPF side: fds of maps, borrowed. */
struct unwinder_maps {
	int chunks;    /* ARRAY_OF_MAPS, CHUNKS_MAX × ARRAY of one value of CHUNK_WORDS * 8 bytes,
			  inner    maps with BPF_F_MMAPABLE */
	int mappings;  /* ARRAY of struct mapping, MAPPINGS_MAX, BPF_F_MMAPABLE */
	int processes; /* HASH tgid → struct unwind_process */
	int pythons;   /* ARRAY of struct python_layout; -1: Python is not looked at */
};

struct unwinder_config {
	struct unwinder_maps maps;
	struct inspect *inspect; /* borrowed */
	const char *cache;	 /* directory of tables made before, owned by us; NULL: no cache */
	uint64_t cache_bytes;	 /* its upper size */
	bool follow_children;
	/** Execs that the kernel has counted for this process (struct target.execs); -ESRCH: it is
	 * no target. */
	int (*execs)(void *context, uint32_t tgid, uint64_t start_ns, uint32_t *ret);
	void *context;
};

/** Opens the side-band on every CPU: events are kept from now on. 0 or -errno with a problem. */
int unwinder_new(const struct unwinder_config *config, struct unwinder **ret,
		 struct problem *problem);
/** To be called after inspect_free(), so that no answer comes any more. NULL is fine. */
void unwinder_free(struct unwinder *u);

/** A process of the task is known: by a record of the ring (adopted, forked, executed). Adopted
 * ones are read from /proc/@pid/maps; others are followed by the side-band. @tgid: in the initial
 * pid namespace; @pid: as we see it. */
int unwinder_process(struct unwinder *u, uint32_t tgid, uint32_t pid, uint64_t start_ns,
		     bool adopted);
void unwinder_exit(struct unwinder *u, uint32_t tgid, uint64_t start_ns);
/** Its executable mappings may have become fewer (mm->exec_vm has changed): no event tells of
 * munmap(). Read anew soon, at most 1/20 of the time. */
void unwinder_rescan(struct unwinder *u, uint32_t tgid);

/** Takes what the side-band holds and what the worker has answered; publishes. Never blocks for
 * long: a long /proc/PID/maps is read in slices. 0 or the first -errno (the rest goes on). */
int unwinder_pump(struct unwinder *u);
/** Waits until the rows of all files known now stand, at most @timeout_ns: for a held command. */
int unwinder_settle(struct unwinder *u, uint64_t timeout_ns);
/** An epoll fd that is readable when unwinder_pump() has something to do. */
int unwinder_fd(const struct unwinder *u);

/* A file as it was when it was first mapped. */
struct unwind_file {
	const char *path; /* as the task sees it; hostile; "[vdso]", "[jit]", "//anon" */
	const char *root; /* "/proc/PID/root" of the process that showed it first; may be gone */
	int fd;		  /* pinned, read-only; -1: not readable, see problem */
	uint8_t build_id[INSPECT_BUILD_ID_MAX];
	uint32_t build_id_bytes;
	uint64_t text_first, text_end;
	const char *problem; /* why it has no rows; NULL: it has */
	bool python;	     /* an interpreter of Python */
};

/** File number 1 and up, as in frames; NULL: unknown. Files are never forgotten within a run, at
 * most 65,535. */
const struct unwind_file *unwinder_file(const struct unwinder *u, uint32_t number);

/** The mapping of a process that holds @address; false: none, or the process is gone. */
bool unwinder_find(const struct unwinder *u, uint32_t tgid, uint64_t address, struct mapping *ret);

/** Walks of the process see what is mapped as it is known since then (CLOCK_BOOTTIME); 0: they see
 * nothing yet. */
uint64_t unwinder_shown_ns(const struct unwinder *u, uint32_t tgid);

/* Registers of a thread that waits, as the kernel saved them. */
struct unwind_registers {
	uint64_t pc, sp, bp, bx;
	uint64_t thread_pointer; /* fs base */
};

/* Called for every code object of Python that is new: as the ring's record of it, without a header.
 */
typedef void unwind_code_fn(void *context, const struct code_event *code, size_t bytes);

/**
 * Unwinds a thread of another process from outside, with the same step and rows as the kernel.
 * @pid: the process as we see it. @frames: room for FRAMES_MAX. Returns the outcome.
 */
enum unwind_outcome unwinder_outside(struct unwinder *u, uint32_t tgid, uint32_t pid,
				     const struct unwind_registers *registers, unwind_code_fn *code,
				     void *context, uint64_t *frames, size_t *ret_count);

/** Reads @bytes of a process's memory at @address, for what a record had no room for. Returns how
 * many could be. */
size_t unwinder_memory(struct unwinder *u, uint32_t pid, uint64_t address, void *ret, size_t bytes);

/* Python frames in the walks of the run. */
struct unwinder_python {
	uint64_t counts[PYTHON_COUNTS];
	uint64_t refused;    /* interpreters without room */
	const char *problem; /* why one could not be read; NULL: none */
};
void unwinder_python(const struct unwinder *u, struct unwinder_python *ret);

struct unwinder_stats {
	uint64_t files, files_without_rows, rows, table_bytes, chunks;
	uint64_t mappings,
	    mappings_refused;	       /* no room: PROCESS_MAPPINGS_MAX, MAPPINGS_MAX, files */
	uint64_t rescans, lost_events; /* of the side-band: then all is read anew */
	uint64_t cache_hits, cache_misses, cache_refused;
	uint64_t unreadable; /* processes whose memory did not answer in time: not read from outside
				again */
	uint64_t table_ns;   /* time that the worker took for rows */
};
void unwinder_stats(const struct unwinder *u, struct unwinder_stats *ret);

#endif
