/* usdt.h - the USDT probes otel_memory:alloc and free of an ELF file, see allocators.h. */
#ifndef TASKDIAG_USDT_H
#define TASKDIAG_USDT_H

#include "inspect/elf_file.h"
#include "inspect/inspect.h"

/** Adds them to @a. 0, with none too; errors of elf_file_section(). */
int usdt_read(struct elf_file *f, struct inspect_allocators *a);

#endif
