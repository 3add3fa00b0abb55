/* lines.c - see lines.h */
#include "python/lines.h"

#define UNIT 2 /* bytes of an instruction */
#define NO_LINE_PAIR (-128)

/* Forms of an entry from 3.11 on, of which only these say something of the line. */
enum {
	ENTRY_ONE_LINE_0 = 10,
	ENTRY_ONE_LINE_2 = 12,
	ENTRY_NO_COLUMNS = 13,
	ENTRY_LONG = 14,
	ENTRY_NONE = 15,
};
#define ENTRY_BEGIN 0x80u
#define ENTRY_FORM(byte) ((byte) >> 3 & 15)
#define ENTRY_UNITS(byte) (((byte)&7) + 1)

/* Sums of deltas fit 64 bits whatever a table says: a delta has less than 32, and needs a byte. */
static uint32_t line_of(int64_t line)
{
	return line >= 1 && line <= INT32_MAX ? line : 0;
}

static uint32_t find_lnotab(const struct line_table *t, uint64_t offset)
{
	int64_t line = t->first_line;
	uint64_t at = 0;

	for (size_t i = 0; i + 1 < t->size; i += 2) {
		at += t->bytes[i];
		if (at > offset)
			return line_of(line);
		line += (int8_t)t->bytes[i + 1];
	}
	/* the last line reaches to the end of the code, unless another pair followed */
	return t->cut ? 0 : line_of(line);
}

static uint32_t find_pairs(const struct line_table *t, uint64_t offset)
{
	int64_t line = t->first_line;
	uint64_t end = 0;

	for (size_t i = 0; i + 1 < t->size; i += 2) {
		int8_t delta = (int8_t)t->bytes[i + 1];

		end += t->bytes[i];
		if (delta != NO_LINE_PAIR)
			line += delta;
		if (end > offset)
			return delta == NO_LINE_PAIR ? 0 : line_of(line);
	}
	return 0;
}

/* Six bits a byte, lowest first, the sign lowest of all. False: cut, or longer than an int. */
static bool signed_varint(const uint8_t *at, const uint8_t *end, int64_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; at < end && shift < 36; shift += 6, at++) {
		value |= (uint64_t)(*at & 0x3f) << shift;
		if (*at & 0x40)
			continue;
		if (value > UINT32_MAX)
			return false;
		*ret = value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
		return true;
	}
	return false;
}

static bool entry_delta(const uint8_t *entry, const uint8_t *end, int64_t *ret)
{
	unsigned form = ENTRY_FORM(*entry);

	*ret = 0;
	if (form == ENTRY_NO_COLUMNS || form == ENTRY_LONG)
		return signed_varint(entry + 1, end, ret);
	if (form >= ENTRY_ONE_LINE_0 && form <= ENTRY_ONE_LINE_2)
		*ret = form - ENTRY_ONE_LINE_0;
	return true;
}

static uint32_t find_entries(const struct line_table *t, uint64_t offset)
{
	const uint8_t *at = t->bytes, *end = t->bytes + t->size, *next;
	int64_t line = t->first_line, delta;
	uint64_t reached = 0;

	for (; at < end; at = next) {
		if (!(*at & ENTRY_BEGIN))
			return 0;
		for (next = at + 1; next < end && !(*next & ENTRY_BEGIN); next++)
			;
		/* from a delta that is none on, no line would be right */
		if (!entry_delta(at, next, &delta))
			return 0;
		line += delta;
		reached += (uint64_t)ENTRY_UNITS(*at) * UNIT;
		if (reached > offset)
			return ENTRY_FORM(*at) == ENTRY_NONE ? 0 : line_of(line);
	}
	return 0;
}

uint32_t line_table_find(const struct line_table *t, uint64_t offset)
{
	static const struct {
		uint8_t minor; /* from this version on */
		uint32_t (*find)(const struct line_table *t, uint64_t offset);
	} forms[] = { { 11, find_entries }, { 10, find_pairs }, { 0, find_lnotab } };
	size_t i = 0;

	while (t->minor < forms[i].minor)
		i++;
	return forms[i].find(t, offset);
}
