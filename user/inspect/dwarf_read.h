/* dwarf_read.h - reads numbers of DWARF from hostile bytes, never beyond their end.
 *
 * A read that fails gives 0 and makes the reader bad and empty: every loop over it ends, and one
 * check at the end tells.
 */
#ifndef TASKDIAG_DWARF_READ_H
#define TASKDIAG_DWARF_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct dwarf_reader {
	const uint8_t *at, *end;
	bool bad;
};

static inline size_t dwarf_left(const struct dwarf_reader *r)
{
	return r->end - r->at;
}

static inline uint64_t dwarf_bad(struct dwarf_reader *r)
{
	r->at = r->end;
	r->bad = true;
	return 0;
}

static inline const uint8_t *dwarf_bytes(struct dwarf_reader *r, uint64_t size)
{
	const uint8_t *at = r->at;

	if (size > dwarf_left(r)) {
		dwarf_bad(r);
		return NULL;
	}
	r->at += size;
	return at;
}

/* @type as it lies in memory: our machines are little-endian, like the files that we accept */
#define DWARF_FIXED(name, type)                         \
	static inline type name(struct dwarf_reader *r) \
	{                                               \
		type value;                             \
                                                        \
		if (dwarf_left(r) < sizeof(value))      \
			return dwarf_bad(r);            \
		memcpy(&value, r->at, sizeof(value));   \
		r->at += sizeof(value);                 \
		return value;                           \
	}
DWARF_FIXED(dwarf_u8, uint8_t)
DWARF_FIXED(dwarf_u16, uint16_t)
DWARF_FIXED(dwarf_u32, uint32_t)
DWARF_FIXED(dwarf_u64, uint64_t)
#undef DWARF_FIXED

/* LEB128, DWARF 5 §7.6. Longer than 10 bytes: bad, though zeros in front would be legal. */
static inline uint64_t dwarf_leb(struct dwarf_reader *r, bool is_signed)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 70 && r->at < r->end; shift += 7) {
		uint8_t byte = *r->at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (is_signed && (byte & 0x40) && shift < 57)
			value |= UINT64_MAX << (shift + 7);
		return value;
	}
	return dwarf_bad(r);
}

static inline uint64_t dwarf_uleb(struct dwarf_reader *r)
{
	if (r->at < r->end && *r->at < 0x80)
		return *r->at++;
	return dwarf_leb(r, false);
}

static inline int64_t dwarf_sleb(struct dwarf_reader *r)
{
	return (int64_t)dwarf_leb(r, true);
}

#endif
