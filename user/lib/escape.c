/* escape.c - hostile text in, text that cannot act out (see escape.h). */
#include "lib/escape.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "lib/cleanup.h"

struct range {
	uint32_t first, last;
};

/* Not printable wherever it stands: it controls, reorders, hides or is no character. */
static const struct range hostile_ranges[] = {
	{ 0x00, 0x1f },	      /* C0 */
	{ 0x7f, 0x9f },	      /* DEL, C1 */
	{ 0xad, 0xad },	      /* soft hyphen */
	{ 0x34f, 0x34f },     /* combining grapheme joiner */
	{ 0x61c, 0x61c },     /* Arabic letter mark */
	{ 0x115f, 0x1160 },   /* Hangul fillers */
	{ 0x17b4, 0x17b5 },   /* Khmer inherent vowels */
	{ 0x180b, 0x180f },   /* Mongolian selectors and vowel separator */
	{ 0x200b, 0x200f },   /* zero width, LRM, RLM */
	{ 0x2028, 0x202e },   /* line and paragraph separator, bidi embeddings and overrides */
	{ 0x2060, 0x206f },   /* word joiner, bidi isolates, deprecated controls */
	{ 0x3164, 0x3164 },   /* Hangul filler */
	{ 0xd800, 0xf8ff },   /* surrogates, private use */
	{ 0xfe00, 0xfe0f },   /* variation selectors */
	{ 0xfeff, 0xfeff },   /* byte order mark */
	{ 0xffa0, 0xffa0 },   /* halfwidth Hangul filler */
	{ 0xfff0, 0xfffb },   /* unassigned, interlinear annotation */
	{ 0xfffe, 0xffff },   /* noncharacters; XML forbids them */
	{ 0xe0000, 0x10ffff } /* tags, selectors, private use */
};

static bool is_hostile(uint32_t rune)
{
	for (size_t i = 0; i < sizeof(hostile_ranges) / sizeof(hostile_ranges[0]); i++)
		if (rune >= hostile_ranges[i].first && rune <= hostile_ranges[i].last)
			return true;
	return false;
}

/* Bytes of the character at @s and its code in *ret_rune; 0 when @s does not start well-formed
 * UTF-8. */
static size_t decode(const unsigned char *s, uint32_t *ret_rune)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t rune;
	size_t n;

	if (s[0] < 0x80) {
		*ret_rune = s[0];
		return 1;
	}
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	rune = s[0] & (0x7f >> n);
	for (size_t i = 1; i < n; i++) { /* ends at the NUL, too */
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		rune = rune << 6 | (s[i] & 0x3f);
	}
	if (rune < smallest[n] || rune > 0x10ffff || (rune >= 0xd800 && rune <= 0xdfff))
		return 0;
	*ret_rune = rune;
	return n;
}

/* One character or invalid byte as it is shown: `text` is NUL-terminated, `columns` wide. */
struct glyph {
	char text[16];
	size_t columns;
	bool escaped;
};

/* Reads one glyph at @s; @plain: only ASCII stays. Returns the bytes consumed. */
static size_t next_glyph(const unsigned char *s, bool plain, struct glyph *ret)
{
	uint32_t rune = 0;
	size_t n = decode(s, &rune);

	ret->escaped = true;
	if (!n)
		snprintf(ret->text, sizeof(ret->text), "\\x%02x", s[0]);
	else if (rune == '\n' || rune == '\t' || rune == '\r')
		snprintf(ret->text, sizeof(ret->text), "\\%c",
			 rune == '\n'	? 'n'
			 : rune == '\t' ? 't'
					: 'r');
	else if (rune < 0x80 && is_hostile(rune))
		snprintf(ret->text, sizeof(ret->text), "\\x%02x", rune);
	else if (is_hostile(rune) || (plain && rune >= 0x80))
		snprintf(ret->text, sizeof(ret->text), rune > 0xffff ? "\\U%08x" : "\\u%04x", rune);
	else {
		memcpy(ret->text, s, n);
		ret->text[n] = '\0';
		ret->escaped = false;
	}
	ret->columns = ret->escaped || rune < 0x80 ? strlen(ret->text) : 1;
	return n ? n : 1;
}

/* As next_glyph(), and with the width that the terminal gives it. */
static size_t next_terminal_glyph(const unsigned char *s, bool utf8, struct glyph *ret)
{
	size_t n = next_glyph(s, !utf8, ret);
	uint32_t rune = 0;

	if (ret->escaped || s[0] < 0x80)
		return n;
	decode(s, &rune);
	if (wcwidth((wchar_t)rune) < 0) /* the locale cannot print it */
		return next_glyph(s, true, ret);
	ret->columns = (size_t)wcwidth((wchar_t)rune);
	return n;
}

size_t escape_columns(const char *s, bool utf8)
{
	const unsigned char *p = (const unsigned char *)s;
	struct glyph g;
	size_t columns = 0;

	while (*p) {
		p += next_terminal_glyph(p, utf8, &g);
		columns += g.columns;
	}
	return columns;
}

char *escape_terminal(const char *s, bool utf8, size_t columns)
{
	const unsigned char *p = (const unsigned char *)s;
	const char *ellipsis = utf8 ? "…" : "...";
	size_t tail = utf8 ? 1 : 3, used = 0, size = 0;
	bool cut = columns && escape_columns(s, utf8) > columns;
	_cleanup_free_ char *text = NULL;
	struct glyph g;
	FILE *f;

	f = open_memstream(&text, &size);
	if (!f)
		return NULL;
	if (cut)
		columns = columns > tail ? columns - tail : 0;
	while (*p) {
		p += next_terminal_glyph(p, utf8, &g);
		if (cut && used + g.columns > columns)
			break;
		used += g.columns;
		fputs(g.text, f);
	}
	if (cut)
		fputs(ellipsis, f);
	return fclose(f) ? NULL : take_ptr(text);
}

char *escape_utf8(const char *s)
{
	char *text = strdup(s);

	for (char *c = text; c && *c;) {
		uint32_t rune;
		size_t bytes = decode((const unsigned char *)c, &rune);

		if (!bytes)
			*c = '?';
		c += bytes ? bytes : 1;
	}
	return text;
}

static const char *xml_entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	}
	return NULL;
}

char *escape_xml(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	_cleanup_free_ char *text = NULL;
	const char *entity;
	struct glyph g;
	size_t size = 0;
	FILE *f;

	f = open_memstream(&text, &size);
	if (!f)
		return NULL;
	while (*p) {
		p += next_glyph(p, false, &g);
		entity = g.escaped ? NULL : xml_entity(g.text[0]);
		fputs(entity ? entity : g.text, f);
	}
	return fclose(f) ? NULL : take_ptr(text);
}

void escape_json(FILE *out, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t rune = 0;
	size_t n;

	fputc('"', out);
	for (; *p; p += n ? n : 1) {
		n = decode(p, &rune);
		if (!n)
			fputs("\\ufffd", out);
		else if (rune > 0xffff && is_hostile(rune))
			fprintf(out, "\\u%04x\\u%04x", 0xd800 + ((rune - 0x10000) >> 10),
				0xdc00 + ((rune - 0x10000) & 0x3ff));
		else if (is_hostile(rune) || (rune < 0x80 && strchr("\"\\<>&", (int)rune)))
			fprintf(out, "\\u%04x", rune);
		else
			fwrite(p, 1, n, out);
	}
	fputc('"', out);
}
