/* cfi_entries.c - see cfi_entries.h */
#include "inspect/cfi_entries.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#define COMMONS_MAX (1u << 20)	 /* a large browser's .debug_frame has 40,000 */
#define FUNCTIONS_MAX (8u << 20) /* and its .eh_frame 1,000,000 */

/* One entry of the section: a CIE or an FDE. */
struct entry {
	uint32_t offset;
	bool common;
	uint64_t common_offset;	  /* FDE: of its CIE */
	struct dwarf_reader body; /* behind the id */
};

/* An id tells a CIE; in an FDE it stands for the CIE's place. Wide ids are of .debug_frame alone
 * (LSB: "CIE ID: a 4 byte unsigned value"). */
static void entry_id(const struct cfi_section *s, bool wide, struct entry *e)
{
	uint64_t place = e->body.at - s->bytes, id;

	if (s->debug_frame && wide) {
		id = dwarf_u64(&e->body);
		e->common = id == UINT64_MAX;
	} else {
		id = dwarf_u32(&e->body);
		e->common = id == (s->debug_frame ? UINT32_MAX : 0);
	}
	e->common_offset = s->debug_frame ? id : place - id;
}

/* 1; 0 at the end; -EBADMSG when it is not known where the next one begins. *offset always grows.
 */
static int entry_next(const struct cfi_section *s, size_t *offset, struct entry *ret)
{
	struct dwarf_reader r = { .at = s->bytes + *offset, .end = s->bytes + s->size };
	uint64_t length = 0;
	bool wide;

	/* a terminator in the middle is one of an object file that was linked too early */
	while (!length && dwarf_left(&r) >= 4) {
		ret->offset = r.at - s->bytes;
		length = dwarf_u32(&r);
	}
	if (!length)
		return 0;
	wide = length == UINT32_MAX;
	if (wide)
		length = dwarf_u64(&r);
	ret->body = (struct dwarf_reader){ .at = r.at };
	if (!dwarf_bytes(&r, length))
		return -EBADMSG;
	ret->body.end = r.at;
	*offset = r.at - s->bytes;
	entry_id(s, wide, ret);
	return 1;
}

/* The letters of an augmentation string that began with z, and what they say in @r. */
static void common_augmented(const struct cfi_section *s, const uint8_t *letters,
			     struct dwarf_reader *r, struct cfi_common *c)
{
	c->augmented = true;
	for (; *letters && !r->bad; letters++) {
		uint8_t encoding;

		switch (*letters) {
		case 'R':
			c->encoding = dwarf_u8(r);
			break;
		case 'P': /* the personality routine; indirect, it is as large */
			encoding = dwarf_u8(r);
			cfi_pointer(r, s, encoding & ~DW_EH_PE_indirect);
			break;
		case 'L':
			dwarf_u8(r);
			break;
		case 'S':
			c->signal = true;
			break;
		case 'B':
			break;
		default:
			dwarf_bad(r);
		}
	}
}

/* .debug_frame has S without z: there is no data to it. */
static void common_plain(const uint8_t *letters, struct dwarf_reader *r, struct cfi_common *c)
{
	for (; *letters; letters++) {
		if (*letters == 'S')
			c->signal = true;
		else if (*letters != 'B')
			dwarf_bad(r);
	}
}

static void common_parse(const struct cfi_section *s, struct dwarf_reader r, struct cfi_common *c)
{
	uint8_t version = dwarf_u8(&r);
	const uint8_t *letters = r.at, *zero = memchr(r.at, 0, dwarf_left(&r));
	struct dwarf_reader data;
	uint64_t return_column;

	c->bad = true;
	if (!zero || (version != 1 && version != 3 && version != 4))
		return;
	r.at = zero + 1;
	if (version == 4 && (dwarf_u8(&r) != 8 || dwarf_u8(&r) != 0)) /* size of address, segment */
		return;
	c->code_factor = dwarf_uleb(&r);
	c->data_factor = dwarf_sleb(&r);
	return_column = version == 1 ? dwarf_u8(&r) : dwarf_uleb(&r);
	if (return_column != 16)
		return;
	if (*letters == 'z') {
		uint64_t size = dwarf_uleb(&r);

		data = (struct dwarf_reader){ .at = r.at };
		if (!dwarf_bytes(&r, size))
			return;
		data.end = r.at;
		common_augmented(s, letters + 1, &data, c);
		r.bad |= data.bad;
	} else {
		common_plain(letters, &r, c);
	}
	c->bad = r.bad || cfi_program_initial(r, c);
}

void *cfi_with_room(void *array, size_t count, size_t *capacity, size_t size)
{
	size_t wanted = *capacity ? *capacity * 2 : 64;
	void *grown;

	if (count < *capacity)
		return array;
	grown = reallocarray(array, wanted, size);
	if (grown)
		*capacity = wanted;
	return grown;
}

static int commons_read(struct cfi_entries *all)
{
	const struct cfi_section *s = all->section;
	struct entry e;
	size_t offset = 0;

	while (entry_next(s, &offset, &e) > 0) {
		struct cfi_common *c;

		if (!e.common)
			continue;
		if (all->common_count == COMMONS_MAX) { /* its functions will be, too */
			all->ignored++;
			continue;
		}
		c = cfi_with_room(all->commons, all->common_count, &all->common_capacity,
				  sizeof(*c));
		if (!c)
			return -ENOMEM;
		all->commons = c;
		c += all->common_count++;
		*c = (struct cfi_common){ .offset = e.offset };
		common_parse(s, e.body, c);
		all->ignored += c->bad;
	}
	return 0;
}

/* They were found in order of their offset. */
static const struct cfi_common *common_find(const struct cfi_entries *all, uint64_t offset)
{
	size_t at = 0, count = all->common_count;

	while (count > 1) {
		size_t half = count / 2;

		if (all->commons[at + half].offset <= offset)
			at += half;
		count -= half;
	}
	return count && all->commons[at].offset == offset ? &all->commons[at] : NULL;
}

/* false: malformed. An empty function, or one outside of the text, has at == end. */
static bool function_parse(const struct cfi_entries *all, const struct entry *e,
			   struct cfi_entry *ret)
{
	const struct cfi_section *s = all->section;
	const struct cfi_common *c = common_find(all, e->common_offset);
	struct dwarf_reader r = e->body;
	uint64_t start, size, end, first = all->first;

	if (!c || c->bad)
		return false;
	start = cfi_pointer(&r, s, c->encoding);
	size = cfi_pointer(&r, s, c->encoding & 7); /* the form without sign, the same size */
	if (c->augmented)
		dwarf_bytes(&r, dwarf_uleb(&r));
	if (r.bad)
		return false;
	*ret = (struct cfi_entry){ .common = c - all->commons,
				   .program = r.at - s->bytes,
				   .program_size = dwarf_left(&r) };
	/* the linker leaves 0 for a function of .debug_frame that it has dropped */
	if ((s->debug_frame && !start) || start >= all->text_end)
		return true;
	if (__builtin_add_overflow(start, size, &end) || end > all->text_end)
		end = all->text_end;
	if (end <= all->text_first)
		return true;
	if (start < all->text_first)
		return false;
	ret->at = start - first;
	ret->end = end - first;
	return true;
}

static int function_add(struct cfi_entries *all, const struct cfi_entry *f)
{
	struct cfi_entry *grown;

	if (all->function_count == FUNCTIONS_MAX)
		return -EFBIG;
	grown =
	    cfi_with_room(all->functions, all->function_count, &all->function_capacity, sizeof(*f));
	if (!grown)
		return -ENOMEM;
	all->functions = grown;
	grown[all->function_count++] = *f;
	return 0;
}

static int functions_read(struct cfi_entries *all)
{
	struct cfi_entry f;
	struct entry e;
	size_t offset = 0;
	int more, err = 0;

	while (!err && (more = entry_next(all->section, &offset, &e)) > 0) {
		if (e.common)
			continue;
		if (!function_parse(all, &e, &f))
			all->ignored++;
		else if (f.at != f.end)
			err = function_add(all, &f);
	}
	if (err)
		return err;
	all->ignored += more < 0;
	return all->function_count ? 0 : -ENODATA;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* By address; of those that overlap, the first in the section. Numbers alone are sorted: entries
 * would cost 10 % of all the time. */
static int functions_sort(struct cfi_entries *all)
{
	bool sorted = true;

	all->order = reallocarray(NULL, all->function_count, sizeof(*all->order));
	if (!all->order)
		return -ENOMEM;
	for (size_t i = 0; i < all->function_count; i++) {
		all->order[i] = (uint64_t)all->functions[i].at << 32 | i;
		sorted &= !i || all->order[i - 1] < all->order[i];
	}
	if (!sorted)
		qsort(all->order, all->function_count, sizeof(*all->order), by_number);
	return 0;
}

const struct cfi_entry *cfi_entries_get(const struct cfi_entries *all, size_t i)
{
	return &all->functions[(uint32_t)all->order[i]];
}

int cfi_entries_read(const struct cfi_input *in, const struct cfi_section *section, uint64_t first,
		     struct cfi_entries *ret)
{
	int err;

	*ret = (struct cfi_entries){ .section = section,
				     .text_first = in->text_first,
				     .text_end = in->text_end,
				     .first = first };
	if (!section->size)
		return -ENODATA;
	err = commons_read(ret);
	if (!err)
		err = functions_read(ret);
	return err ? err : functions_sort(ret);
}

void cfi_entries_free(struct cfi_entries *all)
{
	free(all->commons);
	free(all->functions);
	free(all->order);
}
