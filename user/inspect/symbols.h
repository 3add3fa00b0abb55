/* symbols.h - the function symbols of an ELF file as one sorted table.
 *
 *   .symtab, .dynsym of the file, its debug file, its .gnu_debugdata; PLT stubs ──► symbols_sort()
 *   addresses, upwards ──► symbols_lookup(): one merge pass
 *
 * A symbol covers its size; one without a size reaches to the next function, at most to the end of
 * its section. Of several that cover an address the one that starts last is taken, and where
 * several start at the same place (aliases): global before weak before local, then the longer one,
 * then the name with fewer leading underscores, then the first in the alphabet. Labels without a
 * type (hand- written assembly) name only what no function covers.
 */
#ifndef TASKDIAG_SYMBOLS_H
#define TASKDIAG_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inspect/sections.h"

#define SYMBOLS_MAX (4u << 20)
#define SYMBOL_NAME_MAX 8192 /* bytes of a name that are looked at */

struct symbol {
	uint64_t start, end;
	uint32_t name;	/* offset in its string table */
	uint32_t below; /* the one that it hides during the lookup */
	uint8_t table;	/* index of its string table */
	uint8_t binding;
	bool function; /* false: a label */
	bool sized;
	bool plt;
};

struct symbols;

struct symbols *symbols_new(void); /* NULL: no memory */
void symbols_free(struct symbols *s);

/** Adds the symbols of every symbol table of @v, which must live as long as the table. What is
 * malformed is left out. 0, -ENOMEM; -EFBIG more than SYMBOLS_MAX: what fits has been added. */
int symbols_add(struct symbols *s, struct elf_view *v);
/** "name@plt" for the stubs of the procedure linkage table (x86-64 only). (plt.c) */
int symbols_add_plt(struct symbols *s, struct elf_view *v);

/** One symbol more; its name is at offset @symbol.name of @strings. For plt.c. */
int symbols_add_one(struct symbols *s, const Elf_Data *strings, struct symbol symbol);

void symbols_sort(struct symbols *s);
/** After symbols_sort(); addresses must not go down. NULL: nothing covers it. */
const struct symbol *symbols_lookup(struct symbols *s, uint64_t address);
/** Its name as the linker knows it, without a version (memcpy@@GLIBC_2.14). Returns @buffer. */
const char *symbols_name(const struct symbols *s, const struct symbol *symbol,
			 char buffer[SYMBOL_NAME_MAX]);
size_t symbols_count(const struct symbols *s);

#endif
