/* answer.c - both ends of the flat buffer of names. */
#include "inspect/answer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x4d414e54u /* "TNAM" */

struct header {
	uint32_t magic;
	uint32_t name_count;
	uint32_t string_bytes; /* the first and the last one are NUL */
	uint32_t pad;
};
_Static_assert(sizeof(struct header) == 16, "crosses from worker to client");

static int grow(void *array, size_t *capacity, size_t wanted, size_t size)
{
	size_t larger = *capacity ? *capacity : 64;
	void *moved;

	while (larger < wanted)
		larger *= 2;
	if (wanted <= *capacity)
		return 0;
	moved = realloc(*(void **)array, larger * size);
	if (!moved)
		return -ENOMEM;
	*(void **)array = moved;
	*capacity = larger;
	return 0;
}

static int check_size(const struct answer_builder *b)
{
	return sizeof(struct header) + b->count * sizeof(*b->names) + b->string_bytes >
		       INSPECT_BYTES_MAX
		   ? -EFBIG
		   : 0;
}

static size_t hash(const char *s, size_t size)
{
	uint64_t h = 0xcbf29ce484222325; /* FNV-1a */

	for (size_t i = 0; i < size; i++)
		h = (h ^ (unsigned char)s[i]) * 0x100000001b3;
	return (size_t)(h ^ h >> 32);
}

/* The slot of @s, or the free one where it belongs. */
static uint32_t *slot_of(const struct answer_builder *b, const char *s, size_t size)
{
	size_t at = hash(s, size) & (b->slot_count - 1);

	while (b->slots[at] && strcmp(b->strings + b->slots[at], s))
		at = (at + 1) & (b->slot_count - 1);
	return &b->slots[at];
}

static int rehash(struct answer_builder *b)
{
	size_t count = b->slot_count;
	uint32_t *old = b->slots, *slots;

	if (count && b->slots_used < count / 2)
		return 0;
	b->slot_count = count ? count * 2 : 256;
	slots = calloc(b->slot_count, sizeof(*slots));
	if (!slots) {
		b->slot_count = count;
		return -ENOMEM;
	}
	b->slots = slots;
	for (size_t i = 0; i < count; i++) {
		const char *s = b->strings + old[i];

		if (old[i])
			*slot_of(b, s, strlen(s)) = old[i];
	}
	free(old);
	return 0;
}

static int append(struct answer_builder *b, const char *s, size_t size)
{
	int err = grow(&b->strings, &b->string_capacity, b->string_bytes + size + 1, 1);

	if (err)
		return err;
	memcpy(b->strings + b->string_bytes, s, size);
	b->strings[b->string_bytes + size] = '\0';
	b->string_bytes += size + 1;
	return check_size(b);
}

uint32_t answer_string(struct answer_builder *b, const char *s)
{
	size_t size = strlen(s);
	uint32_t *slot;

	if (b->err || !size)
		return 0;
	if (!b->string_bytes)
		b->err = append(b, "", 0);
	if (!b->err)
		b->err = rehash(b);
	if (b->err)
		return 0;
	slot = slot_of(b, s, size);
	if (!*slot) {
		*slot = (uint32_t)b->string_bytes;
		b->slots_used++;
		b->err = append(b, s, size);
	}
	return b->err ? 0 : *slot;
}

int answer_add(struct answer_builder *b, const struct answer_name *name)
{
	if (!b->err)
		b->err = grow(&b->names, &b->capacity, b->count + 1, sizeof(*b->names));
	if (b->err)
		return b->err;
	b->names[b->count++] = *name;
	b->err = check_size(b);
	return b->err;
}

static void put(struct names_answer *answer, const void *bytes, size_t size)
{
	if (size)
		memcpy(answer->bytes + answer->size, bytes, size);
	answer->size += size;
}

int answer_finish(struct answer_builder *b, struct names_answer *answer)
{
	struct header h = { .magic = MAGIC, .name_count = (uint32_t)b->count };
	size_t names = b->count * sizeof(*b->names);

	if (!b->err && !b->string_bytes)
		b->err = append(b, "", 0);
	if (!b->err)
		b->err = grow(&answer->bytes, &answer->capacity,
			      answer->size + sizeof(h) + names + b->string_bytes, 1);
	if (b->err)
		return b->err;
	h.string_bytes = (uint32_t)b->string_bytes;
	put(answer, &h, sizeof(h));
	put(answer, b->names, names);
	put(answer, b->strings, b->string_bytes);
	return 0;
}

void answer_free(struct answer_builder *b)
{
	free(b->names);
	free(b->strings);
	free(b->slots);
}

static bool header_fits(const struct header *h, const uint8_t *bytes, size_t size)
{
	uint64_t wanted =
	    sizeof(*h) + (uint64_t)h->name_count * sizeof(struct answer_name) + h->string_bytes;

	return h->magic == MAGIC && !h->pad && wanted == size && wanted <= INSPECT_BYTES_MAX &&
	       h->string_bytes && !bytes[size - h->string_bytes] && !bytes[size - 1];
}

/* @last: the one before, NULL: none. */
static bool name_fits(const struct answer_name *name, const struct answer_name *last,
		      const char *strings, uint32_t string_bytes)
{
	uint32_t address = !last ? 0 : last->inlined ? last->address : last->address + 1;

	return name->address == address && name->inlined <= 1 && !name->pad &&
	       name->name < string_bytes && name->file < string_bytes &&
	       (!name->name || strings[name->name]) && (!name->file || strings[name->file]);
}

static struct inspect_name open_name(const struct answer_name *name, const char *strings)
{
	return (struct inspect_name){
		.address = name->address,
		.line = name->line,
		.name = name->name ? strings + name->name : NULL,
		.file = name->file ? strings + name->file : NULL,
		.start = name->start,
		.inlined = name->inlined,
	};
}

int names_decode(const uint8_t *bytes, size_t size, size_t address_count, struct inspect_name **ret,
		 size_t *ret_count)
{
	struct answer_name name, last;
	struct inspect_name *names;
	const char *strings;
	struct header h;

	if (size < sizeof(h))
		return -EBADMSG;
	memcpy(&h, bytes, sizeof(h));
	if (!header_fits(&h, bytes, size))
		return -EBADMSG;
	strings = (const char *)bytes + size - h.string_bytes;
	names = calloc(h.name_count + 1ul, sizeof(*names));
	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < h.name_count; i++, last = name) {
		memcpy(&name, bytes + sizeof(h) + i * sizeof(name), sizeof(name));
		if (!name_fits(&name, i ? &last : NULL, strings, h.string_bytes))
			goto malformed;
		names[i] = open_name(&name, strings);
	}
	/* every address has been answered, and none is left in the middle of its inlined functions
	 */
	if (h.name_count ? last.inlined || last.address + 1ull != address_count : address_count)
		goto malformed;
	*ret = names;
	*ret_count = h.name_count;
	return 0;
malformed:
	free(names);
	return -EBADMSG;
}
