/* heap_calls_private.h - what the two files of heap_calls.h share: heap_calls.c knows whose probes
 * are wanted, heap_calls_files.c where they go. */
#ifndef TASKDIAG_HEAP_CALLS_PRIVATE_H
#define TASKDIAG_HEAP_CALLS_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "bpf/heap.h"
#include "inspect/inspect.h"
#include "session/heap_calls.h"
#include "session/probes.h"
#include "session/uprobes.h"

#define CALLED_FILES_MAX 4096 /* with code, of a process; and known ones */

struct called_file_key {
	uint64_t device, inode;
};

/* A process. */
struct called {
	uint32_t tgid, pid;
	uint64_t start_ns;
	uint32_t exec_pages; /* when it was looked at last */
	bool fresh;	     /* it runs another program than the one that has probes */
	bool wanted, gone;
	bool begun;	       /* told as such */
	bool samples;	       /* by USDT probes */
	struct uprobes **list; /* its probes */
	size_t count, room;
	struct called_file_key *files; /* that have been looked at */
	size_t file_count, file_room;
	UT_hash_handle hh;
};

/* What is known of a file. */
struct called_file {
	struct called_file_key key;
	struct inspect_allocators *allocators; /* NULL: it has none */
	UT_hash_handle hh;
};

struct heap_calls {
	struct heap_calls_config config;
	struct called *processes;
	struct called_file *files;
	uint64_t trap_ns, traps, looked_ns;
	bool wanted, ended;
};

/* heap_calls.c */
void called_tell(struct heap_calls *c, const struct called *p, struct heap_calls_event e);

/* heap_calls_files.c */
/** Probes in the files that it has mapped and that have none yet. */
void called_attach(struct heap_calls *c, struct called *p);
void called_detach(struct called *p);
void called_files_free(struct heap_calls *c);

#endif
