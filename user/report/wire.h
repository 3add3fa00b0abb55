/* wire.h - protobuf's wire format, read from hostile bytes: every length is checked before it is
 * believed.
 *
 *	for (wire_start(&c, data, size); (err = wire_next(&c, &field)) > 0;) …
 */
#ifndef TASKDIAG_REPORT_WIRE_H
#define TASKDIAG_REPORT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_cursor {
	const uint8_t *at, *end;
};

struct wire_field {
	uint32_t number;
	bool bytes;	     /* data and size count; else value */
	uint64_t value;	     /* varint or fixed */
	const uint8_t *data; /* borrowed from the message */
	size_t size;
};

static inline void wire_start(struct wire_cursor *c, const void *data, size_t size)
{
	*c = (struct wire_cursor){ data, (const uint8_t *)data + size };
}

/** 1: a field was read; 0: the message has ended; -EBADMSG: it is damaged. */
int wire_next(struct wire_cursor *c, struct wire_field *ret);

/** As wire_next(), for the bare varints of a packed field. */
int wire_varint(struct wire_cursor *c, uint64_t *ret);

#endif
