/* protobuf.c - see protobuf.h */
#include "artifact/protobuf.h"

#include <stdlib.h>
#include <string.h>

#define VARINT_BYTES 10

enum wire_type { WIRE_VARINT = 0, WIRE_BYTES = 2 };

void protobuf_clear(struct protobuf *b)
{
	free(b->data);
	*b = (struct protobuf){ 0 };
}

static bool reserve(struct protobuf *b, size_t more)
{
	size_t room = b->room ? b->room : 256;
	unsigned char *data;

	if (b->failed || more <= b->room - b->length)
		return !b->failed;
	while (room - b->length < more && room <= SIZE_MAX / 4)
		room *= 2;
	data = room - b->length < more ? NULL : realloc(b->data, room);
	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->room = room;
	return true;
}

static size_t varint_bytes(uint64_t value)
{
	size_t n = 1;

	while (value >>= 7)
		n++;
	return n;
}

/* Room was made. */
static void put_varint(struct protobuf *b, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		b->data[b->length++] = (unsigned char)(value | 0x80);
	b->data[b->length++] = (unsigned char)value;
}

static void put_key(struct protobuf *b, uint32_t field, enum wire_type type)
{
	put_varint(b, (uint64_t)field << 3 | type);
}

void protobuf_number(struct protobuf *b, uint32_t field, uint64_t value)
{
	if (!value || !reserve(b, 2 * VARINT_BYTES))
		return;
	put_key(b, field, WIRE_VARINT);
	put_varint(b, value);
}

void protobuf_bytes(struct protobuf *b, uint32_t field, const void *data, size_t length)
{
	if (length > SIZE_MAX / 4)
		b->failed = true;
	if (b->failed || !reserve(b, 2 * VARINT_BYTES + length))
		return;
	put_key(b, field, WIRE_BYTES);
	put_varint(b, length);
	if (length)
		memcpy(b->data + b->length, data, length);
	b->length += length;
}

void protobuf_numbers(struct protobuf *b, uint32_t field, const uint64_t *values, size_t count)
{
	size_t bytes = 0;

	if (!count || !reserve(b, (count + 2) * VARINT_BYTES))
		return;
	for (size_t i = 0; i < count; i++)
		bytes += varint_bytes(values[i]);
	put_key(b, field, WIRE_BYTES);
	put_varint(b, bytes);
	for (size_t i = 0; i < count; i++)
		put_varint(b, values[i]);
}
