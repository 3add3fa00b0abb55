/* elf_symbols.h - every symbol of a table of an ELF file, in its order. The file is hostile. */
#ifndef TASKDIAG_ELF_SYMBOLS_H
#define TASKDIAG_ELF_SYMBOLS_H

#include "inspect/elf_file.h"

#define ELF_SYMBOLS_MAX (4u << 20)	    /* of a table */
#define ELF_SYMBOL_NAMES_MAX (256ull << 20) /* bytes of their names */

/* @name is valid during the call only. 0, or an error that ends the walk. */
typedef int elf_symbol_fn(void *context, const struct elf_file *f, const Elf64_Sym *symbol,
			  const char *name);

/** The table of @kind, SHT_DYNSYM or SHT_SYMTAB; a file has one of each at most. 0, also when there
 * is none; -ENOEXEC; -EFBIG; errors of elf_file_read_new() and of @fn. f->cause says which. */
int elf_symbols(struct elf_file *f, uint32_t kind, elf_symbol_fn *fn, void *context);

/** Offset in the file of an executable address; 0: it has none. */
uint64_t elf_text_offset(const struct elf_file *f, uint64_t address);

#endif
