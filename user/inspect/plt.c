/* plt.c - names for the stubs of the procedure linkage table: "malloc@plt". x86-64 only.
 *
 * A stub jumps through a slot of the global offset table (ff 25 disp32), and a relocation says
 * whose slot that is: true for .plt, .plt.sec and .plt.got alike, in whatever order the linker put
 * them.
 */
#include "inspect/symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

struct slot {
	uint64_t address;
	uint32_t name;
};

struct slots {
	struct slot *all;
	size_t count, capacity;
	Elf_Data *strings; /* of .dynsym */
};

static int by_address(const void *a, const void *b)
{
	uint64_t p = ((const struct slot *)a)->address, q = ((const struct slot *)b)->address;

	return p < q ? -1 : p > q;
}

static int slot_add(struct slots *s, const GElf_Rela *rela, Elf_Data *symbols)
{
	size_t wanted = s->capacity ? s->capacity * 2 : 256;
	struct slot *larger;
	GElf_Sym sym;

	if (GELF_R_TYPE(rela->r_info) != R_X86_64_JUMP_SLOT &&
	    GELF_R_TYPE(rela->r_info) != R_X86_64_GLOB_DAT)
		return 0;
	if (!gelf_getsym(symbols, (int)GELF_R_SYM(rela->r_info), &sym) ||
	    sym.st_name + 2ull > s->strings->d_size || s->count == SYMBOLS_MAX)
		return 0;
	if (s->count == s->capacity) {
		larger = realloc(s->all, wanted * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		s->all = larger;
		s->capacity = wanted;
	}
	s->all[s->count++] = (struct slot){ .address = rela->r_offset, .name = sym.st_name };
	return 0;
}

static int collect_slots(struct elf_view *v, struct slots *ret)
{
	Elf_Data *symbols, *data;
	Elf_Scn *section = NULL, *dynsym;
	GElf_Shdr h, dynsym_header;
	GElf_Rela rela;
	int err = 0;

	dynsym = elf_view_find(v, ".dynsym", &dynsym_header);
	symbols = elf_view_data(v, dynsym);
	ret->strings = symbols ? elf_view_data(v, elf_getscn(v->elf, dynsym_header.sh_link)) : NULL;
	if (!ret->strings)
		return 0;
	while (!err && (section = elf_nextscn(v->elf, section))) {
		if (!gelf_getshdr(section, &h) || h.sh_type != SHT_RELA ||
		    h.sh_link != elf_ndxscn(dynsym))
			continue;
		data = elf_view_data(v, section);
		for (int i = 0; !err && data && gelf_getrela(data, i, &rela); i++)
			err = slot_add(ret, &rela, symbols);
	}
	if (ret->count)
		qsort(ret->all, ret->count, sizeof(*ret->all), by_address);
	return err;
}

static const struct slot *slot_of_stub(const struct slots *slots, const uint8_t *stub, size_t size,
				       uint64_t address)
{
	struct slot wanted;
	int32_t distance;

	for (size_t i = 0; i + 6 <= size; i++) {
		if (stub[i] != 0xff || stub[i + 1] != 0x25)
			continue;
		memcpy(&distance, stub + i + 2, sizeof(distance));
		wanted.address = address + i + 6 + (uint64_t)(int64_t)distance;
		return bsearch(&wanted, slots->all, slots->count, sizeof(wanted), by_address);
	}
	return NULL;
}

static int add_stubs(struct symbols *s, const struct slots *slots, const Elf_Data *code,
		     const GElf_Shdr *h)
{
	size_t step = h->sh_entsize == 8 ? 8 : 16;

	for (size_t at = 0; at + step <= code->d_size; at += step) {
		const struct slot *slot =
		    slot_of_stub(slots, (uint8_t *)code->d_buf + at, step, h->sh_addr + at);
		struct symbol symbol = { .start = h->sh_addr + at,
					 .end = h->sh_addr + at + step,
					 .binding = STB_LOCAL,
					 .function = true,
					 .sized = true,
					 .plt = true };
		int err;

		if (!slot)
			continue;
		symbol.name = slot->name;
		err = symbols_add_one(s, slots->strings, symbol);
		if (err)
			return err;
	}
	return 0;
}

int symbols_add_plt(struct symbols *s, struct elf_view *v)
{
	static const char *const sections[] = { ".plt", ".plt.sec", ".plt.got" };
	struct slots slots = { 0 };
	GElf_Ehdr header;
	Elf_Data *code;
	GElf_Shdr h;
	int err;

	if (!gelf_getehdr(v->elf, &header) || header.e_machine != EM_X86_64)
		return 0;
	err = collect_slots(v, &slots);
	for (size_t i = 0; !err && slots.count && i < sizeof(sections) / sizeof(*sections); i++) {
		code = elf_view_data(v, elf_view_find(v, sections[i], &h));
		if (code)
			err = add_stubs(s, &slots, code, &h);
	}
	free(slots.all);
	return err;
}
