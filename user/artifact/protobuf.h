/* protobuf.h - writes one message of Protocol Buffers' wire format into memory.
 *
 * A message in a message is made in a buffer of its own, then put with protobuf_bytes(). Without
 * memory the buffer is @failed and stays as it is: ask once, at the end.
 */
#ifndef TASKDIAG_PROTOBUF_H
#define TASKDIAG_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct protobuf {
	unsigned char *data;
	size_t length, room;
	bool failed;
};

void protobuf_clear(struct protobuf *b); /* frees; may be used again */

/** A field of type int64, uint64 or bool. 0 is what a reader takes when it is absent: not written.
 */
void protobuf_number(struct protobuf *b, uint32_t field, uint64_t value);
/** A field of type string, bytes or message; written even when empty. */
void protobuf_bytes(struct protobuf *b, uint32_t field, const void *data, size_t length);
/** A repeated number field, packed. */
void protobuf_numbers(struct protobuf *b, uint32_t field, const uint64_t *values, size_t count);

#endif
