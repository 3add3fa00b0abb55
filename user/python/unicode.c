/* unicode.c - see unicode.h */
#include "python/unicode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_AT 16
#define STATE_AT 32
/* The state has been these bits in all versions from 3.8 to 3.14, with the GIL. */
#define STATE_KIND(state) ((state) >> 2 & 7) /* bytes of a character: 1, 2 or 4 */
#define STATE_COMPACT (1u << 5)
#define STATE_ASCII (1u << 6)

#define REPLACEMENT 0xfffd
#define ELLIPSIS "…"

size_t python_unicode_head(uint8_t minor, int ascii)
{
	/* 3.12 has dropped the copy in wchar_t (PEP 623) */
	if (minor >= 12)
		return ascii ? 40 : 56;
	return ascii ? 48 : 72;
}

static uint32_t character(const uint8_t *at, unsigned kind)
{
	uint16_t two;
	uint32_t four;

	switch (kind) {
	case 1:
		return *at;
	case 2:
		memcpy(&two, at, sizeof(two));
		return two;
	default:
		memcpy(&four, at, sizeof(four));
		return four;
	}
}

static char *put(char *to, uint32_t c)
{
	if (!c || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
		c = REPLACEMENT;
	if (c < 0x80) {
		*to++ = c;
	} else if (c < 0x800) {
		*to++ = 0xc0 | c >> 6;
		*to++ = 0x80 | (c & 0x3f);
	} else if (c < 0x10000) {
		*to++ = 0xe0 | c >> 12;
		*to++ = 0x80 | (c >> 6 & 0x3f);
		*to++ = 0x80 | (c & 0x3f);
	} else {
		*to++ = 0xf0 | c >> 18;
		*to++ = 0x80 | (c >> 12 & 0x3f);
		*to++ = 0x80 | (c >> 6 & 0x3f);
		*to++ = 0x80 | (c & 0x3f);
	}
	return to;
}

int python_unicode(const uint8_t *object, size_t bytes, uint8_t minor, char **ret)
{
	uint64_t length;
	uint32_t state;
	unsigned kind;
	size_t head, count;
	char *to;

	if (bytes < STATE_AT + sizeof(state))
		return -EBADMSG;
	memcpy(&length, object + LENGTH_AT, sizeof(length));
	memcpy(&state, object + STATE_AT, sizeof(state));
	kind = STATE_KIND(state);
	head = python_unicode_head(minor, !!(state & STATE_ASCII));
	if (!(state & STATE_COMPACT) || (kind != 1 && kind != 2 && kind != 4) ||
	    (state & STATE_ASCII && kind != 1) || length > INT64_MAX || bytes < head)
		return -EBADMSG;
	count = (bytes - head) / kind;
	if (length < count)
		count = length;
	/* UTF-8 has at most three bytes for a character of one or two bytes, four for one of four
	 */
	to = *ret = malloc(count * 4 + sizeof(ELLIPSIS));
	if (!to)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		to = put(to, character(object + head + i * kind, kind));
	strcpy(to, length > count ? ELLIPSIS : "");
	return 0;
}
