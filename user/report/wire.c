/* wire.c - see wire.h */
#include "report/wire.h"

#include <errno.h>

#define VARINT_BYTES 10
#define NUMBER_MAX ((1u << 29) - 1)

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

int wire_varint(struct wire_cursor *c, uint64_t *ret)
{
	uint64_t value = 0;

	if (c->at == c->end)
		return 0;
	for (unsigned i = 0; i < VARINT_BYTES && c->at < c->end; i++) {
		uint8_t byte = *c->at++;

		if (i == VARINT_BYTES - 1 && byte > 1)
			return -EBADMSG; /* more than 64 bits */
		value |= (uint64_t)(byte & 127) << (7 * i);
		if (byte < 128) {
			*ret = value;
			return 1;
		}
	}
	return -EBADMSG;
}

static int read_fixed(struct wire_cursor *c, unsigned bytes, uint64_t *ret)
{
	*ret = 0;
	if ((size_t)(c->end - c->at) < bytes)
		return -EBADMSG;
	for (unsigned i = 0; i < bytes; i++)
		*ret |= (uint64_t)*c->at++ << (8 * i);
	return 1;
}

static int read_bytes(struct wire_cursor *c, struct wire_field *ret)
{
	uint64_t size;

	if (wire_varint(c, &size) <= 0 || size > (size_t)(c->end - c->at))
		return -EBADMSG;
	ret->bytes = true;
	ret->data = c->at;
	ret->size = size;
	c->at += size;
	return 1;
}

int wire_next(struct wire_cursor *c, struct wire_field *ret)
{
	uint64_t tag;
	int found = wire_varint(c, &tag);

	if (found <= 0)
		return found;
	if (tag >> 3 == 0 || tag >> 3 > NUMBER_MAX)
		return -EBADMSG;
	*ret = (struct wire_field){ .number = (uint32_t)(tag >> 3) };
	switch (tag & 7) {
	case VARINT:
		return wire_varint(c, &ret->value) > 0 ? 1 : -EBADMSG;
	case FIXED64:
		return read_fixed(c, 8, &ret->value);
	case BYTES:
		return read_bytes(c, ret);
	case FIXED32:
		return read_fixed(c, 4, &ret->value);
	default: /* groups, which pprof has none of */
		return -EBADMSG;
	}
}
