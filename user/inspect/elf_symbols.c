/* elf_symbols.c - see elf_symbols.h */
#include "inspect/elf_symbols.h"

#include <errno.h>

#include "lib/cleanup.h"

static int fail(struct elf_file *f, int err, const char *cause)
{
	f->cause = cause;
	return err;
}

static int read_table(struct elf_file *f, const Elf64_Shdr *table, elf_symbol_fn *fn, void *context)
{
	_cleanup_free_ Elf64_Sym *symbols = NULL;
	_cleanup_free_ char *names = NULL;
	size_t count = table->sh_size / sizeof(*symbols);
	const Elf64_Shdr *strings;
	int err;

	if (table->sh_link >= f->section_count)
		return fail(f, -ENOEXEC, "malformed ELF file: symbols without names");
	strings = &f->sections[table->sh_link];
	if (count > ELF_SYMBOLS_MAX || strings->sh_size > ELF_SYMBOL_NAMES_MAX)
		return fail(f, -EFBIG, "more than 4,194,304 symbols, or 256 MiB of their names");
	err = elf_file_read_new(f, count * sizeof(*symbols), table->sh_offset, &symbols);
	if (!err) /* a zero byte stands behind */
		err = elf_file_read_new(f, strings->sh_size, strings->sh_offset, &names);
	for (size_t i = 0; i < count && !err; i++)
		if (symbols[i].st_name < strings->sh_size)
			err = fn(context, f, &symbols[i], names + symbols[i].st_name);
	return err;
}

int elf_symbols(struct elf_file *f, uint32_t kind, elf_symbol_fn *fn, void *context)
{
	for (size_t i = 0; i < f->section_count; i++) {
		const Elf64_Shdr *s = &f->sections[i];

		if (s->sh_type == kind)
			return read_table(f, s, fn, context);
	}
	return 0;
}

uint64_t elf_text_offset(const struct elf_file *f, uint64_t address)
{
	for (size_t i = 0; i < f->segment_count; i++) {
		const Elf64_Phdr *p = &f->segments[i];

		if (p->p_type == PT_LOAD && p->p_flags & PF_X && address - p->p_vaddr < p->p_filesz)
			return p->p_offset + (address - p->p_vaddr);
	}
	return 0;
}
