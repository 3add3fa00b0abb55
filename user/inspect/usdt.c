/* usdt.c - see usdt.h: notes of systemtap's sys/sdt.h.
 *
 *   note "stapsdt", type 3: address of the probe, address of .stapsdt.base as it was linked,
 * address of the semaphore (0: none), "provider\0name\0arguments\0"
 *
 * An argument is "size@operand": a negative size has a sign; operands are those of AT&T syntax.
 */
#include "inspect/usdt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/heap.h"
#include "inspect/allocators.h"
#include "inspect/elf_symbols.h"
#include "lib/cleanup.h"

#define NOTE_TYPE 3
#define NOTE_NAME "stapsdt"
#define PROVIDER "otel_memory"
#define OFFSET_MAX 4095

static const struct {
	const char *name;
	uint32_t kind; /* enum inspect_place_kind */
	unsigned arguments;
} probes[] = { { "alloc", INSPECT_USDT_ALLOC, 3 }, { "free", INSPECT_USDT_FREE, 1 } };

/* By number and by width: 8, 4, 2, 1 bytes. */
static const char *const registers[16][4] = {
	{ "rax", "eax", "ax", "al" },	   { "rcx", "ecx", "cx", "cl" },
	{ "rdx", "edx", "dx", "dl" },	   { "rbx", "ebx", "bx", "bl" },
	{ "rsp", "esp", "sp", "spl" },	   { "rbp", "ebp", "bp", "bpl" },
	{ "rsi", "esi", "si", "sil" },	   { "rdi", "edi", "di", "dil" },
	{ "r8", "r8d", "r8w", "r8b" },	   { "r9", "r9d", "r9w", "r9b" },
	{ "r10", "r10d", "r10w", "r10b" }, { "r11", "r11d", "r11w", "r11b" },
	{ "r12", "r12d", "r12w", "r12b" }, { "r13", "r13d", "r13w", "r13b" },
	{ "r14", "r14d", "r14w", "r14b" }, { "r15", "r15d", "r15w", "r15b" },
};

/* "%rdi"; *end is behind it. -EINVAL. */
static int register_number(const char *text, const char **end)
{
	size_t length;

	if (*text++ != '%')
		return -EINVAL;
	length = strcspn(text, ") ,");
	*end = text + length;
	for (int i = 0; i < 16; i++)
		for (int width = 0; width < 4; width++)
			if (strlen(registers[i][width]) == length &&
			    !strncmp(registers[i][width], text, length))
				return i;
	return -EINVAL;
}

static bool ends(const char *text)
{
	return !*text || *text == ' ';
}

/* "$3", "%rdi", "(%rdi)", "-16(%rbp)" */
static int operand(const char *text, uint64_t *ret)
{
	long offset = 0;
	const char *end;
	char *number;
	int reg;

	if (*text == '%') {
		reg = register_number(text, &end);
		*ret = USDT_REGISTER | (uint64_t)reg << 4;
		return reg < 0 || !ends(end) ? -EINVAL : 0;
	}
	if (*text == '$') {
		offset = strtol(text + 1, &number, 0);
		*ret = USDT_CONSTANT | ((uint64_t)offset & 0x1fff) << 8;
		return number == text + 1 || !ends(number) || labs(offset) > OFFSET_MAX ? -EINVAL
											: 0;
	}
	if (*text != '(') {
		offset = strtol(text, &number, 0);
		if (number == text)
			return -EINVAL;
		text = number;
	}
	if (*text != '(' || labs(offset) > OFFSET_MAX)
		return -EINVAL;
	reg = register_number(text + 1, &end);
	*ret = USDT_MEMORY | (uint64_t)reg << 4 | ((uint64_t)offset & 0x1fff) << 8;
	return reg < 0 || *end != ')' || !ends(end + 1) ? -EINVAL : 0;
}

static int argument(const char *text, uint64_t *ret)
{
	char *at;
	long size = labs(strtol(text, &at, 10));
	int err = *at == '@' ? operand(at + 1, ret) : -EINVAL;

	if (err || (size != 1 && size != 2 && size != 4 && size != 8))
		return -EINVAL;
	*ret |= (uint64_t)__builtin_ctzl(size) << 2;
	return 0;
}

int usdt_arguments(const char *text, unsigned count, uint64_t *ret_cookie)
{
	*ret_cookie = 0;
	for (unsigned i = 0; i < count; i++) {
		uint64_t spec;

		text += strspn(text, " ");
		if (!*text || argument(text, &spec))
			return -EINVAL;
		*ret_cookie |= spec << i * USDT_BITS;
		text += strcspn(text, " ");
	}
	return 0;
}

static uint64_t data_offset(const struct elf_file *f, uint64_t address)
{
	for (size_t i = 0; i < f->segment_count; i++) {
		const Elf64_Phdr *p = &f->segments[i];

		if (p->p_type == PT_LOAD && address - p->p_vaddr < p->p_filesz)
			return p->p_offset + (address - p->p_vaddr);
	}
	return 0;
}

/* One of three texts, one behind the other; NULL: it does not end. */
static const char *next_text(const char **at, const char *end)
{
	const char *text = *at, *zero = memchr(text, 0, end - text);

	*at = zero ? zero + 1 : end;
	return zero ? text : NULL;
}

static void add(const struct elf_file *f, struct inspect_allocators *a, const uint64_t addresses[3],
		uint64_t moved, const char *name, const char *arguments)
{
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		struct inspect_place p = { .kind = probes[i].kind };

		if (strcmp(name, probes[i].name))
			continue;
		p.address = addresses[0] + moved;
		p.offset = elf_text_offset(f, p.address);
		if (addresses[2])
			p.semaphore = data_offset(f, addresses[2] + moved);
		if (!p.offset || (addresses[2] && !p.semaphore) ||
		    usdt_arguments(arguments, probes[i].arguments, &p.cookie) ||
		    a->count == INSPECT_ALLOCATORS_MAX)
			a->left_out++;
		else
			a->places[a->count++] = p;
	}
}

static void read_note(const struct elf_file *f, struct inspect_allocators *a, const uint8_t *bytes,
		      size_t size, uint64_t base)
{
	const char *at = (const char *)bytes, *end = at + size, *provider, *name, *arguments;
	uint64_t addresses[3];

	if (size < sizeof(addresses))
		return;
	memcpy(addresses, bytes, sizeof(addresses));
	at += sizeof(addresses);
	provider = next_text(&at, end);
	name = next_text(&at, end);
	arguments = next_text(&at, end);
	if (provider && name && arguments && !strcmp(provider, PROVIDER))
		add(f, a, addresses, base ? base - addresses[1] : 0, name, arguments);
}

static uint64_t padded(uint32_t size)
{
	return (size + 3ull) & ~3ull;
}

static void read_notes(const struct elf_file *f, struct inspect_allocators *a, const uint8_t *bytes,
		       size_t size, uint64_t base)
{
	Elf64_Nhdr h;

	while (size >= sizeof(h)) {
		uint64_t name, text;

		memcpy(&h, bytes, sizeof(h));
		bytes += sizeof(h);
		size -= sizeof(h);
		name = padded(h.n_namesz);
		text = padded(h.n_descsz);
		if (name > size || h.n_descsz > size - name)
			return;
		if (h.n_type == NOTE_TYPE && h.n_namesz == sizeof(NOTE_NAME) &&
		    !memcmp(bytes, NOTE_NAME, sizeof(NOTE_NAME)))
			read_note(f, a, bytes + name, h.n_descsz, base);
		if (text > size - name)
			return;
		bytes += name + text;
		size -= name + text;
	}
}

int usdt_read(struct elf_file *f, struct inspect_allocators *a)
{
	_cleanup_free_ uint8_t *notes = NULL;
	uint64_t base = 0, address;
	size_t size;
	int err = elf_file_section(f, ".note.stapsdt", &notes, &size, &address);

	if (err)
		return err == -ENOENT ? 0 : err;
	for (size_t i = 0; i < f->section_count; i++)
		if (f->sections[i].sh_name < f->names_size &&
		    !strcmp(f->names + f->sections[i].sh_name, ".stapsdt.base"))
			base = f->sections[i].sh_addr;
	read_notes(f, a, notes, size, base);
	return 0;
}
