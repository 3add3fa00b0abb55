/* intern.c - see intern.h; open addressing, linear probing, at most three quarters full */
#include "aggregate/intern.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define CHUNK_ITEMS 4096
#define FIRST_SLOTS 64

void intern_init(struct intern *t, size_t item_bytes, size_t key_bytes)
{
	*t = (struct intern){ .item_bytes = item_bytes, .key_bytes = key_bytes };
	/* without randomness (early boot) only the guard against chosen names is gone */
	if (getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK) < 0)
		t->seed = 0;
}

void intern_clear(struct intern *t)
{
	for (size_t i = 0; i * CHUNK_ITEMS < t->count; i++)
		free(t->chunks[i]);
	free(t->chunks);
	free(t->slots);
	intern_init(t, t->item_bytes, t->key_bytes);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_bytes(uint64_t seed, const void *key, size_t bytes)
{
	const unsigned char *p = key;
	uint64_t h = seed ^ mix(bytes ^ 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93);

	while (bytes) {
		uint64_t word = 0;
		size_t n = bytes < sizeof(word) ? bytes : sizeof(word);

		memcpy(&word, p, n);
		/* + 1s: no word makes a factor zero for every seed */
		h = mix(h ^ word ^ 0xa0761d6478bd642f, (seed ^ 0xe7037ed1a0b428db) | 1) + word;
		p += n;
		bytes -= n;
	}
	return mix(h ^ 0x8ebc6af09c88c6e3, 0x589965cc75374cc3);
}

void *intern_at(const struct intern *t, uint32_t i)
{
	return t->chunks[i / CHUNK_ITEMS] + i % CHUNK_ITEMS * t->item_bytes;
}

/* The slot of @key, or the free one where it belongs. */
static uint32_t *find(const struct intern *t, const void *key)
{
	size_t mask = t->slots_room - 1;
	size_t at = hash_bytes(t->seed, key, t->key_bytes) & mask;

	while (t->slots[at] && memcmp(intern_at(t, t->slots[at] - 1), key, t->key_bytes))
		at = (at + 1) & mask;
	return &t->slots[at];
}

static bool grow_slots(struct intern *t)
{
	size_t room = t->slots_room ? t->slots_room * 2 : FIRST_SLOTS;
	uint32_t *slots;

	if (t->count < t->slots_room / 4 * 3)
		return true;
	slots = calloc(room, sizeof(*slots));
	if (!slots)
		return false;
	free(t->slots);
	t->slots = slots;
	t->slots_room = room;
	for (uint32_t i = 0; i < t->count; i++)
		*find(t, intern_at(t, i)) = i + 1;
	return true;
}

/* Room for one more item; it is zeroed. */
static bool grow_chunks(struct intern *t)
{
	size_t used = t->count / CHUNK_ITEMS;

	if (t->count % CHUNK_ITEMS)
		return true;
	if (t->count >= INTERN_NONE - CHUNK_ITEMS)
		return false;
	if (used == t->chunks_room) {
		size_t room = t->chunks_room ? t->chunks_room * 2 : 4;
		char **chunks = reallocarray(t->chunks, room, sizeof(*chunks));

		if (!chunks)
			return false;
		t->chunks = chunks;
		t->chunks_room = room;
	}
	t->chunks[used] = calloc(CHUNK_ITEMS, t->item_bytes);
	return t->chunks[used] != NULL;
}

uint32_t intern_append(struct intern *t, const void *item)
{
	if (!grow_chunks(t))
		return INTERN_NONE;
	memcpy(intern_at(t, t->count), item, t->item_bytes);
	return t->count++;
}

uint32_t intern_add(struct intern *t, const void *key)
{
	uint32_t *slot;

	if (!grow_slots(t))
		return INTERN_NONE;
	slot = find(t, key);
	if (*slot)
		return *slot - 1;
	if (!grow_chunks(t))
		return INTERN_NONE;
	memcpy(intern_at(t, t->count), key, t->key_bytes);
	*slot = ++t->count;
	return t->count - 1;
}

/* Strings with the same hash and length are told apart by @nth. */
struct string {
	uint64_t hash;
	uint32_t length, nth;
	char *text; /* not part of the key */
};

void strings_init(struct strings *t)
{
	intern_init(&t->table, sizeof(struct string), offsetof(struct string, text));
}

void strings_clear(struct strings *t)
{
	for (uint32_t i = 0; i < t->table.count; i++)
		free(((struct string *)intern_at(&t->table, i))->text);
	intern_clear(&t->table);
}

uint32_t strings_add(struct strings *t, const char *s)
{
	size_t length = strlen(s);
	struct string key = { .hash = hash_bytes(t->table.seed, s, length),
			      .length = (uint32_t)length };

	for (;; key.nth++) {
		uint32_t i = intern_add(&t->table, &key);
		struct string *known;

		if (i == INTERN_NONE)
			return INTERN_NONE;
		known = intern_at(&t->table, i);
		if (!known->text) /* new, or made when memory was short */
			known->text = strdup(s);
		if (!known->text)
			return INTERN_NONE;
		if (!strcmp(known->text, s))
			return i;
	}
}

const char *strings_at(const struct strings *t, uint32_t i)
{
	return ((struct string *)intern_at(&t->table, i))->text;
}

uint32_t strings_count(const struct strings *t)
{
	return t->table.count;
}
