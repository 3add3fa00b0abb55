/* lines.c - file:line and inlined functions. */
#include "inspect/lines.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#define UNITS_MAX (1u << 20)
#define RANGES_MAX (8u << 20)
#define DIES_MAX (100u << 20) /* looked at in one request */
#define NESTING_MAX 64	      /* namespaces, types and blocks around a function */
#define OVERLAPS_MAX 16	      /* ranges that start ahead of an address and are looked at */

struct range {
	uint64_t first, end;
	uint32_t index; /* of the unit, or of the function */
};

struct ranges {
	struct range *all;
	size_t count, capacity;
};

struct unit {
	Dwarf_Die die;
	bool read; /* its functions */
	Dwarf_Die *functions;
	size_t function_count, function_capacity;
	struct ranges ranges; /* of its functions */
};

struct lines {
	Dwarf *dwarf;
	struct unit *units;
	size_t unit_count, unit_capacity;
	struct ranges ranges; /* of the units */
	uint64_t dies_left;
	bool incomplete;
};

static int array_grow(void **array, size_t *capacity, size_t count, size_t size, size_t max)
{
	size_t wanted = *capacity ? *capacity * 2 : 16;
	void *larger;

	if (count < *capacity)
		return 0;
	if (count >= max)
		return -EFBIG;
	larger = realloc(*array, wanted * size);
	if (!larger)
		return -ENOMEM;
	*array = larger;
	*capacity = wanted;
	return 0;
}

static int ranges_add(struct ranges *r, uint64_t first, uint64_t end, size_t index)
{
	int err = array_grow((void **)&r->all, &r->capacity, r->count, sizeof(*r->all), RANGES_MAX);

	if (!err)
		r->all[r->count++] =
		    (struct range){ .first = first, .end = end, .index = (uint32_t)index };
	return err;
}

static int by_first(const void *a, const void *b)
{
	const struct range *p = a, *q = b;

	if (p->first != q->first)
		return p->first < q->first ? -1 : 1;
	/* the shorter one last: it is looked at first */
	return p->end != q->end ? (p->end > q->end ? -1 : 1) : 0;
}

static void ranges_sort(struct ranges *r)
{
	if (r->count)
		qsort(r->all, r->count, sizeof(*r->all), by_first);
}

static const struct range *ranges_find(const struct ranges *r, uint64_t address)
{
	size_t low = 0, high = r->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->all[middle].first <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = 0; i < OVERLAPS_MAX && i < low; i++)
		if (address < r->all[low - 1 - i].end)
			return &r->all[low - 1 - i];
	return NULL;
}

/* Adds all ranges of @die. Sets *ret_any when it has one. */
static int add_die_ranges(struct ranges *r, Dwarf_Die *die, size_t index, bool *ret_any)
{
	Dwarf_Addr base = 0, first = 0, end = 0;
	ptrdiff_t at = 0;
	int err = 0;

	*ret_any = false;
	while (!err && (at = dwarf_ranges(die, at, &base, &first, &end)) > 0) {
		/* code that the linker has dropped is left at address 0 (or 1, lld) */
		if (first <= 1 || end <= first)
			continue;
		err = ranges_add(r, first, end, index);
		*ret_any = true;
	}
	return err;
}

static int read_units(struct lines *l)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die, split;
	uint8_t type;
	bool any;
	int err = 0;

	while (!err && dwarf_get_units(l->dwarf, cu, &cu, NULL, &type, &die, &split) == 0) {
		if (type == DW_UT_type || type == DW_UT_split_type || type == DW_UT_partial)
			continue;
		err = array_grow((void **)&l->units, &l->unit_capacity, l->unit_count,
				 sizeof(*l->units), UNITS_MAX);
		if (!err)
			err = add_die_ranges(&l->ranges, &die, l->unit_count, &any);
		if (!err)
			l->units[l->unit_count++] = (struct unit){ .die = die };
	}
	if (err == -EFBIG) {
		l->incomplete = true;
		err = 0;
	}
	ranges_sort(&l->ranges);
	return err;
}

static bool holds_functions(int tag)
{
	switch (tag) {
	case DW_TAG_subprogram:
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
	case DW_TAG_lexical_block:
		return true;
	default:
		return false;
	}
}

static bool spend(struct lines *l)
{
	if (l->dies_left) {
		l->dies_left--;
		return true;
	}
	l->incomplete = true;
	return false;
}

static int add_function(struct unit *u, Dwarf_Die *die)
{
	bool any;
	int err = add_die_ranges(&u->ranges, die, u->function_count, &any);

	if (err || !any)
		return err;
	err = array_grow((void **)&u->functions, &u->function_capacity, u->function_count,
			 sizeof(*u->functions), RANGES_MAX);
	if (!err)
		u->functions[u->function_count++] = *die;
	else
		u->ranges.count = 0; /* they would point behind the array */
	return err;
}

/* Functions stand within namespaces, types (Rust, C++) and other functions (GNU C, Fortran). */
static void read_functions(struct lines *l, struct unit *u, Dwarf_Die *parent, int depth)
{
	Dwarf_Die die;
	int tag;

	if (depth == NESTING_MAX || dwarf_child(parent, &die) != 0)
		return;
	do {
		if (!spend(l))
			return;
		tag = dwarf_tag(&die);
		if (tag == DW_TAG_subprogram && add_function(u, &die)) {
			l->incomplete = true;
			return;
		}
		if (holds_functions(tag))
			read_functions(l, u, &die, depth + 1);
	} while (dwarf_siblingof(&die, &die) == 0);
}

static Dwarf_Die *function_at(struct lines *l, struct unit *u, uint64_t address)
{
	const struct range *range;

	if (!u->read) {
		u->read = true;
		read_functions(l, u, &u->die, 0);
		ranges_sort(&u->ranges);
	}
	range = ranges_find(&u->ranges, address);
	return range ? &u->functions[range->index] : NULL;
}

static bool holds_code(int tag)
{
	return tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
	       tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

static bool child_at(struct lines *l, Dwarf_Die *parent, uint64_t address, Dwarf_Die *ret)
{
	Dwarf_Die die;

	if (dwarf_child(parent, &die) != 0)
		return false;
	do {
		if (!spend(l))
			return false;
		if (holds_code(dwarf_tag(&die)) && dwarf_haspc(&die, address) > 0) {
			*ret = die;
			return true;
		}
	} while (dwarf_siblingof(&die, &die) == 0);
	return false;
}

static const char *name_of(Dwarf_Die *die)
{
	static const unsigned int linkage[] = { DW_AT_linkage_name, DW_AT_MIPS_linkage_name };
	Dwarf_Attribute attribute;

	for (size_t i = 0; i < sizeof(linkage) / sizeof(*linkage); i++)
		if (dwarf_attr_integrate(die, linkage[i], &attribute))
			return dwarf_formstring(&attribute);
	return dwarf_diename(die);
}

static uint64_t start_of(Dwarf_Die *die)
{
	Dwarf_Addr first = 0, base, end;

	if (dwarf_entrypc(die, &first) != 0)
		(void)(dwarf_ranges(die, 0, &base, &first, &end) > 0);
	return first;
}

/* Where @inlined is called: the line of the frame around it. */
static void set_call_site(struct unit *u, Dwarf_Die *inlined, struct line_frame *caller)
{
	Dwarf_Word value = 0;
	Dwarf_Attribute attribute;
	Dwarf_Files *files;
	size_t count;

	if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &value) == 0)
		caller->line = (uint32_t)value;
	if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &value) == 0 &&
	    dwarf_getsrcfiles(&u->die, &files, &count) == 0)
		caller->file = dwarf_filesrc(files, value, NULL, NULL);
}

static void set_line(struct unit *u, uint64_t address, struct line_frame *frame)
{
	Dwarf_Line *line = dwarf_getsrc_die(&u->die, address);
	int number = 0;

	if (!line)
		return;
	if (dwarf_lineno(line, &number) == 0 && number > 0)
		frame->line = (uint32_t)number;
	frame->file = dwarf_linesrc(line, NULL, NULL);
}

/* The function and what is inlined into it at @address, outermost first. */
static size_t chain_at(struct lines *l, Dwarf_Die *function, uint64_t address,
		       Dwarf_Die chain[LINES_FRAMES_MAX])
{
	Dwarf_Die die = *function;
	size_t n = 1;

	chain[0] = die;
	for (int depth = 0; depth < 4 * LINES_FRAMES_MAX && child_at(l, &die, address, &die);
	     depth++) {
		if (dwarf_tag(&die) != DW_TAG_inlined_subroutine)
			continue;
		if (n == LINES_FRAMES_MAX) {
			l->incomplete = true;
			break;
		}
		chain[n++] = die;
	}
	return n;
}

size_t lines_find(struct lines *l, uint64_t address, struct line_frame ret[LINES_FRAMES_MAX])
{
	const struct range *range = ranges_find(&l->ranges, address);
	struct unit *u = range ? &l->units[range->index] : NULL;
	Dwarf_Die *function, chain[LINES_FRAMES_MAX];
	size_t n;

	if (!u)
		return 0;
	memset(&ret[0], 0, sizeof(ret[0]));
	function = function_at(l, u, address);
	n = function ? chain_at(l, function, address, chain) : 0;
	for (size_t i = 0; i < n; i++)
		ret[i] = (struct line_frame){ .name = name_of(&chain[n - 1 - i]),
					      .start = start_of(&chain[n - 1 - i]) };
	set_line(u, address, &ret[0]);
	for (size_t i = 1; i < n; i++)
		set_call_site(u, &chain[n - i], &ret[i]);
	/* assembly has lines, but no functions */
	return n || !ret[0].file ? n : 1;
}

/* libdw takes every debug section at once, and unpacks it: only a sum that is bearable. */
static int check_sections(struct elf_view *v)
{
	uint64_t sum = 0;
	Elf_Scn *section = NULL;
	bool any = false;
	GElf_Shdr h;
	GElf_Chdr packed;

	while ((section = elf_nextscn(v->elf, section))) {
		const char *name;

		if (!gelf_getshdr(section, &h) || h.sh_type == SHT_NOBITS)
			continue;
		name = elf_view_name(v, &h);
		if (!strncmp(name, ".zdebug_", 8))
			return -ENOTSUP;
		if (strncmp(name, ".debug_", 7) && strncmp(name, ".gnu.debuglto_", 14))
			continue;
		if (h.sh_offset > v->size || h.sh_size > v->size - h.sh_offset)
			return -EBADMSG;
		any |= !strcmp(name, ".debug_info");
		sum += h.sh_size;
		if (sum > *v->left)
			return -EFBIG;
		if (!(h.sh_flags & SHF_COMPRESSED))
			continue;
		if (!gelf_getchdr(section, &packed))
			return -EBADMSG;
		if (packed.ch_type != ELFCOMPRESS_ZLIB)
			return -ENOTSUP;
		sum += packed.ch_size;
		if (packed.ch_size > *v->left || sum > *v->left)
			return -EFBIG;
	}
	*v->left -= sum;
	return any ? 0 : -ENODATA;
}

int lines_new(struct elf_view *v, struct lines **ret)
{
	struct lines *l;
	int err = check_sections(v);

	if (err)
		return err;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->dies_left = DIES_MAX;
	l->dwarf = dwarf_begin_elf(v->elf, DWARF_C_READ, NULL);
	err = l->dwarf ? read_units(l) : -EBADMSG;
	if (err) {
		lines_free(l);
		return err;
	}
	*ret = l;
	return 0;
}

void lines_free(struct lines *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->unit_count; i++) {
		free(l->units[i].functions);
		free(l->units[i].ranges.all);
	}
	free(l->units);
	free(l->ranges.all);
	if (l->dwarf)
		dwarf_end(l->dwarf);
	free(l);
}

bool lines_incomplete(const struct lines *l)
{
	return l->incomplete;
}
