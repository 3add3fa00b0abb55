/* protocol.h - what inspect.c and its worker say to each other, over a SOCK_SEQPACKET socket.
 *
 *   request + fds (file, answer, then those that @fds names) ──► worker
 *   reply ◄── and the answer itself in the memfd that came with the request
 *
 * The two are the same program. The client still trusts nothing that it reads: the worker may be
 * taken over by the files that it reads.
 */
#ifndef TASKDIAG_PROTOCOL_H
#define TASKDIAG_PROTOCOL_H

#include <stdint.h>

#include "inspect/inspect.h"

#define PROTOCOL_FDS_MAX 4
#define PROTOCOL_ADDRESSES_MAX (16u << 20)
#define PROTOCOL_CAUSE_BYTES 160
#define PROTOCOL_LINK_BYTES 256

enum request_kind {
	REQUEST_ROWS,
	REQUEST_NAMES,
	REQUEST_PERF_MAP,
	REQUEST_LINK,
	REQUEST_PYTHON,
	REQUEST_ALLOCATORS, /* answer: struct inspect_allocators */
	REQUEST_KINDS
};

enum request_fds {
	REQUEST_HAS_DEBUG = 1,
	REQUEST_HAS_ADDRESSES = 2, /* a memfd of uint64_t */
};

struct request {
	uint64_t id;
	uint64_t count; /* addresses */
	uint32_t kind;
	uint32_t fds;	/* enum request_fds */
	uint32_t flags; /* enum inspect_names_flags */
	uint32_t pad;
};

struct reply {
	uint64_t id;
	uint64_t bytes; /* of the answer */
	int32_t err;
	uint32_t retires; /* it ends now: the next request is for a new worker */
	char cause[PROTOCOL_CAUSE_BYTES];
};

/* The answer to REQUEST_ROWS: this, the rows, the buckets. */
struct rows_answer {
	uint8_t build_id[INSPECT_BUILD_ID_MAX];
	uint32_t build_id_bytes, segment_count;
	struct inspect_segment segments[INSPECT_SEGMENTS_MAX];
	uint64_t entry, first, unsupported;
	uint64_t row_count, bucket_count;
	uint32_t debug_frame, pad;
};

/* The answer to REQUEST_LINK. */
struct link_answer {
	uint8_t build_id[INSPECT_BUILD_ID_MAX];
	uint32_t build_id_bytes, pad;
	char link[PROTOCOL_LINK_BYTES];
};

/* The answer to REQUEST_PYTHON. */
struct python_answer {
	uint64_t runtime, runtime_bytes, code_type;
	struct {
		uint64_t start, end;
	} eval[INSPECT_EVAL_MAX];
	uint32_t version, free_threaded, musl, eval_count, debug_bytes, pad;
	uint8_t debug[INSPECT_DEBUG_OFFSETS_BYTES];
};

#endif
